//! Layers made here, with the disks and root hashes that hcsshim's own conversion gives for the same archives.

#![allow(clippy::print_stdout)]

use std::io::Read;
use std::path::PathBuf;

use super::tar::Reader;
use super::verity::{BLOCK, Block, Blocks};
use super::*;
use crate::digest::sha256;

/// A tar archive being made.
#[derive(Default)]
pub struct Archive(Vec<u8>);

/// An entry of it: a file of root, mode 0644, of the year 2001.
#[derive(Clone)]
pub struct Entry<'a> {
    pub path: &'a str,
    pub kind: u8,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub link: &'a str,
    pub device: (u32, u32),
    pub data: &'a [u8],
    pub pax: &'a [(&'a str, &'a str)],
}

pub fn entry<'a>(kind: u8, path: &'a str) -> Entry<'a> {
    Entry { path, kind, mode: 0o644, uid: 0, gid: 0, link: "", device: (0, 0), data: b"", pax: &[] }
}

pub fn file<'a>(path: &'a str, data: &'a [u8]) -> Entry<'a> {
    Entry { data, ..entry(b'0', path) }
}

pub fn folder(path: &str) -> Entry<'_> {
    Entry { mode: 0o755, ..entry(b'5', path) }
}

pub fn link<'a>(kind: u8, path: &'a str, link: &'a str) -> Entry<'a> {
    Entry { link, ..entry(kind, path) }
}

impl Archive {
    pub fn add(mut self, entry: Entry) -> Self {
        let mut records = String::new();
        for (key, value) in entry.pax {
            let rest = key.len() + value.len() + 3;
            let length = (rest..).find(|n| n.to_string().len() + rest == *n).unwrap();
            records += &format!("{length} {key}={value}\n");
        }
        if !records.is_empty() {
            self.raw(&Entry { data: records.as_bytes(), ..super::tests::entry(b'x', "pax") });
        }
        self.raw(&entry);
        self
    }

