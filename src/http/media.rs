//! `GET` and `HEAD /media/{signed}`: what signed links lead to, for readers without a Matrix account.
//!
//! A link decides nothing beyond what it names: whether that may be seen stands in the database. Files are
//! streamed from the homeserver with the bridge's token, and never held whole.

mod content;
mod copy;
mod decrypt;
#[cfg(fuzzing)]
pub mod fuzzing;
mod page;
mod transfer;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
    routing::get,
};
use jiff::Timestamp;
use ruma::MxcUri;
use tracing::{error, warn};

use self::{
    content::Part,
    copy::Copying,
    decrypt::Decryption,
    page::Refusal,
    transfer::{Place, Plan, Transfers},
};
use crate::{
    cache::{Cache, Copy},
    ids::MediaPurpose,
    matrix::{Download, MatrixClient, MatrixError, ThumbnailSize},
    media::{LinkError, PROOF, Signer},
    store::{self, Db, Media, MediaState},
};

/// Nothing that a file holds may run, load anything, or be framed.
const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'; \
                      frame-ancestors 'none'";

/// How large pictures in messages are, and pictures of people.
const PICTURE: ThumbnailSize = ThumbnailSize {
    width: 800,
    height: 600,
    crop: false,
};
const AVATAR: ThumbnailSize = ThumbnailSize {
    width: 128,
    height: 128,
    crop: true,
};

/// What the endpoint needs.
#[derive(Debug, Clone)]
pub struct MediaEndpoint {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Db,
    matrix: MatrixClient,
    signer: Arc<Signer>,
    max_bytes: u64,
    cache: Arc<Cache>,
    transfers: Transfers,
}

/// Where a file comes from.
enum Origin {
    /// The disk.
    Copy(Copy),
    /// The homeserver; whether a copy of it serves as well next time.
    Homeserver(Download, bool),
}

impl MediaEndpoint {
    /// With `media.max_bytes`, and the cache of this process.
    pub fn new(db: Db, matrix: MatrixClient, signer: Arc<Signer>, max_bytes: u64, cache: Arc<Cache>) -> Self {
        let transfers = Transfers::new();
        let inner = Inner {
            db,
            matrix,
            signer,
            max_bytes,
            cache,
            transfers,
        };
        Self {
            inner: Arc::new(inner),
        }
    }
}

/// The endpoint, at the root and under a path: proxies may take the path of `appservice.public_url` off or not.
pub fn router(state: MediaEndpoint, prefix: &str) -> Router {
    let media = Router::new()
        .route("/media/{signed}", get(show))
        .with_state(state);
    at_both_places(media.merge(health()), prefix)
}

/// Only what the doctor asks for, for a bridge that does not run.
pub fn health_router(prefix: &str) -> Router {
    at_both_places(health(), prefix)
}

fn health() -> Router {
    Router::new().route("/media/health", get(|| async { PROOF }))
}

fn at_both_places(router: Router, prefix: &str) -> Router {
    let prefix = prefix.trim_end_matches('/');
    if prefix.is_empty() || prefix.contains(['{', '}']) {
        return router;
    }
    router.clone().nest(prefix, router)
}

async fn show(
    State(MediaEndpoint { inner }): State<MediaEndpoint>,
    Path(signed): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let media = inner.find(&signed).await?;
    let tag = format!("\"{}\"", media.id.as_str());
    if is_known(&headers, &tag) {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        add_common_headers(&mut answer, &tag);
        return Ok(answer);
    }
    let mut answer = if media.purpose == MediaPurpose::FullText {
        page::full_text(&media.body)
    } else {
        inner.file(&media, &tag, &method, &headers).await?
    };
    add_common_headers(&mut answer, &tag);
    Ok(answer)
}

impl Inner {
    /// What a link leads to, if it is one of ours and may be seen.
    async fn find(&self, signed: &str) -> Result<Media, Refusal> {
        let now = Timestamp::now().as_second();
        let claims = self.signer.read(signed, now).map_err(|error| match error {
            LinkError::Invalid => Refusal::Invalid,
            LinkError::Expired => Refusal::Gone,
        })?;
        let broken = |failure| {
            error!(error = %failure, "A link to media could not be looked up");
            Refusal::Unavailable
        };
        let mut tx = self.db.read().await.map_err(broken)?;
        let found = store::media::by_id(&mut tx, &claims.id).await.map_err(broken)?;
        let media = found
            .filter(|media| media.purpose == claims.purpose)
            .ok_or(Refusal::Unknown)?;
        match media.state {
            MediaState::Live => Ok(media),
            MediaState::Suspended | MediaState::Revoked => {
                // Another process may have ended it.
                self.cache.remove(&[media.id]).await;
                Err(Refusal::Gone)
            }
        }
    }

