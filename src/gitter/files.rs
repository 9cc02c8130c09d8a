//! Fetches files that people uploaded to Gitter. Their addresses come in messages, so they are only fetched
//! from the listed hosts, also after redirects, within a size and a time, into a file that has no name.

use std::{
    fs::File,
    io::{Seek as _, SeekFrom},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt as _;
use reqwest::{
    header::CONTENT_TYPE,
    redirect::{Attempt, Policy},
};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt as _,
    sync::Semaphore,
    time::{error::Elapsed, timeout},
};
use url::Url;

use super::{USER_AGENT, public_names::PublicNames};

/// Files fetched at once.
const TRANSFERS: usize = 4;

/// The longest pause, also before the beginning, and the longest that all of a file may take.
const STALL_TIMEOUT: Duration = Duration::from_secs(20);
const WHOLE_TIMEOUT: Duration = Duration::from_mins(15);

/// Most redirects.
const REDIRECTS: usize = 5;

/// Bytes at the beginning of a file that tell its type.
const HEAD: usize = 8 * 1024;

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its host, or one that it redirects to, is not listed.
    #[error("files are not fetched from {0:?}, which gitter.files_hosts does not list")]
    Host(String),
    /// It could not be fetched.
    #[error("the file could not be fetched: {}", with_cause(.0))]
    Fetch(#[from] reqwest::Error),
    /// The server is too slow.
    #[error("the file's server stalled")]
    Stalled(#[from] Elapsed),
    /// The server has no such file.
    #[error("the file's server answered {0}")]
    Status(http::StatusCode),
    /// It is too large.
    #[error("the file is larger than media.max_bytes, {0} bytes")]
    TooLarge(u64),
    /// It could not be kept meanwhile.
    #[error("the file could not be written to the folder for temporary files: {0}")]
    Disk(#[from] std::io::Error),
}

impl FileError {
    /// Whether it may work later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Host(_) | Self::TooLarge(_) => false,
            Self::Status(status) => status.is_server_error() || status.as_u16() == 429,
            Self::Fetch(error) => !error.is_redirect(),
            Self::Stalled(_) | Self::Disk(_) => true,
        }
    }
}

/// The innermost cause, which is the one that says something.
fn with_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// A fetched file. Nothing of it is left on the disk once this is dropped.
#[derive(Debug)]
pub struct FetchedFile {
    /// Its bytes, from the beginning.
    pub file: File,
    /// How many.
    pub length: u64,
    /// Its type, by its bytes, or as its server says where these tell nothing and it is no picture or recording.
    pub content_type: String,
    /// Width and height of a picture.
    pub dimensions: Option<(usize, usize)>,
}

impl FetchedFile {
    /// `m.image`, `m.video`, `m.audio` or `m.file`.
    pub fn message_type(&self) -> &'static str {
        match self.content_type.split('/').next() {
            Some("image") if self.dimensions.is_some() => "m.image",
            Some("video") => "m.video",
            Some("audio") => "m.audio",
            _ => "m.file",
        }
    }

    /// What a message with this file has beside its `body`, `filename` and `url`: `msgtype` and `info`.
    pub fn content(&self) -> Value {
        let info = match self.dimensions {
            None => json!({ "mimetype": self.content_type, "size": self.length }),
            Some((width, height)) => {
                json!({ "mimetype": self.content_type, "size": self.length, "w": width, "h": height })
            }
        };
        json!({ "msgtype": self.message_type(), "info": info })
    }
}

/// Fetches files from listed hosts. Clones share the limit of transfers.
#[derive(Debug, Clone)]
pub struct FileClient {
    http: reqwest::Client,
    hosts: Arc<[String]>,
    max_bytes: u64,
    longest_pause: Duration,
    transfers: Arc<Semaphore>,
}

