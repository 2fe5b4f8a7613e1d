//! The fuzzer of [`gitops_fuzz::splice`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gitops_fuzz::splice(data));
