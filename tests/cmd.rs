//! Transcripts of commands: `cmd/FAMILY/NAME.trycmd`, with its files in `NAME.in/`.

#[test]
fn transcripts() {
    trycmd::TestCases::new().case("tests/cmd/*/*.trycmd");
}
