//! From a layer's entries to files on a disk, by the rules of hcsshim's `tar2ext4` with whiteouts converted.

use std::io::Read;

use super::ext4::{File, FileSystem, Path, type_bits};
use super::source::{Digests, Source};
use super::tar::{Entry, EntryKind, Reader};
use super::verity::{Blocks, Tree};
use super::{Layer, LayerError, LayerHash};

/// Measures a layer: its tar archive, as it is or compressed with gzip.
///
/// Needs little memory however large the layer is: what grows is the list of its files.
///
/// # Errors
/// It cannot be read, is no tar archive, or holds what the platform's conversion refuses.
pub fn measure(layer: impl Read) -> Result<Layer, LayerError> {
    let mut archive = Reader::new(Source::open(layer)?);
    let files = convert(&mut archive, Tree::new())?;
    let holds_images = holds_images(&files);
    let hash = LayerHash(files.finish()?.root());
    let Digests { diff_id, digest } = archive.into_inner().finish()?;
    Ok(Layer { hash, diff_id, digest, holds_images })
}

/// Puts every entry of `archive` on a disk.
pub(super) fn convert<B: Blocks>(archive: &mut Reader<impl Read>, disk: B) -> Result<FileSystem<B>, LayerError> {
    let mut files = FileSystem::new(disk)?;
    while let Some(entry) = archive.next()? {
        add(&mut files, entry, archive)?;
    }
    Ok(files)
}

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

fn add<B: Blocks>(files: &mut FileSystem<B>, entry: Entry, data: &mut Reader<impl Read>) -> Result<(), LayerError> {
    // The part after the last slash as it is written: nothing for `a/.wh.b/`.
    let start = entry.path.iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
    let (folder, name) = entry.path.split_at(start);
    if name == OPAQUE {
        let folder = Path::of(folder)?;
        files.make_folders(&folder)?;
        let mut file = files.stat(&folder)?;
        file.xattrs.insert(b"trusted.overlay.opaque".to_vec(), b"y".to_vec());
        return files.create(&folder, file);
    }
    if let Some(hidden) = name.strip_prefix(WHITEOUT) {
        files.make_folders(&Path::of(folder)?)?;
        let hidden = [folder, b"/", hidden].concat();
        return files.create(&Path::of(&hidden)?, File { mode: type_bits(EntryKind::Character), ..File::default() });
    }
    let path = Path::of(&entry.path)?;
    files.make_folders(&path.parent())?;
    if entry.kind == EntryKind::HardLink {
        return files.link(&Path::of(&entry.link)?, &path);
    }
    let size = entry.size;
    let file = File {
        mode: entry.mode & 0o7777 | type_bits(entry.kind),
        uid: entry.uid,
        gid: entry.gid,
        size,
        accessed: entry.accessed,
        changed: entry.changed,
        modified: entry.modified,
        born: entry.modified,
        major: entry.major,
        minor: entry.minor,
        link: entry.link,
        xattrs: entry.xattrs,
    };
    if entry.kind == EntryKind::File { files.create_with_data(&path, file, data) } else { files.create(&path, file) }
}

/// Whether what was taken for a layer is an archive of images in Docker's or OCI's form.
fn holds_images<B: Blocks>(files: &FileSystem<B>) -> bool {
    let has = |name: &[u8]| Path::of(name).is_ok_and(|path| files.find(&path).is_some());
    let is_layer = |name: &[u8]| {
        // Docker's old form has a folder for each layer, called by a digest.
        let is_digest = name.len() == 64 && name.iter().all(u8::is_ascii_hexdigit);
        name.ends_with(b".tar") || name.ends_with(b".tar.gz") || (is_digest && has(&[name, b"/layer.tar"].concat()))
    };
    let layers = || files.root().any(is_layer);
    let docker = has(b"manifest.json") && (has(b"repositories") || has(b"blobs/sha256") || layers());
    docker || (has(b"oci-layout") && has(b"index.json"))
}
