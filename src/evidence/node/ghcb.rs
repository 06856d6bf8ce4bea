//! The certificate table of the GHCB protocol: what a host gives beside a report (AMD 56421, "SNP Extended Guest Request").

use crate::certificate;

/// What an entry holds, by its GUID.
const ENTRIES: [(u128, Entry); 5] = [
    (0x63da758d_e664_4564_adc5_f4b93be8accd, Entry::Chip),
    (0xa8074bc2_a25a_483e_aae6_39c045a0b8a1, Entry::Leased),
    (0x4ab7b379_bbac_4fe4_a02f_05aef327c782, Entry::Ask),
    (0xc0b406a4_a803_4952_9743_3fb6014cd0ae, Entry::Ark),
    (0x92f81bc3_5811_4d3d_97ff_d19f88dc67ea, Entry::Revocations),
];

/// An entry: 16 bytes of GUID, 4 of offset, 4 of length.
const ENTRY: usize = 24;
/// More entries than any host gives.
const MAX_ENTRIES: usize = 64;

/// What an entry is, in the order of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    /// The chip's own key (VCEK).
    Chip,
    /// A cloud provider's (VLEK), which counts where there is no VCEK.
    Leased,
    Ask,
    Ark,
    Revocations,
}

/// The certificates in a table, in the order of a chain; `None` if the bytes are none.
pub(super) fn certificates(bytes: &[u8]) -> Option<Result<Vec<Vec<u8>>, String>> {
    entry(bytes.first_chunk()?)?;
    Some(read(bytes))
}

fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut found: Vec<(Entry, Vec<Vec<u8>>)> = Vec::new();
    for header in bytes.chunks_exact(ENTRY).take(MAX_ENTRIES) {
        let Some((guid, place)) = header.split_first_chunk::<16>() else { break };
        if *guid == [0; 16] {
            let mut chain: Vec<_> = found;
            chain.sort_by_key(|(entry, _)| *entry);
            if chain.iter().any(|(entry, _)| *entry == Entry::Chip) {
                chain.retain(|(entry, _)| *entry != Entry::Leased);
            }
            let certificates: Vec<_> = chain.into_iter().flat_map(|(_, certificates)| certificates).collect();
            return if certificates.is_empty() { Err("it holds no certificate".into()) } else { Ok(certificates) };
        }
        let word = |at: usize| place.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word) as usize);
        let (offset, length) = word(0).zip(word(4)).unwrap_or_default();
        let Some(entry) = entry(guid).filter(|entry| *entry != Entry::Revocations && length > 0) else { continue };
        let contents = bytes.get(offset..).and_then(|rest| rest.get(..length));
        let contents = contents.ok_or("an entry lies beyond its end")?;
        let certificates = match certificate::is_pem(contents, "") {
            true => certificate::from_pem(contents),
            false => certificate::parse(contents).map(|_| vec![contents.to_vec()]),
        };
        found.push((entry, certificates.map_err(|e| format!("an entry is {e}"))?));
    }
    Err("its list of entries has no end".into())
}

/// GUIDs stand there byte for byte as they are written. Some programs write the first three groups the other way round,
/// as they do in other tables.
fn entry(guid: &[u8; 16]) -> Option<Entry> {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *guid;
    let [i, j, k, l, m, n, o, p] = rest;
    let mixed = [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p];
    let is = |known: u128| u128::from_be_bytes(*guid) == known || u128::from_be_bytes(mixed) == known;
    ENTRIES.iter().find(|(known, _)| is(*known)).map(|(_, entry)| *entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::snp::testing::lab;

    fn table(entries: &[(u128, &[u8])], mixed: bool) -> Vec<u8> {
        let mut headers = Vec::new();
        let mut contents = Vec::new();
        let start = (entries.len() + 1) * ENTRY;
        for (guid, bytes) in entries {
            let mut guid = guid.to_be_bytes();
            if mixed {
                guid[..4].reverse();
                guid[4..6].reverse();
                guid[6..8].reverse();
            }
            headers.extend(guid);
            headers.extend(((start + contents.len()) as u32).to_le_bytes());
            headers.extend((bytes.len() as u32).to_le_bytes());
            contents.extend_from_slice(bytes);
        }
        headers.extend([0; ENTRY]);
        [headers, contents, vec![0; 100]].concat()
    }

    #[test]
    fn a_table_gives_its_chain_in_order() {
        let chain = lab().chain();
        let [vcek, ask, ark] = <[Vec<u8>; 3]>::try_from(chain.clone()).unwrap();
        let [chip, leased, middle, root, list] = ENTRIES.map(|(guid, _)| guid);
        let pem = pem::encode(&pem::Pem::new("CERTIFICATE", ask.clone())).into_bytes();
        for mixed in [false, true] {
            let whole = table(&[(root, &ark), (list, b"a list"), (middle, &ask), (leased, &ask), (chip, &vcek)], mixed);
            assert_eq!(certificates(&whole), Some(Ok(chain.clone())));
            let in_pem = table(&[(root, &ark), (middle, &pem), (leased, &vcek), (root ^ 1, b"another")], mixed);
            assert_eq!(certificates(&in_pem), Some(Ok(chain.clone())));
        }
        let mut beyond = table(&[(chip, &vcek)], false);
        beyond[16] = 255;
        beyond[17] = 255;
        let none = table(&[(list, b"a list")], false);
        let broken = table(&[(chip, b"no certificate")], false);
        for bad in [&beyond[..], &none, &broken, &beyond[..ENTRY], &[&chip.to_be_bytes()[..], &[0; 600]].concat()] {
            assert!(matches!(certificates(bad), Some(Err(_))), "{:?}", certificates(bad));
        }
        for other in [&[0; 600][..], b"", b"\x63\xda"] {
            assert_eq!(certificates(other), None);
        }
    }
}
