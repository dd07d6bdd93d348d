#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| twinguard_tests::fuzz::twin_sequence(data));
