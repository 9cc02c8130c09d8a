//! The folder of copies: each file begins with a line of its own, and has the name of its id. Blocking.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    time::SystemTime,
};

use tempfile::NamedTempFile;
use tracing::warn;

use crate::ids::MediaId;

/// The most bytes of the first line.
const LONGEST_HEADER: u64 = 512;

/// The first line of a copy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The length of what follows.
    pub(super) length: u64,
    /// The type that the homeserver said.
    pub(super) content_type: String,
}

impl Header {
    pub(super) fn new(length: u64, content_type: &str) -> Self {
        let fits = content_type.len() < 256 && !content_type.contains(char::is_control);
        Self {
            length,
            content_type: if fits { content_type } else { "" }.to_owned(),
        }
    }

    pub(super) fn line(&self) -> String {
        format!("{} {}\n", self.length, self.content_type)
    }

    /// The bytes before the copy.
    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.line().len()).unwrap_or(u64::MAX)
    }

    fn parse(line: &str) -> Option<Self> {
        let (length, content_type) = line.strip_suffix('\n')?.split_once(' ')?;
        Some(Self {
            length: length.parse().ok()?,
            content_type: content_type.to_owned(),
        })
    }
}

/// Opens a copy at its beginning, and notes that it is read now.
pub(super) fn read(path: &Path) -> io::Result<(File, Header)> {
    let (mut file, header) = look(path)?;
    file.seek(SeekFrom::Start(header.size()))?;
    // The order of reading outlives the process as far as the file system lets it.
    file.set_modified(SystemTime::now()).ok();
    Ok((file, header))
}

fn look(path: &Path) -> io::Result<(File, Header)> {
    let file = File::open(path)?;
    let mut line = String::new();
    BufReader::new((&file).take(LONGEST_HEADER)).read_line(&mut line)?;
    let header = Header::parse(&line).filter(|header| {
        let size = header.size().checked_add(header.length);
        file.metadata().is_ok_and(|found| Some(found.len()) == size)
    });
    let header = header.ok_or_else(|| io::Error::other("it is not whole"))?;
    Ok((file, header))
}

/// A file that goes unless it gets its place.
pub(super) fn make_file(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".part-").tempfile_in(folder)
}

/// Finds the copies with their sizes, the one read last at the end. What is no whole copy goes; without `keep`, all.
pub(super) fn open(folder: &Path, keep: bool) -> io::Result<Vec<(MediaId, u64)>> {
    if !keep {
        return match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Vec::new()),
        };
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match copy_at(&path) {
            Some(copy) => found.push(copy),
            None => {
                if let Err(error) = fs::remove_file(&path) {
                    warn!(file = %path.display(), error = %error, "This is no copy of a file, and cannot be deleted");
                }
            }
        }
    }
    found.sort_by_key(|(modified, ..)| *modified);
    Ok(found.into_iter().map(|(_, id, size)| (id, size)).collect())
}

fn copy_at(path: &Path) -> Option<(SystemTime, MediaId, u64)> {
    let id = path.file_name()?.to_str()?.parse().ok()?;
    let (file, _) = look(path).ok()?;
    let found = file.metadata().ok()?;
    Some((found.modified().ok()?, id, found.len()))
}
