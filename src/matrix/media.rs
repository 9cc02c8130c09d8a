//! Files of the homeserver, streamed both ways: never whole in memory.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{
    Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use ruma::{MxcUri, OwnedMxcUri, UserId};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use super::{
    Endpoint, MatrixClient, MatrixError,
    transport::{unreadable, unwritable},
};

/// The longest wait for the beginning of a file; the homeserver may have to fetch it from another.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(45);

/// The longest pause within a file.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that one file may take.
const WHOLE_TIMEOUT: Duration = Duration::from_hours(2);

/// How a small picture is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThumbnailSize {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Whether it is cut to these proportions.
    pub crop: bool,
}

/// A file that begins to come.
#[derive(Debug)]
pub struct Download {
    /// Its type, as the homeserver says; empty if it does not.
    pub content_type: String,
    /// Its length in bytes, where the homeserver says.
    pub length: Option<u64>,
    response: reqwest::Response,
}

impl Download {
    /// Its bytes. A pause of more than 30 seconds is an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, MatrixError>> + Send {
        let endpoint = Endpoint::Download;
        let chunks = Box::pin(self.response.bytes_stream());
        futures_util::stream::unfold(Some(chunks), move |chunks| async move {
            let mut chunks = chunks?;
            match timeout(STALL_TIMEOUT, chunks.next()).await {
                Ok(None) => None,
                Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(chunks))),
                Ok(Some(Err(source))) => {
                    let source = source.without_url();
                    Some((Err(MatrixError::Interrupted { endpoint, source }), None))
                }
                Err(_) => Some((Err(unreadable(endpoint, "it stalled")), None)),
            }
        })
    }
}

#[derive(Deserialize)]
struct Uploaded {
    content_uri: OwnedMxcUri,
}

impl MatrixClient {
    /// Begins to fetch a file, with the bridge's token.
    pub async fn download(&self, file: &MxcUri) -> Result<Download, MatrixError> {
        let url = self.media_url(Endpoint::Download, &["v1", "media", "download"], file)?;
        self.fetch(Endpoint::Download, url).await
    }

    /// Begins to fetch a small picture of a file.
    pub async fn thumbnail(&self, file: &MxcUri, size: ThumbnailSize) -> Result<Download, MatrixError> {
        let mut url = self.media_url(Endpoint::Thumbnail, &["v1", "media", "thumbnail"], file)?;
        url.query_pairs_mut()
            .append_pair("width", &size.width.to_string())
            .append_pair("height", &size.height.to_string())
            .append_pair("method", if size.crop { "crop" } else { "scale" });
        self.fetch(Endpoint::Thumbnail, url).await
    }

    /// Uploads a file as a user, as it is read. Its length must be right.
    pub async fn upload_stream(
        &self,
        user: &UserId,
        body: impl Into<reqwest::Body>,
        length: u64,
        content_type: &str,
        file_name: &str,
    ) -> Result<OwnedMxcUri, MatrixError> {
        let endpoint = Endpoint::Upload;
        let mut url = self.url_of(endpoint, "/_matrix/media/v3/upload")?;
        url.query_pairs_mut()
            .append_pair("filename", file_name)
            .append_pair("user_id", user.as_str());
        let request = self
            .transport()
            .request(Method::POST, url)
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, length)
            .timeout(WHOLE_TIMEOUT)
            .body(body);
        let (status, headers, body) = self.transport().answer(endpoint, request).await?;
        if !status.is_success() {
            return Err(MatrixError::from_answer(endpoint, status, &headers, &body));
        }
        let uploaded: Uploaded =
            serde_json::from_slice(&body).map_err(|source| unreadable(endpoint, source))?;
        Ok(uploaded.content_uri)
    }

    fn url_of(&self, endpoint: Endpoint, path: &str) -> Result<Url, MatrixError> {
        let url = format!("{}{path}", self.transport().base_url());
        Url::parse(&url).map_err(|source| unwritable(endpoint, source))
    }

    fn media_url(&self, endpoint: Endpoint, path: &[&str], file: &MxcUri) -> Result<Url, MatrixError> {
        let (server, id) = file
            .parts()
            .map_err(|_| unwritable(endpoint, "the file's mxc address is not valid"))?;
        let mut url = self.url_of(endpoint, "/_matrix/client")?;
        url.path_segments_mut()
            .map_err(|()| unwritable(endpoint, "homeserver.url is not a base of addresses"))?
            .extend(path)
            .extend([server.as_str(), id]);
        Ok(url)
    }

    async fn fetch(&self, endpoint: Endpoint, url: Url) -> Result<Download, MatrixError> {
        let request = self.transport().request(Method::GET, url).timeout(WHOLE_TIMEOUT);
        let response = timeout(BEGIN_TIMEOUT, self.transport().begin(endpoint, request))
            .await
            .map_err(|_| unreadable(endpoint, "it did not begin in time"))??;
        let header = response.headers().get(CONTENT_TYPE);
        let content_type = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Download {
            content_type: content_type.to_owned(),
            length: response.content_length(),
            response,
        })
    }
}