    fn raw(&mut self, entry: &Entry) {
        let mut header = header(entry, entry.data.len() as u64);
        sum(&mut header);
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(entry.data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

pub fn header(entry: &Entry, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, entry.path.as_bytes());
    put(100, format!("{:07o}", entry.mode).as_bytes());
    put(108, format!("{:07o}", entry.uid).as_bytes());
    put(116, format!("{:07o}", entry.gid).as_bytes());
    if size < 1 << 33 {
        put(124, format!("{size:011o}").as_bytes());
    } else {
        put(124, &[0x80]);
        put(128, &size.to_be_bytes());
    }
    put(136, b"07346545000");
    put(156, &[entry.kind]);
    put(157, entry.link.as_bytes());
    put(257, b"ustar\x0000");
    put(329, format!("{:07o}", entry.device.0).as_bytes());
    put(337, format!("{:07o}", entry.device.1).as_bytes());
    header
}

pub fn sum(header: &mut [u8; 512]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

/// A disk that is kept.
#[derive(Default)]
struct Kept(Vec<u8>);

impl Blocks for Kept {
    fn append(&mut self, block: &Block) {
        self.0.extend_from_slice(block);
    }

    fn reserve(&mut self) {
        self.append(&[0; BLOCK]);
    }

    fn fill(&mut self, number: u32, block: &Block) {
        self.0[number as usize * BLOCK..][..BLOCK].copy_from_slice(block);
    }
}

fn disk(layer: &[u8]) -> Vec<u8> {
    convert::convert(&mut Reader::new(layer), Kept::default()).unwrap().finish().unwrap().0
}

fn root(layer: impl Read) -> String {
    measure(layer).unwrap().hash.to_string()
}

fn refusal(layer: impl Read) -> String {
    measure(layer).unwrap_err().to_string()
}

fn fixtures() -> Option<PathBuf> {
    let folder = std::env::var_os("CCF_GOV_FIXTURES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"), PathBuf::from)
        .join("azure/dmverity");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no recorded data at {} (set CCF_GOV_FIXTURES); made-up layers cover the same", folder.display());
    None
}

#[test]
fn every_kind_of_entry_has_its_place() {
    let xattrs = [("SCHILY.xattr.security.capability", "0123456789abcdef0123"), ("SCHILY.xattr.user.note", "x")];
    let large = "v".repeat(200);
    let in_block = [("SCHILY.xattr.user.large", large.as_str()), ("mtime", "-1.5"), ("atime", "1700000000.123456789")];
    let named = [(
        "path",
        "d/a name longer than one hundred bytes: 0123456789012345678901234567890123456789012345678901234567",
    )];
    let layer = Archive::default()
        .add(folder("d/"))
        .add(Entry { pax: &xattrs, ..file("d/program", &[7; 9000]) })
        .add(Entry { pax: &in_block, ..folder("d/e/") })
        .add(Entry { pax: &named, ..file("x", b"text") })
        .add(link(b'1', "d/same", "d/program"))
        .add(link(b'2', "short", "d/program"))
        .add(link(b'2', "long", "0123456789012345678901234567890123456789012345678901234567890"))
        .add(Entry { device: (300, 70000), ..entry(b'3', "dev/c") })
        .add(Entry { device: (8, 1), ..entry(b'4', "dev/b") })
        .add(entry(b'6', "fifo"))
        .add(file("d/.wh.gone", b""))
        .add(file("d/e/.wh..wh..opq", b""))
        .add(file("not/there/yet", b""))
        .add(file("d/empty", b""))
        .add(link(b'2', "d/empty", "replaced"))
        .end();
    assert_eq!(root(&layer[..]), "54a18e556ec6a418d7ef83e7b9f795a778668ef54c825cb3534e8822da46f058");
}

#[test]
fn many_files_need_more_inodes_and_large_ones_an_index_of_extents() {
    let names: Vec<String> = (0..5000).map(|n| format!("folder-{}/file-{n}", n / 1000)).collect();
    let many = names.iter().fold(Archive::default(), |archive, name| archive.add(file(name, b"")));
    assert_eq!(root(&many.end()[..]), "494a3e8becfa75c09e05f431d9c2fc602684ca20a2de99076fad208f5d97b79b");
    let size = (600 << 20) + 5;
    let mut header = header(&file("large", b""), size);
    sum(&mut header);
    let data = std::io::repeat(0).take(size.next_multiple_of(512) + 1024);
    assert_eq!(root(header.chain(data)), "98100f124b812387093790dcfa727e75f385e006c9991115726fa9c161d4e2c0");
}

#[test]
fn what_the_conversion_refuses_is_refused() {
    let data = file("a", b"data");
    let sparse = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")];
    for (entries, says) in [
        (vec![data.clone(), data.clone()], "a: it replaces a file of this layer whose data are written already"),
        (vec![data.clone(), folder("a/")], "a/: it is a directory that replaces a file of this layer"),
        (vec![folder("a/"), data.clone()], "a: it is a file that replaces a directory of this layer"),
        (vec![file(".wh.", b"")], "/: it is a file that replaces a directory of this layer"),
        (vec![data.clone(), file("a/b", b"")], "a/b: its folder is no directory of this layer"),
        (vec![file("a/.wh..wh..opq", b""), link(b'1', "b", "a")], "b: it is a hard link to a directory"),
        (vec![link(b'1', "b", "a")], "b: it is a link to a file that is not in this layer"),
        (
            vec![data.clone(), link(b'1', "a", "a")],
            "a: it is a hard link that replaces a file or directory of this layer",
        ),
        (
            vec![Entry { pax: &sparse, ..data.clone() }],
            "a: it is a sparse file, which is not supported: make the layer anew without sparse files",
        ),
    ] {
        let layer = entries.into_iter().fold(Archive::default(), Archive::add).end();
        assert_eq!(refusal(&layer[..]), says);
    }
}

#[test]
fn compressed_layers_are_the_same_layers() {
    use std::io::Write;
    let layer = Archive::default().add(file("a", &[3; 5000])).end();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&layer).unwrap();
    let gzip = gzip.finish().unwrap();
    let (plain, packed) = (measure(&layer[..]).unwrap(), measure(&gzip[..]).unwrap());
    assert_eq!((plain.hash, plain.diff_id), (packed.hash, packed.diff_id));
    assert_eq!((plain.digest.0, packed.digest.0), (sha256(&layer), sha256(&gzip)));
    assert!(matches!(measure(&gzip[..gzip.len() - 9]), Err(LayerError::Read(_))));
    for (magic, name) in [(&b"\x28\xb5\x2f\xfd"[..], "zstd"), (b"\xfd7zXZ", "xz"), (b"BZh9", "bzip2")] {
        assert_eq!(refusal(magic), format!("the layer is compressed with {name}: unpack it first"));
    }
}

#[test]
fn an_archive_of_images_is_no_layer() {
    let holds = |names: &[&str]| {
        let layer = names.iter().fold(Archive::default(), |archive, name| archive.add(file(name, b"x"))).end();
        measure(&layer[..]).unwrap().holds_images
    };
    assert!(holds(&["oci-layout", "index.json"]) && holds(&["manifest.json", "repositories"]));
    assert!(holds(&["manifest.json", "blobs/sha256/00"]) && holds(&["manifest.json", "00.tar.gz"]));
    assert!(!holds(&["manifest.json", "app/layer.tar"]) && !holds(&["index.json"]));
}

#[test]
fn an_archive_ends_as_go_ends_it() {
    let layer = Archive::default().add(file("a", b"data")).end();
    let whole = root(&layer[..]);
    // Without the zeros at the end, with one block of them, without the filling after the data, with anything after the end.
    for length in [1024, 1536, 516] {
        assert_eq!(root(&layer[..length]), whole, "{length}");
    }
    assert_eq!(root(&[&layer[..], b"anything"].concat()[..]), whole);
    for length in [100, 515, 1030, 1600] {
        assert_eq!(refusal(&layer[..length]), "the tar archive is cut off", "{length}");
    }
    assert_eq!(root(&b""[..]), root(&[0; 10240][..]));
}

#[test]
fn a_flipped_byte_never_panics() {
    let pax = [("path", "a/b"), ("SCHILY.xattr.user.x", "value"), ("mtime", "1.5")];
    let layer = Archive::default()
        .add(folder("a/"))
        .add(Entry { pax: &pax, ..file("b", b"data") })
        .add(link(b'1', "c", "a/b"))
        .end();
    let try_it = |layer: &[u8], whole: bool| {
        let files = convert::convert(&mut Reader::new(layer), verity::Tree::new());
        let _ = files.map(|files| if whole { files.finish().map(drop) } else { Ok(()) });
    };
    for at in 0..layer.len() {
        for value in [0, b'7', b'9', 0xff] {
            let mut changed = layer.clone();
            changed[at] = value;
            try_it(&changed, false);
            // With the sum corrected, it is the fields that are read.
            let (blocks, _) = changed.as_chunks_mut::<512>();
            sum(&mut blocks[at / 512]);
            try_it(&changed, at % 64 == 0);
        }
    }
}

#[test]
fn recorded_layers_give_their_disks_and_root_hashes() {
    let Some(folder) = fixtures() else { return };
    let expected = std::fs::read_to_string(folder.join("EXPECTED.txt")).unwrap();
    let mut seen = 0;
    for line in expected.lines() {
        let words: Vec<_> = line.trim_start_matches("- ").split([' ', '=']).collect();
        let [name, "root", root_hash, "ext4_len", length, "ext4_sha256", digest] = words[..] else { panic!("{line}") };
        let layer = std::fs::read(folder.join(name)).unwrap();
        let disk = disk(&layer);
        assert_eq!((disk.len().to_string().as_str(), hex::encode(sha256(&disk)).as_str()), (length, digest), "{name}");
        assert_eq!(root(&layer[..]), root_hash, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 6);
    assert_eq!(disk(&[0; 10240]), std::fs::read(folder.join("empty.tar.ext4")).unwrap());
}