    async fn file(
        &self,
        media: &Media,
        tag: &str,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let place = self.transfers.place(&media.id).await.ok_or(Refusal::Busy)?;
        let origin = self.origin(media).await?;
        let length = origin.length();
        if length.is_some_and(|length| length > self.max_bytes) {
            return Err(Refusal::TooLarge);
        }
        let decryption = decryption(media)?;
        let declared = if decryption.is_some() {
            &media.content_type
        } else {
            origin.content_type()
        };
        let (content_type, shown) = content::content_type(declared);
        let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
        let same = headers.get(header::IF_RANGE).is_none_or(|value| value == tag);
        let range = range.filter(|_| same && decryption.is_none() && method == Method::GET);
        let part = length.map_or(Part::Whole, |length| content::part(range, length));

        let mut answer = Response::new(Body::empty());
        let mut plan = Plan {
            skip: 0,
            take: length.unwrap_or(self.max_bytes),
            is_part: false,
            decryption,
            copying: None,
        };
        let fields = answer.headers_mut();
        set(fields, header::CONTENT_TYPE, &content_type);
        fields.insert(
            header::CONTENT_DISPOSITION,
            content::disposition(shown, &media.file_name),
        );
        if plan.decryption.is_none() && length.is_some() {
            fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        if let Some(length) = length {
            let status = lay_out(fields, &mut plan, part, length);
            *answer.status_mut() = status;
            if status == StatusCode::RANGE_NOT_SATISFIABLE {
                return Ok(answer);
            }
        }
        if method == Method::GET {
            *answer.body_mut() = self.body(place, plan, origin, media).await?;
        }
        Ok(answer)
    }

    /// What is sent of a file. From the homeserver it comes from its beginning on; from the disk, what is asked for.
    async fn body(
        &self,
        place: Place,
        mut plan: Plan,
        origin: Origin,
        media: &Media,
    ) -> Result<Body, Refusal> {
        match origin {
            Origin::Copy(copy) => {
                let first = std::mem::take(&mut plan.skip);
                let file = copy::read(copy, first).await.map_err(|failure| {
                    error!(media.id = media.id.as_str(), error = %failure, "A copy of a file cannot be read");
                    Refusal::Unavailable
                })?;
                Ok(transfer::body(place, plan, file))
            }
            Origin::Homeserver(download, may_be_kept) => {
                if let Some(length) = download.length.filter(|_| may_be_kept) {
                    let kind = &download.content_type;
                    plan.copying = Copying::begin(&self.cache, &self.db, &media.id, length, kind).await;
                }
                Ok(transfer::body(place, plan, download.into_stream()))
            }
        }
    }

    async fn origin(&self, media: &Media) -> Result<Origin, Refusal> {
        if let Some(copy) = self.cache.get(&media.id).await {
            return Ok(Origin::Copy(copy));
        }
        self.download(media).await.map_err(|failure| {
            warn!(media.id = media.id.as_str(), error = %failure, "A file could not be had of the homeserver");
            match failure.status() {
                Some(StatusCode::NOT_FOUND) => Refusal::Unknown,
                _ => Refusal::Homeserver,
            }
        })
    }

    /// Begins to fetch. Where no small picture can be had, the whole one serves this time.
    async fn download(&self, media: &Media) -> Result<Origin, MatrixError> {
        let file = <&MxcUri>::from(media.mxc.as_str());
        let size = match media.purpose {
            MediaPurpose::Thumbnail if media.encryption.is_empty() => PICTURE,
            MediaPurpose::Avatar => AVATAR,
            _ => return Ok(Origin::Homeserver(self.matrix.download(file).await?, true)),
        };
        match self.matrix.thumbnail(file, size).await {
            Err(error) if error.status().is_some_and(|status| status.as_u16() != 429) => {
                Ok(Origin::Homeserver(self.matrix.download(file).await?, false))
            }
            answer => Ok(Origin::Homeserver(answer?, true)),
        }
    }
}

impl Origin {
    const fn length(&self) -> Option<u64> {
        match self {
            Self::Copy(copy) => Some(copy.length),
            Self::Homeserver(download, _) => download.length,
        }
    }

    fn content_type(&self) -> &str {
        match self {
            Self::Copy(copy) => &copy.content_type,
            Self::Homeserver(download, _) => &download.content_type,
        }
    }
}

/// Says in headers which part of a file is sent, and plans it.
fn lay_out(fields: &mut HeaderMap, plan: &mut Plan, part: Part, length: u64) -> StatusCode {
    match part {
        Part::Whole => {
            set(fields, header::CONTENT_LENGTH, &length.to_string());
            StatusCode::OK
        }
        Part::Bytes(first, last) => {
            plan.skip = first;
            plan.take = last - first + 1;
            plan.is_part = true;
            set(fields, header::CONTENT_LENGTH, &plan.take.to_string());
            set(
                fields,
                header::CONTENT_RANGE,
                &format!("bytes {first}-{last}/{length}"),
            );
            StatusCode::PARTIAL_CONTENT
        }
        Part::Unsatisfiable => {
            set(fields, header::CONTENT_RANGE, &format!("bytes */{length}"));
            StatusCode::RANGE_NOT_SATISFIABLE
        }
    }
}

fn decryption(media: &Media) -> Result<Option<Decryption>, Refusal> {
    if media.encryption.is_empty() {
        return Ok(None);
    }
    let decryption = Decryption::new(&media.encryption);
    decryption.map(Some).ok_or(Refusal::Unknown)
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    known.is_some_and(|known| {
        known
            .split(',')
            .map(|known| known.trim().trim_start_matches("W/"))
            .any(|known| known == tag || known == "*")
    })
}

fn add_common_headers(answer: &mut Response, tag: &str) {
    let fields = answer.headers_mut();
    set(fields, header::ETAG, tag);
    for (name, value) in [
        (header::CACHE_CONTROL, "private, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    // Gitter's page is on another site and shows pictures.
    fields.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
}

fn set(fields: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        fields.insert(name, value);
    }
}
