//! The tree of files, and the rules by which later entries change what earlier ones made.

use std::io::Read;

use super::super::LayerError;
use super::super::tar::Reader;
use super::super::verity::{BLOCK, Blocks};
use super::directory::Entries;
use super::disk::Disk;
use super::extents;
use super::file::{DIRECTORY, File, Path, REGULAR, SYMLINK, TYPE};
use super::groups::{self, DESCRIPTOR_BLOCKS, FIRST_INODE};
use super::inode::{Content, Inode, Number, decode, encode};
use super::xattr::Xattrs;

const ROOT: Number = 2;
/// Beyond this, the original's counting of groups overflows.
const MAX_INODES: usize = 2_000_000;
const MAX_LINKS: u32 = 65_000;
const MAX_FILE: u64 = 128 << 30;
/// The longest symbolic link that is kept in its inode.
const SHORT_LINK: usize = 59;

/// Files being put on a disk.
pub(crate) struct FileSystem<B> {
    disk: Disk<B>,
    /// The inode with number `n` is at `n - 1`.
    inodes: Vec<Option<Inode>>,
}

impl<B: Blocks> FileSystem<B> {
    /// An empty root, and lost+found.
    pub(crate) fn new(blocks: B) -> Result<Self, LayerError> {
        let mut disk = Disk::new(blocks);
        for _ in 0..=DESCRIPTOR_BLOCKS {
            disk.reserve()?;
        }
        let mut system = Self { disk, inodes: vec![None] };
        let root = Inode { mode: DIRECTORY | 0o755, links: 2, ..Inode::default() };
        system.inodes.push(Some(root));
        system.inodes.resize_with(FIRST_INODE as usize - 1, || None);
        let lost_and_found = File { mode: DIRECTORY | 0o700, ..File::default() };
        system.create(&Path::of(b"lost+found")?, lost_and_found)?;
        Ok(system)
    }

    /// Makes the directories of `path` that are not there, each like the one it is in.
    pub(crate) fn make_folders(&mut self, path: &Path) -> Result<(), LayerError> {
        let mut at = ROOT;
        for name in path.parts() {
            at = match self.child(at, name) {
                Some(child) => child,
                None => {
                    let like = self.file(at).ok_or_else(|| path.error(NOT_FOUND))?;
                    self.create_in(path, at, name, like)?
                }
            };
        }
        Ok(())
    }

    /// Makes a file without data, or changes the one that is there.
    pub(crate) fn create(&mut self, path: &Path, file: File) -> Result<(), LayerError> {
        if file.mode & TYPE == REGULAR && file.size > 0 {
            return Err(path.error("a whiteout changes a file that has data"));
        }
        self.create_any(path, file).map(drop)
    }

    /// Makes a regular file with the data that follow in `data`.
    pub(crate) fn create_with_data(
        &mut self,
        path: &Path,
        file: File,
        data: &mut Reader<impl Read>,
    ) -> Result<(), LayerError> {
        let size = file.size;
        let number = self.create_any(path, file)?;
        if size > 0 {
            let first = self.disk.block();
            let mut piece = [0; 16 << 10];
            loop {
                match data.read(&mut piece)? {
                    0 => break,
                    n => self.disk.write(&piece[..n])?,
                }
            }
            self.end_data(number, first)?;
        }
        Ok(())
    }

    /// Makes `new` a further name of the file `old`.
    pub(crate) fn link(&mut self, old: &Path, new: &Path) -> Result<(), LayerError> {
        let Some((folder, name)) = self.folder_and_name(new)? else { return Err(new.error(ORPHAN)) };
        let existing = self.child(folder, name);
        if let Some(existing) = existing.and_then(|n| self.get(n))
            && (existing.is_directory() || existing.links < 2)
        {
            return Err(new.error(ORPHAN));
        }
        let number = self.find(old).ok_or_else(|| new.error("it is a link to a file that is not in this layer"))?;
        let target = self.get(number).ok_or_else(|| new.error(NOT_FOUND))?;
        if target.is_directory() {
            return Err(new.error("it is a hard link to a directory"));
        }
        if existing != Some(number) && target.links >= MAX_LINKS {
            return Err(new.error(TOO_MANY_LINKS));
        }
        if let Some(existing) = existing.and_then(|n| self.get_mut(n)) {
            existing.links -= 1;
        }
        if let Some(target) = self.get_mut(number) {
            target.links += 1;
        }
        self.put_child(folder, name, number);
        Ok(())
    }

    /// What is known of a file, as the disk has it.
    pub(crate) fn stat(&self, path: &Path) -> Result<File, LayerError> {
        let number = self.find(path).ok_or_else(|| path.error(NOT_FOUND))?;
        let inode = self.get(number).ok_or_else(|| path.error(NOT_FOUND))?;
        let mut file = self.file(number).ok_or_else(|| path.error(NOT_FOUND))?;
        file.size = inode.size;
        if let Some(xattrs) = &inode.xattrs {
            file.xattrs = xattrs.read_all();
        }
        if inode.kind() == SYMLINK {
            match &inode.content {
                Content::Link(target) => file.link = target.to_vec(),
                _ => return Err(path.error("a whiteout changes a long symbolic link")),
            }
        }
        Ok(file)
    }

