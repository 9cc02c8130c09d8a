//! What values may be: a function for each kind, from a node of the file to a type.
//!
//! Each says what it takes in words that follow the key's name, and none repeats the value.

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;
use jiff::{Span, SpanRelativeTo};
use ruma::OwnedServerName;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{
    document::{Node, Value},
    section::{Folders, Refusal},
    sections::LogRotation,
};

/// Most characters of `appservice.public_url`, so that a signed link is no longer than translation counts.
pub const LONGEST_PUBLIC_URL: usize = 65;

/// Makes a value optional: none is given by `null`.
pub(super) fn optional<T>(
    read: impl Fn(&Node, &Folders) -> Result<T, Refusal>,
) -> impl Fn(&Node, &Folders) -> Result<Option<T>, Refusal> {
    move |node, folders| {
        if node.is_null() {
            Ok(None)
        } else {
            read(node, folders).map(Some)
        }
    }
}

/// A list of values, each on its line; `null` is the empty list.
pub(super) fn list<T>(
    read: impl Fn(&Node, &Folders) -> Result<T, Refusal>,
) -> impl Fn(&Node, &Folders) -> Result<Vec<T>, Refusal> {
    move |node, folders| match &node.value {
        Value::List(items) => items
            .iter()
            .map(|item| read(item, folders).map_err(|refusal| on_line(refusal, item.line)))
            .collect(),
        Value::Null => Ok(Vec::new()),
        _ => Err("must be a list, such as `[a, b]`".into()),
    }
}

/// Names the line of a part of a value, unless a part of that part was named already.
pub(super) fn on_line(refusal: Refusal, line: u64) -> Refusal {
    Refusal {
        line: refusal.line.or(Some(line).filter(|line| *line > 0)),
        ..refusal
    }
}

/// The characters of a scalar that is not empty, without blanks around them.
pub(super) fn scalar(node: &Node) -> Result<&str, Refusal> {
    match &node.value {
        Value::Text(text) if !text.trim().is_empty() => Ok(text.trim()),
        Value::Text(_) | Value::Null => Err("must not be empty".into()),
        Value::List(_) | Value::Map(_) => {
            Err("must be a single value; put it in quotes if it holds `{`, `[`, `: ` or ` #`".into())
        }
    }
}

/// The base of addresses of a service. Its path has no slash at the end (the root is `/`).
pub(super) fn web_address(node: &Node, _: &Folders) -> Result<Url, Refusal> {
    let mut url =
        Url::parse(scalar(node)?).map_err(|_| "must be an address such as `http://localhost:8008`")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with `http://` or `https://`".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not hold `?` or `#`".into());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The base of signed links, which is part of messages on Gitter and so must not be long.
pub(super) fn public_address(node: &Node, folders: &Folders) -> Result<Url, Refusal> {
    let url = web_address(node, folders)?;
    if url.as_str().trim_end_matches('/').len() > LONGEST_PUBLIC_URL {
        return Err(format!(
            "must not be longer than {LONGEST_PUBLIC_URL} characters, since it is part of every link in a message; \
             use a shorter host name or path"
        )
        .into());
    }
    Ok(url)
}

/// The name of a host, in lower case, maybe with a port.
pub(super) fn host(node: &Node, _: &Folders) -> Result<String, Refusal> {
    let text = scalar(node)?.to_lowercase();
    match Url::parse(&format!("http://{text}")) {
        Ok(url) if url.as_str() == format!("http://{text}/") => Ok(text),
        _ => Err("must be the name of a host such as `files.gitter.im`, without `https://`".into()),
    }
}

/// A Matrix server's name.
pub(super) fn server_name(node: &Node, _: &Folders) -> Result<OwnedServerName, Refusal> {
    scalar(node)?
        .try_into()
        .map_err(|_| "must be the server name in the homeserver's user ids, such as `example.org`".into())
}

/// An address to listen on.
pub(super) fn socket_address(node: &Node, _: &Folders) -> Result<SocketAddr, Refusal> {
    scalar(node)?
        .parse()
        .map_err(|_| "must be an IP address and a port, such as `127.0.0.1:29330`".into())
}

