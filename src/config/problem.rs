//! What is wrong with a configuration, said to the person who wrote it.

use std::{fmt, io, path::PathBuf};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration {path} ({mend})",
        path = std::path::absolute(path).as_ref().unwrap_or(path).display(),
        mend = match source.kind() {
            io::ErrorKind::NotFound => "write one with `gitter-matrix-bridge init`, or name another with -c",
            io::ErrorKind::PermissionDenied => "give the bridge's user the right to read it, or name another with -c",
            _ => "name another with -c",
        }
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file, or a variable of the environment, says something unusable.
    #[error("the configuration cannot be used:{}", listed(.0))]
    Problems(Vec<Problem>),
}

/// One thing to mend in a configuration or a registration. It never repeats a value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file and line, or the variable of the environment, that it is about.
    pub place: String,
    /// The key, with the names of its sections before it; empty where the whole file is meant.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(formatter, "{}: {}", self.place, self.message)
        } else {
            write!(formatter, "{}: {} {}", self.place, self.key, self.message)
        }
    }
}

impl std::error::Error for Problem {}

/// The problems, each on a line of its own.
pub(crate) fn listed(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    lines.concat()
}