impl FileClient {
    /// With `gitter.files_hosts` and `media.max_bytes`.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new(hosts: &[String], max_bytes: u64) -> Result<Self, reqwest::Error> {
        let hosts: Arc<[String]> = hosts.into();
        let listed = Arc::clone(&hosts);
        let follow = move |attempt: Attempt<'_>| {
            if attempt.previous().len() > REDIRECTS {
                attempt.error("too many redirects")
            } else if is_listed(&listed, attempt.url()) {
                attempt.follow()
            } else {
                attempt.error("it redirects to a host that gitter.files_hosts does not list")
            }
        };
        let http = reqwest::Client::builder()
            .redirect(Policy::custom(follow))
            .dns_resolver(Arc::new(PublicNames))
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .timeout(WHOLE_TIMEOUT)
            .user_agent(USER_AGENT)
            .build()?;
        Ok(Self {
            http,
            hosts,
            max_bytes,
            longest_pause: STALL_TIMEOUT,
            transfers: Arc::new(Semaphore::new(TRANSFERS)),
        })
    }

    /// Gives a server up that pauses for longer than this within a file, or before it.
    #[must_use]
    pub fn with_longest_pause(mut self, longest_pause: Duration) -> Self {
        self.longest_pause = longest_pause;
        self
    }

    /// Fetches a file.
    pub async fn fetch(&self, url: &Url) -> Result<FetchedFile, FileError> {
        if !is_listed(&self.hosts, url) {
            return Err(FileError::Host(url.host_str().unwrap_or_default().to_owned()));
        }
        // The semaphore is never closed.
        let _place = self.transfers.acquire().await.ok();
        let answer = timeout(self.longest_pause, self.http.get(url.clone()).send()).await?;
        let answer = answer.map_err(reqwest::Error::without_url)?;
        if !answer.status().is_success() {
            return Err(FileError::Status(answer.status()));
        }
        if answer
            .content_length()
            .is_some_and(|length| length > self.max_bytes)
        {
            return Err(FileError::TooLarge(self.max_bytes));
        }
        let declared = answer.headers().get(CONTENT_TYPE);
        let declared = declared.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let declared = declared.to_owned();

        let mut head = Vec::new();
        let mut length = 0_u64;
        let mut file = tokio::fs::File::from_std(tempfile::tempfile()?);
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = timeout(self.longest_pause, chunks.next()).await? {
            let chunk = chunk.map_err(reqwest::Error::without_url)?;
            length = length.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if length > self.max_bytes {
                return Err(FileError::TooLarge(self.max_bytes));
            }
            head.extend(chunk.iter().take(HEAD.saturating_sub(head.len())));
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        let file = file.into_std().await;
        tokio::task::spawn_blocking(move || describe(file, length, &head, &declared))
            .await
            .map_err(std::io::Error::other)?
            .map_err(FileError::Disk)
    }
}

pub(super) fn describe(
    mut file: File,
    length: u64,
    head: &[u8],
    declared: &str,
) -> std::io::Result<FetchedFile> {
    let content_type = content_type(head, declared);
    let dimensions = if content_type.starts_with("image/") {
        file.seek(SeekFrom::Start(0))?;
        let size = imagesize::reader_size(std::io::BufReader::new(&mut file)).ok();
        size.map(|size| (size.width, size.height))
    } else {
        None
    };
    file.seek(SeekFrom::Start(0))?;
    Ok(FetchedFile {
        file,
        length,
        content_type,
        dimensions,
    })
}

/// The type of a file by its first bytes. What these do not tell is as declared, unless that would have it shown.
fn content_type(head: &[u8], declared: &str) -> String {
    let declared = declared.split(';').next().unwrap_or_default();
    let declared = declared.trim().to_ascii_lowercase();
    if let Some(sniffed) = infer::get(head) {
        let sniffed = sniffed.mime_type();
        // Containers that hold sound alone look like those of films.
        let container = sniffed.strip_prefix("video/");
        if container.is_some_and(|container| declared.strip_prefix("audio/") == Some(container)) {
            return declared;
        }
        return sniffed.to_owned();
    }
    let is_shown = ["image/", "video/", "audio/"]
        .iter()
        .any(|kind| declared.starts_with(kind));
    let is_type = declared.split('/').filter(|part| !part.is_empty()).count() == 2;
    if is_type && !is_shown {
        declared
    } else {
        "application/octet-stream".to_owned()
    }
}

/// Whether a file may be fetched from an address: its host, with the port unless that is the usual one, is listed.
fn is_listed(hosts: &[String], url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let place = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && hosts.contains(&place)
}

#[cfg(test)]
mod tests;
