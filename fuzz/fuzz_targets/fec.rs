// SPDX-License-Identifier: MPL-2.0

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| flute_fuzz::fec::run(bytes));