    /// The inode at `path`.
    pub(crate) fn find(&self, path: &Path) -> Option<Number> {
        path.parts().iter().try_fold(ROOT, |at, name| self.child(at, name))
    }

    /// The names in the root.
    pub(crate) fn root(&self) -> impl Iterator<Item = &[u8]> {
        self.get(ROOT).into_iter().flat_map(|root| root.children.keys().map(|name| &**name))
    }

    /// Writes directories, inodes and all that describes the disk.
    pub(crate) fn finish(mut self) -> Result<B, LayerError> {
        let mut folders = vec![(ROOT, ROOT)];
        while let Some((folder, parent)) = folders.pop() {
            let inner = self.write_folder(folder, parent)?;
            folders.extend(inner.into_iter().rev().map(|child| (child, folder)));
        }
        for inode in self.inodes.iter().flatten().filter(|inode| inode.xattr_block != 0) {
            let block = inode.xattrs.as_deref().cloned().unwrap_or_default().block_bytes();
            self.disk.fill(inode.xattr_block, &block);
        }
        groups::write(&mut self.disk, &self.inodes)?;
        Ok(self.disk.into_inner())
    }

    /// Writes one directory; gives the directories in it.
    fn write_folder(&mut self, folder: Number, parent: Number) -> Result<Vec<Number>, LayerError> {
        let children = self.get_mut(folder).map(|f| std::mem::take(&mut f.children)).unwrap_or_default();
        let mut children: Vec<_> = children.into_iter().map(|(name, number)| (number, name)).collect();
        children.sort();
        let first = self.disk.block();
        let mut entries = Entries::new(&mut self.disk);
        let mut inner = Vec::new();
        entries.write(folder, DIRECTORY, b".")?;
        entries.write(parent, DIRECTORY, b"..")?;
        for (number, name) in children {
            let kind = self.inodes.get(number as usize - 1).and_then(Option::as_ref).map_or(0, Inode::kind);
            entries.write(number, kind, &name)?;
            if kind == DIRECTORY {
                inner.push(number);
            }
        }
        entries.finish()?;
        let size = u64::from(self.disk.block() - first) * BLOCK as u64;
        self.end_data(folder, first)?;
        if let Some(inode) = self.get_mut(folder) {
            inode.size = size;
        }
        Ok(inner)
    }

    fn create_any(&mut self, path: &Path, file: File) -> Result<Number, LayerError> {
        match self.folder_and_name(path)? {
            Some((folder, name)) => self.create_in(path, folder, name, file),
            None if file.mode & TYPE != DIRECTORY => Err(path.error(REPLACES_DIRECTORY)),
            None => self.set(path, Some(ROOT), file),
        }
    }

    fn create_in(&mut self, path: &Path, folder: Number, name: &[u8], file: File) -> Result<Number, LayerError> {
        let is_directory = file.mode & TYPE == DIRECTORY;
        let in_folder = self.get(folder).filter(|f| f.is_directory()).ok_or_else(|| path.error(NOT_FOUND))?.links;
        let existing = self.child(folder, name);
        let reuse = match existing.and_then(|n| self.get(n)) {
            Some(there) if there.is_directory() && !is_directory => return Err(path.error(REPLACES_DIRECTORY)),
            Some(there) if !there.is_directory() && is_directory => {
                return Err(path.error("it is a directory that replaces a file of this layer"));
            }
            // A file with other names goes on under these.
            Some(there) if there.is_directory() || there.links < 2 => existing,
            None if is_directory && in_folder >= MAX_LINKS => return Err(path.error(TOO_MANY_LINKS)),
            _ => None,
        };
        let number = self.set(path, reuse, file)?;
        if existing != Some(number) {
            if let Some(existing) = existing.and_then(|n| self.get_mut(n)) {
                existing.links -= 1;
            }
            self.put_child(folder, name, number);
            if let Some(inode) = self.get_mut(number) {
                inode.links += 1;
            }
            if let Some(folder) = self.get_mut(folder).filter(|_| is_directory) {
                folder.links += 1;
            }
        }
        Ok(number)
    }