/// A path that starts from the folder of the configuration.
pub(super) fn path_beside_config(node: &Node, folders: &Folders) -> Result<PathBuf, Refusal> {
    Ok(join(&folders.config, scalar(node)?))
}

/// A path that starts from `data_dir`: that of a file which the bridge may write.
pub(super) fn path_in_data(node: &Node, folders: &Folders) -> Result<PathBuf, Refusal> {
    Ok(join(&folders.data, scalar(node)?))
}

/// Joins paths, without a `.` that says nothing.
pub(super) fn join(folder: &Path, path: &str) -> PathBuf {
    let joined = folder.join(path);
    let names = joined.components().filter(|part| *part != Component::CurDir);
    let short: PathBuf = names.collect();
    if short.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        short
    }
}

/// Whether something is done.
pub(super) fn switch(node: &Node, _: &Folders) -> Result<bool, Refusal> {
    match scalar(node)? {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be `true` or `false`".into()),
    }
}

/// A whole number within limits.
pub(super) fn number(limits: RangeInclusive<u32>) -> impl Fn(&Node, &Folders) -> Result<u32, Refusal> {
    move |node, _| {
        scalar(node)?
            .parse()
            .ok()
            .filter(|number| limits.contains(number))
            .ok_or_else(|| {
                format!(
                    "must be a whole number from {} to {}",
                    limits.start(),
                    limits.end()
                )
                .into()
            })
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(words: &[(&str, T)]) -> impl Fn(&Node, &Folders) -> Result<T, Refusal> {
    move |node, _| {
        let word = scalar(node)?;
        let found = words.iter().find(|(known, _)| *known == word);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(known, _)| format!("`{known}`")).collect();
            format!("must be {}", known.join(" or ")).into()
        })
    }
}

/// A length of time; a day is 24 hours.
pub(super) fn duration(node: &Node, _: &Folders) -> Result<Duration, Refusal> {
    scalar(node)?
        .parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "must be a length of time such as `90s`, `5m`, `24h` or `30d`".into())
}

/// A length of time, or `never`.
pub(super) fn duration_or_never(node: &Node, folders: &Folders) -> Result<Option<Duration>, Refusal> {
    if scalar(node)? == "never" {
        return Ok(None);
    }
    duration(node, folders)
        .map(Some)
        .map_err(|_| "must be `never` or a length of time such as `24h` or `30d`".into())
}

/// A number of bytes.
pub(super) fn byte_size(node: &Node, folders: &Folders) -> Result<u64, Refusal> {
    byte_size_or_none(node, folders).and_then(|bytes| {
        let refusal = "must be a number of bytes such as `500KiB`, `100MiB` or `1GiB`, and not 0";
        (bytes > 0).then_some(bytes).ok_or_else(|| refusal.into())
    })
}

/// A size that may be 0.
pub(super) fn byte_size_or_none(node: &Node, _: &Folders) -> Result<u64, Refusal> {
    scalar(node)?
        .parse::<ByteSize>()
        .ok()
        .map(|size| size.as_u64())
        .ok_or_else(|| "must be a number of bytes such as `500KiB`, `100MiB` or `1GiB`".into())
}

/// When a log file begins anew.
pub(super) fn log_rotation(node: &Node, folders: &Folders) -> Result<LogRotation, Refusal> {
    match scalar(node)? {
        "never" => Ok(LogRotation::Never),
        "daily" => Ok(LogRotation::Daily),
        _ => byte_size(node, folders)
            .map(LogRotation::Size)
            .map_err(|_| "must be `never`, `daily`, or a number of bytes such as `10MiB`, and not 0".into()),
    }
}

/// What is logged: a level, or `target=level`, or several of them with commas between.
pub(super) fn log_filter(node: &Node, _: &Folders) -> Result<String, Refusal> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let text = scalar(node)?;
    // The parser takes a word that is no level for the name of a target and then logs all of it.
    let is_directive =
        |part: &str| part.contains('=') || LEVELS.contains(&part.trim().to_lowercase().as_str());
    if text.split(',').all(is_directive) && EnvFilter::builder().parse(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err("must be `error`, `warn`, `info`, `debug` or `trace`, or a list such as `info,sqlx=warn`".into())
    }
}
