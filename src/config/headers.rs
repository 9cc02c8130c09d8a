//! Headers of HTTP requests in a file of their own, since their values are secrets.

use std::{fs, path::PathBuf};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    document::Node,
    section::{Folders, Refusal},
    value::path_beside_config,
};

/// A file with headers, and what it held.
#[derive(Debug, Clone)]
pub struct HeaderFile {
    /// The file.
    pub path: PathBuf,
    /// What it held, marked as sensitive.
    pub headers: HeaderMap,
}

/// Reads the name of a file, and the headers in it: `Name: value`, one a line, lines that begin with `#` aside.
pub(super) fn header_file(node: &Node, folders: &Folders) -> Result<HeaderFile, Refusal> {
    let path = path_beside_config(node, folders)?;
    let text = fs::read_to_string(&path).map_err(|error| {
        let path = path.display();
        format!("names the file {path}, which cannot be read: {error}")
    })?;
    let mut headers = HeaderMap::new();
    for (line, number) in text.lines().map(str::trim).zip(1_u64..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = header(line).ok_or_else(|| {
            let path = path.display();
            format!(
                "names the file {path}, whose line {number} is no header such as `Authorization: Bearer ...`"
            )
        })?;
        headers.append(name, value);
    }
    Ok(HeaderFile { path, headers })
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}
