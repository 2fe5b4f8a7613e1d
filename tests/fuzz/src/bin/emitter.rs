//! The fuzzer of [`gitops_fuzz::emitter`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gitops_fuzz::emitter(data));
