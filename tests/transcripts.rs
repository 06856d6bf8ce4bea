//! What people see: each file under tests/cmd/ holds commands and exactly what they print (standard error included).
//!
//! `TRYCMD=overwrite cargo test --test all transcripts` writes them anew; read the difference before you commit it.

#[test]
fn every_transcript_is_what_is_printed() {
    trycmd::TestCases::new()
        .register_bin("ccf-gov", std::path::Path::new(env!("CARGO_BIN_EXE_ccf-gov")))
        .env("COLUMNS", "120")
        .case("tests/cmd/*/*.trycmd");
}
