//! Layers made here, with the disks and root hashes that hcsshim's own conversion gives for the same archives.

use std::io::Read;

use super::tar::Reader;
use super::verity::{BLOCK, Block, Blocks};
use super::*;
use crate::digest::sha256;
use crate::skip::fixtures;

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
        self.changed(entry, &[]);
    }

    /// Adds an entry with bytes of its header changed.
    fn changed(&mut self, entry: &Entry, changes: &[(usize, &[u8])]) {
        let mut header = header(entry, entry.data.len() as u64);
        for (at, bytes) in changes {
            header[*at..][..bytes.len()].copy_from_slice(bytes);
        }
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
fn every_dialect_and_oddity_is_read_as_go_reads_it() {
    const GNU: (usize, &[u8]) = (257, b"ustar  \0");
    let (x300, x90, x40) = ("x".repeat(300), "x".repeat(90), "x".repeat(40));
    let many_folders = format!("{}name\0", "folder/".repeat(40));
    let whiteout = format!("folder/.wh.{}", "n".repeat(255));
    let acl = [
        ("SCHILY.xattr.user.large", x300.as_str()),
        ("SCHILY.xattr.system.posix_acl_access", &x300),
        ("SCHILY.xattr.user.a", "1"),
        ("SCHILY.xattr.trusted.t", &x90),
        ("mtime", "-1.5"),
    ];
    let unsorted = [
        ("SCHILY.xattr.security.a", x90.as_str()),
        ("SCHILY.xattr.system.zz", &x90),
        ("SCHILY.xattr.user.long-name", &x90),
        ("SCHILY.xattr.trusted.b", &x90),
        ("SCHILY.xattr.no prefix", &x40),
        ("SCHILY.xattr.user.", &x90),
    ];
    let global = [("comment", "x"), ("SCHILY.xattr.user.g", "1"), ("path", "named")];
    type Case<'a> = (&'a str, Vec<(Entry<'a>, Vec<(usize, &'a [u8])>)>, &'a str);
    let cases: Vec<Case> = vec![
        (
            "V7, a folder by its slash",
            vec![(entry(0, "d/"), vec![(257, &[0; 8])])],
            "1c77101f94039c34c08c159cbd340da4a1ec612600a7bbe2ac55f500b271bb90",
        ),
        (
            "GNU times",
            vec![(file("f", b"x"), vec![GNU, (345, b"07346545001\0"), (357, b"07346545002\0")])],
            "83404664947422b15eedc1a898f6f66ad4562adb80faf4c4d08dde56c24eac1c",
        ),
        (
            "old Go's prefix",
            vec![(file("f", b"x"), vec![GNU, (345, b"pre/fix")])],
            "7bbe9d457d57ce3e549e3641ae3479c5e5d7611cbaf3a0043adfef766c7935da",
        ),
        (
            "GNU long names",
            vec![
                (Entry { data: many_folders.as_bytes(), ..entry(b'K', "././@LongLink") }, vec![GNU]),
                (Entry { data: many_folders.as_bytes(), ..entry(b'L', "././@LongLink") }, vec![GNU]),
                (entry(b'2', "cut"), vec![GNU]),
            ],
            "db74d0ed8140e73d0a14791eef0ddb2728d1a1fbdc23fdba2241094efa18af3d",
        ),
        (
            "base 256",
            vec![(file("f", b""), vec![GNU, (108, b"\x80\0\0\0\0\x2d\xc6\xc0"), (136, &[0xff; 12])])],
            "cebf41195e18108ac81275969cb3c1150bc0677898644cbf421d66141c26a151",
        ),
        (
            "star",
            vec![(
                file("f", b""),
                vec![(345, b"prefix"), (476, b"07346545001\0"), (488, b"07346545002\0"), (508, b"tar\0")],
            )],
            "9a7e1fa055a8ae677d449bfcc768c43198c207ac4e771e5ff92e464fb98d5b6e",
        ),
        (
            "a global header is a file",
            vec![(Entry { pax: &global, ..entry(b'g', "x") }, vec![])],
            "e0bdc13d09af32a78959e91a4b7c3975d5dec6555a4c86cd3006095f38a5800c",
        ),
        (
            "an unknown type is a file",
            vec![(Entry { data: b"data", ..entry(b'7', "f") }, vec![])],
            "ec3eb881d4099fd02c2aab61a5bded006f9953ab42b7ccce0d26ce39e34d1627",
        ),
        (
            "attributes that are read back in part",
            vec![
                (Entry { pax: &acl, ..folder("d") }, vec![]),
                (file("d/e/.wh.f", b""), vec![]),
                (file("d/.wh..wh..opq", b""), vec![]),
            ],
            "b5a77b0628491b48b557106182d6d133cb8645b1b28843f927860da5acbdf512",
        ),
        (
            "attributes that have no order",
            vec![(Entry { pax: &unsorted, ..folder("d") }, vec![])],
            "036a273fdb82542fca02d9ff70f3661b5bc00ce2491adb7cfe1169b646a7ceb6",
        ),
        (
            "attributes of a folder that comes twice",
            vec![
                (Entry { pax: &unsorted, ..folder("d") }, vec![]),
                (Entry { pax: &acl[2..3], ..folder("./d/") }, vec![]),
            ],
            "4cac3fd2c4bc10c1de5c445bfa1e08349b0b8aedc3ba90c64afdaaa6290fd178",
        ),
        (
            "a name of a hard link goes on to something else",
            vec![(file("a", b"data"), vec![]), (link(b'1', "b", "/a"), vec![]), (file("a", b"other"), vec![])],
            "1aca26f79a6862109e157acb3416e80c28fcdb46a296c9a23ecc7e4c386c65ee",
        ),
        (
            "a whiteout longer than a name",
            vec![(Entry { data: whiteout.as_bytes(), ..entry(b'L', "x") }, vec![]), (file("cut", b""), vec![])],
            "e056b8bc82ff418606d7d56c12423c019cce1046ab8643cdaf80ca82aa0b2a66",
        ),
        (
            "paths that lead up and about",
            vec![(file("../a/./b//c", b"x"), vec![]), (folder("/a/../lost+found"), vec![]), (folder("."), vec![])],
            "a8ce4a67f84dbf89704ccce6f1a93d4eb313f3fc9fa0c0a17c766c35b3a17473",
        ),
    ];
    for (name, entries, expected) in cases {
        let mut archive = Archive::default();
        for (entry, changes) in entries {
            if entry.kind == b'g' {
                archive = archive.add(Entry { kind: b'0', ..entry });
                // The records are the global header's own; the file after them is not wanted.
                archive.0.truncate(archive.0.len() - 512);
                archive.0[156] = b'g';
                let header: &mut [u8; 512] = archive.0.first_chunk_mut().unwrap();
                sum(header);
                continue;
            }
            if !entry.pax.is_empty() {
                archive = archive.add(entry);
                continue;
            }
            archive.changed(&entry, &changes);
        }
        assert_eq!(root(&archive.end()[..]), expected, "{name}");
    }
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
        (vec![data.clone(), file("a/b", b"")], "a/b: its folder is not a directory of this layer"),
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
    assert!(holds(&["manifest.json", &format!("{}/layer.tar", "0a".repeat(32))]));
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
fn a_layer_with_a_changed_byte_is_read_or_refused() {
    let pax = [("path", "a/b"), ("SCHILY.xattr.user.x", "value"), ("mtime", "1.5")];
    let layer = Archive::default()
        .add(folder("a/"))
        .add(Entry { pax: &pax, ..file("b", b"data") })
        .add(link(b'1', "c", "a/b"))
        .end();
    let is_read = |layer: &[u8], whole: bool| {
        let files = convert::convert(&mut Reader::new(layer), verity::Tree::new());
        files.is_ok_and(|files| !whole || files.finish().is_ok())
    };
    assert!(is_read(&layer, true));
    let mut outcomes = [0; 2];
    for at in 0..layer.len() {
        for value in [0, b'7', b'9', 0xff] {
            let mut changed = layer.clone();
            changed[at] = value;
            outcomes[usize::from(is_read(&changed, false))] += 1;
            // With the sum corrected, it is the fields that are read.
            let (blocks, _) = changed.as_chunks_mut::<512>();
            sum(&mut blocks[at / 512]);
            outcomes[usize::from(is_read(&changed, at % 64 == 0))] += 1;
        }
    }
    let [refused, read] = outcomes;
    assert!(refused > 1000 && read > 1000, "{outcomes:?}");
}

#[test]
fn recorded_layers_give_their_disks_and_root_hashes() {
    let Some(folder) = fixtures() else { return };
    let folder = folder.join("azure/dmverity");
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
