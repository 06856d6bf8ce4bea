//! Files that are something, each a little wrong, in whatever form: read or refused, never a panic.

use proptest::prelude::*;

use super::*;

fn forms() -> &'static Vec<Vec<u8>> {
    static FORMS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    FORMS.get_or_init(|| {
        let (report, chain) = (lab().report(|_| {}), lab().chain());
        let all = pem(&chain);
        let own = json!({"node_id": node(), "raw": STANDARD.encode(&report), "endorsements": STANDARD.encode(&all)});
        vec![
            hex::encode(&report).into_bytes(),
            STANDARD.encode(&all).into_bytes(),
            own.to_string().into_bytes(),
            json!({"attestations": [own]}).to_string().into_bytes(),
            chain[0].clone(),
            revocation_list(("ARK-Milan", &lab().ark), IN_DATE, &[9]),
            all,
            report,
        ]
    })
}

proptest! {
    #[test]
    fn a_file_with_changes_is_read_or_refused(
        which in 0..8usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        let mut file = forms()[which].clone();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if cuts {
            file.truncate(cut.index(file.len()));
        }
        let _ = parts(&file);
        let mut attestation = Attestation::of(Some(node()));
        if attestation.add(&file).is_ok() {
            let _ = attestation.verify(&Expected::default(), &trust());
        }
    }
}
