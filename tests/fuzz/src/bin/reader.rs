//! The fuzzer of [`gitops_fuzz::reader`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gitops_fuzz::reader(data));
