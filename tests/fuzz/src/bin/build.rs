//! The fuzzer of [`gitops_fuzz::build`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gitops_fuzz::build(data));
