//! A log file that begins anew once a day or when it is large, with some of the older ones kept: `bridge.log.1` is the
//! newest of them. Whatever hinders that, lines go on into the file that is there.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::config::LogRotation;

/// The file that is written to.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    rotation: LogRotation,
    kept: u32,
    /// Its size, and the day (UTC) that its last line is of.
    size: u64,
    day: Date,
}

impl LogFile {
    /// Opens the file, to go on with what is in it.
    pub(super) fn open(path: &Path, rotation: LogRotation, kept: u32) -> io::Result<Self> {
        let file = open(path)?;
        let known = file.metadata()?;
        let day = known
            .modified()
            .ok()
            .and_then(|time| Timestamp::try_from(time).ok());
        Ok(Self {
            path: path.to_owned(),
            file,
            rotation,
            kept,
            size: known.len(),
            day: day.map_or_else(today, day_of),
        })
    }

    /// Whether a line is to be the first of a new file.
    fn is_full(&self, line: u64, today: Date) -> bool {
        self.size > 0
            && match self.rotation {
                LogRotation::Never => false,
                LogRotation::Daily => self.day < today,
                LogRotation::Size(largest) => self.size + line > largest,
            }
    }

    /// Moves the file and those before it on by one, and begins anew.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.kept).rev() {
            move_if_there(&self.older(number), &self.older(number + 1))?;
        }
        // Somebody may have taken it away, or an earlier try went this far.
        move_if_there(&self.path, &self.older(1))?;
        self.file = open(&self.path)?;
        Ok(())
    }

    /// The name of an older file; 1 is the newest of them.
    fn older(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Write for LogFile {
    /// Takes whole lines, so that none is cut by a new file.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let (length, today) = (u64::try_from(line.len()).unwrap_or(u64::MAX), today());
        if self.is_full(length, today) {
            // What fails is tried again when as much was written once more; a line is worth more than a new file.
            let _ = self.rotate();
            self.size = 0;
        }
        self.day = today;
        let written = self.file.write(line)?;
        self.size += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn move_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a file to append to, for its owner alone: it tells who says what where. Appended to, so that it may be cut by
/// others.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

fn today() -> Date {
    day_of(Timestamp::now())
}

fn day_of(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder, and a log file in it.
    fn log(rotation: LogRotation, kept: u32) -> (tempfile::TempDir, LogFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = LogFile::open(&folder.path().join("bridge.log"), rotation, kept).unwrap();
        (folder, file)
    }

    /// The files of a folder, with what they hold.
    fn files(folder: &tempfile::TempDir) -> Vec<(String, String)> {
        let mut found: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        found.sort();
        found
    }

    fn named(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        owned.collect()
    }

    #[test]
    fn a_large_file_begins_anew_and_some_older_ones_are_kept() {
        let (folder, mut file) = log(LogRotation::Size(8), 2);
        for line in ["one\n", "two\n", "three\n", "a line that is too long\n", "five\n"] {
            file.write_all(line.as_bytes()).unwrap();
        }
        let expected = [
            ("bridge.log", "five\n"),
            ("bridge.log.1", "a line that is too long\n"),
            ("bridge.log.2", "three\n"),
        ];
        assert_eq!(files(&folder), named(&expected));
        // A new process goes on where the one before it was.
        let path = folder.path().join("bridge.log");
        let mut file = LogFile::open(&path, LogRotation::Size(8), 2).unwrap();
        file.write_all(b"6\n").unwrap();
        file.write_all(b"seven\n").unwrap();
        let expected = [
            ("bridge.log", "seven\n"),
            ("bridge.log.1", "five\n6\n"),
            ("bridge.log.2", "a line that is too long\n"),
        ];
        assert_eq!(files(&folder), named(&expected));
    }

    #[test]
    fn a_file_of_another_day_begins_anew() {
        let (folder, mut file) = log(LogRotation::Daily, 7);
        file.write_all(b"today\n").unwrap();
        file.day = file.day.yesterday().unwrap();
        file.write_all(b"the next day\n").unwrap();
        file.write_all(b"later\n").unwrap();
        let expected = [
            ("bridge.log", "the next day\nlater\n"),
            ("bridge.log.1", "today\n"),
        ];
        assert_eq!(files(&folder), named(&expected));
    }

    #[test]
    fn without_rotation_there_is_one_file() {
        let (folder, mut file) = log(LogRotation::Never, 7);
        file.day = file.day.yesterday().unwrap();
        for _ in 0..100 {
            file.write_all(b"a line\n").unwrap();
        }
        assert_eq!(files(&folder), named(&[("bridge.log", &"a line\n".repeat(100))]));
    }

    #[test]
    fn lines_go_on_where_nothing_can_be_moved() {
        let (folder, mut file) = log(LogRotation::Size(4), 1);
        file.write_all(b"one\n").unwrap();
        fs::create_dir(folder.path().join("bridge.log.1")).unwrap();
        file.write_all(b"two\n").unwrap();
        let text = fs::read_to_string(folder.path().join("bridge.log")).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn a_file_that_somebody_took_away_begins_anew() {
        let (folder, mut file) = log(LogRotation::Size(4), 2);
        file.write_all(b"one\n").unwrap();
        fs::remove_file(folder.path().join("bridge.log")).unwrap();
        file.write_all(b"two\n").unwrap();
        assert_eq!(files(&folder), named(&[("bridge.log", "two\n")]));
    }
}
