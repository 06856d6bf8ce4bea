use super::*;
use crate::skip::fixtures;

/// The 58 published vectors: each gives its document or its error, to the letter.
#[test]
fn every_published_vector_gives_its_document_or_its_error() {
    let Some(folder) = fixtures() else { return };
    let text = std::fs::read(folder.join("did-x509/test-vectors.json")).unwrap();
    let vectors = crate::json::parse(&text).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 58);
    let mut wrong = Vec::new();
    for vector in vectors {
        let input = &vector["input"];
        let chain: Vec<Vec<u8>> = input["chain"]
            .as_array()
            .unwrap()
            .iter()
            .map(|der| BASE64_URL_SAFE_NO_PAD.decode(der.as_str().unwrap()).unwrap())
            .collect();
        let output = match resolve(input["did"].as_str().unwrap(), &chain) {
            Ok(document) => json!({ "document": document }),
            Err(e) => json!({ "error": e.to_string() }),
        };
        if output != vector["output"] {
            wrong.push(format!("{}: {output}\n  expected {}", vector["id"], vector["output"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
