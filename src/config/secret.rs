//! Secrets in files of their own: read, or made where there is none yet.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

use super::{
    document::Node,
    section::{Folders, Refusal},
    value::{path_beside_config, scalar},
};

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file does not hold exactly one secret.
    #[error("{path} must hold the secret in one line and nothing else", path = path.display())]
    NotOneLine {
        /// The file.
        path: PathBuf,
    },
    /// The file does not hold secrets, one a line.
    #[error("{path} must hold at least one secret, each on a line of its own", path = path.display())]
    NotOneALine {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A secret and the file it was read from, to be read again when the file changes.
#[derive(Debug, Clone)]
pub struct SecretFile {
    /// The file.
    pub path: PathBuf,
    /// What it held; `None` only for a configuration that may wait for it.
    pub secret: Option<SecretString>,
}

/// Reads the secret of a file, without the blanks and line ends around it.
pub fn read(path: &Path) -> Result<SecretString, SecretError> {
    let text = fs::read_to_string(path).map_err(|source| SecretError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let secret = text.trim();
    if secret.is_empty() || secret.contains(char::is_whitespace) {
        return Err(SecretError::NotOneLine {
            path: path.to_owned(),
        });
    }
    Ok(secret.to_owned().into())
}

/// Reads the secret of a file; where there is none, makes one and the file, readable by its owner alone.
pub fn read_or_make(path: &Path) -> Result<SecretString, SecretError> {
    match fs::exists(path) {
        Ok(false) => {}
        _ => return read(path),
    }
    let secret = random();
    match write_private(path, &format!("{secret}\n"), Existing::Keep) {
        // Somebody else was faster: that one counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(source) => Err(SecretError::Unwritable {
            path: path.to_owned(),
            source,
        }),
        Ok(()) => Ok(secret.into()),
    }
}

/// Reads secrets, one a line, lines that begin with `#` aside; where there is no file, makes one with one secret.
pub fn read_or_make_list(path: &Path) -> Result<Vec<SecretString>, SecretError> {
    if matches!(fs::exists(path), Ok(false)) {
        return read_or_make(path).map(|secret| vec![secret]);
    }
    let text = fs::read_to_string(path).map_err(|source| SecretError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let lines = text.lines().map(str::trim);
    let secrets: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    if secrets.is_empty() || secrets.iter().any(|secret| secret.contains(char::is_whitespace)) {
        return Err(SecretError::NotOneALine {
            path: path.to_owned(),
        });
    }
    Ok(secrets.into_iter().map(SecretString::from).collect())
}

/// 256 bits from the operating system's generator, as 43 characters that are safe in URLs and headers.
pub(crate) fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// What becomes of a file that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and the error kind is `AlreadyExists`.
    Keep,
    /// It is replaced.
    Replace,
}

/// Writes a file with mode 0600, whole or not at all. Of a symbolic link, what it leads to is written.
pub(crate) fn write_private(path: &Path, text: &str, existing: Existing) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match existing {
        Existing::Keep => file.persist_noclobber(&path)?,
        Existing::Replace => file.persist(&path)?,
    };
    Ok(())
}

/// Whether a file of a secret is not there, or has nothing in it yet.
pub fn is_absent(path: &Path) -> bool {
    match fs::read_to_string(path) {
        Ok(text) => text.trim().is_empty(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Reads a secret that stands in the configuration itself.
pub(super) fn secret(node: &Node, _: &Folders) -> Result<SecretString, Refusal> {
    let text = scalar(node)?;
    if text.contains(char::is_whitespace) {
        return Err("must be one word without blanks".into());
    }
    Ok(text.to_owned().into())
}

/// Reads the name of a file, and the secret in it.
pub(super) fn secret_file(node: &Node, folders: &Folders) -> Result<SecretFile, Refusal> {
    let path = path_beside_config(node, folders)?;
    match read(&path) {
        Ok(secret) => Ok(SecretFile {
            path,
            secret: Some(secret),
        }),
        Err(_) if folders.may_lack_secrets && is_absent(&path) => Ok(SecretFile { path, secret: None }),
        Err(SecretError::Unreadable { source, .. }) => Err(format!(
            "names the file {}, which cannot be read: {source}",
            path.display()
        )
        .into()),
        Err(error) => Err(format!("is not usable: {error}").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        let made = read_or_make(&path).unwrap();
        assert_eq!(made.expose_secret().len(), 43);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_or_make(&path).unwrap().expose_secret(), made.expose_secret());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_is_trimmed_and_must_be_one_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "  abc\r\n\n").unwrap();
        assert_eq!(read(&path).unwrap().expose_secret(), "abc");
        for text in ["", "\n", "S3CRET\nother\n", "S3CRET other"] {
            fs::write(&path, text).unwrap();
            let message = read_or_make(&path).unwrap_err().to_string();
            assert!(
                message.contains("token must hold the secret in one line"),
                "{message}"
            );
            assert!(!message.contains("S3CRET"), "{message}");
        }
    }

    #[test]
    fn several_secrets_stand_one_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("media.key");
        assert_eq!(read_or_make_list(&path).unwrap().len(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "# in use\nnew\n\n  old \r\n").unwrap();
        let secrets = read_or_make_list(&path).unwrap();
        let secrets: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(secrets, ["new", "old"]);
        for text in ["", "# nothing\n", "two S3CRET\n"] {
            fs::write(&path, text).unwrap();
            let message = read_or_make_list(&path).unwrap_err().to_string();
            assert!(message.contains("at least one secret") && !message.contains("S3CRET"));
        }
    }

    #[test]
    fn two_that_make_a_secret_at_once_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("media.key");
        fs::write(&path, "first").unwrap();
        let error = write_private(&path, "second", Existing::Keep).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_or_make(&path).unwrap().expose_secret(), "first");
    }
}