    /// Gives an inode, new or `reuse`d, everything of `file`.
    fn set(&mut self, path: &Path, reuse: Option<Number>, mut file: File) -> Result<Number, LayerError> {
        if file.mode & TYPE == REGULAR && file.size > MAX_FILE {
            return Err(LayerError::TooLarge);
        }
        let (number, mut inode) = match reuse {
            Some(number) => (number, self.take(number).ok_or_else(|| path.error(NOT_FOUND))?),
            None if self.inodes.len() >= MAX_INODES => return Err(LayerError::TooManyFiles(MAX_INODES)),
            None => {
                self.inodes.push(None);
                // A directory is its own first link.
                let links = u32::from(file.mode & TYPE == DIRECTORY);
                (self.inodes.len() as Number, Inode { links, ..Inode::default() })
            }
        };
        if matches!(inode.content, Content::Extents(_)) {
            return Err(path.error("it replaces a file of this layer whose data are written already"));
        }
        if let Some(xattrs) = inode.xattrs.take() {
            for (name, value) in xattrs.read_inline() {
                file.xattrs.entry(name).or_insert(value);
            }
        }
        let xattrs = Xattrs::place(&file.xattrs).map_err(|what| path.error(what))?;
        if xattrs.needs_block() && inode.xattr_block == 0 {
            inode.xattr_block = self.disk.reserve()?;
            inode.blocks += 1;
        }
        inode.xattrs = (!xattrs.is_empty()).then(|| Box::new(xattrs));
        inode.mode = file.mode;
        (inode.uid, inode.gid) = (file.uid, file.gid);
        inode.accessed = encode(file.accessed);
        inode.changed = encode(file.changed);
        inode.modified = encode(file.modified);
        inode.born = encode(file.born);
        (inode.major, inode.minor) = (file.major, file.minor);
        inode.content = Content::Nothing;
        inode.size = match file.mode & TYPE {
            REGULAR => file.size,
            SYMLINK => file.link.len() as u64,
            _ => 0,
        };
        if let Some(place) = self.inodes.get_mut(number as usize - 1) {
            *place = Some(inode);
        }
        if file.mode & TYPE == SYMLINK {
            self.set_link(number, file.link)?;
        }
        Ok(number)
    }

    fn set_link(&mut self, number: Number, target: Vec<u8>) -> Result<(), LayerError> {
        let is_long = target.len() > SHORT_LINK;
        if let Some(inode) = self.get_mut(number) {
            inode.mode |= 0o777;
            if !is_long {
                inode.content = Content::Link(target.into());
                return Ok(());
            }
        }
        let first = self.disk.block();
        self.disk.write(&target)?;
        self.end_data(number, first)
    }

    /// Ends the data of an inode that began with block `first`.
    fn end_data(&mut self, number: Number, first: u32) -> Result<(), LayerError> {
        self.disk.pad()?;
        let count = self.disk.block() - first;
        let (extents, more) = extents::write(&mut self.disk, first, count)?;
        if let Some(inode) = self.get_mut(number) {
            inode.content = Content::Extents(Box::new(extents));
            inode.blocks += count + more;
        }
        Ok(())
    }

    /// The directory of a path that is not the root, and the name in it.
    fn folder_and_name<'p>(&self, path: &Path<'p>) -> Result<Option<(Number, &'p [u8])>, LayerError> {
        let Some((name, folders)) = path.parts().split_last() else { return Ok(None) };
        folders
            .iter()
            .try_fold(ROOT, |at, name| self.child(at, name))
            .filter(|folder| self.get(*folder).is_some_and(Inode::is_directory))
            .map(|folder| Some((folder, *name)))
            .ok_or_else(|| path.error(NOT_FOUND))
    }

    /// What a directory made on the way to something takes from the one it is in.
    fn file(&self, number: Number) -> Option<File> {
        let inode = self.get(number)?;
        Some(File {
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
            accessed: decode(inode.accessed),
            changed: decode(inode.changed),
            modified: decode(inode.modified),
            born: decode(inode.born),
            major: inode.major,
            minor: inode.minor,
            ..File::default()
        })
    }

    fn get(&self, number: Number) -> Option<&Inode> {
        self.inodes.get((number as usize).checked_sub(1)?)?.as_ref()
    }

    fn get_mut(&mut self, number: Number) -> Option<&mut Inode> {
        self.inodes.get_mut((number as usize).checked_sub(1)?)?.as_mut()
    }

    fn take(&mut self, number: Number) -> Option<Inode> {
        self.inodes.get_mut((number as usize).checked_sub(1)?)?.take()
    }

    fn child(&self, folder: Number, name: &[u8]) -> Option<Number> {
        self.get(folder)?.children.get(name).copied()
    }

    fn put_child(&mut self, folder: Number, name: &[u8], child: Number) {
        if let Some(folder) = self.get_mut(folder) {
            folder.children.insert(name.into(), child);
        }
    }
}

const NOT_FOUND: &str = "its folder is not a directory of this layer";
const REPLACES_DIRECTORY: &str = "it is a file that replaces a directory of this layer";
const ORPHAN: &str = "it is a hard link that replaces a file or directory of this layer";
const TOO_MANY_LINKS: &str = "its folder or its target would have more than 65,000 links";
