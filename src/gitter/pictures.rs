//! Fetches pictures of Gitter users. Their addresses come in messages, so they are only fetched from
//! listed hosts, also after redirects, within a size and a time, and only if they are pictures.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::redirect::{Attempt, Policy};
use url::Url;

/// The largest picture, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// The longest that fetching may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Hosts that Gitter's pictures are redirected to.
const KNOWN_HOSTS: [&str; 4] = [
    "avatars.githubusercontent.com",
    "secure.gravatar.com",
    "www.gravatar.com",
    "secure.gitlab.com",
];

/// The pixels asked for.
const PIXELS: &str = "128";

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its type, by its first bytes.
    pub content_type: &'static str,
}

/// Why a picture was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The address is not one of a listed host.
    #[error("pictures are not fetched from the host {0:?}")]
    Host(String),
    /// It could not be fetched.
    #[error("the picture could not be fetched: {0}")]
    Fetch(#[from] reqwest::Error),
    /// It is too large.
    #[error("the picture is larger than {LARGEST} bytes")]
    TooLarge,
    /// It is no PNG, JPEG, GIF or WebP.
    #[error("what was fetched is not a picture")]
    NotAPicture,
}

/// Fetches pictures from listed hosts.
#[derive(Debug, Clone)]
pub struct PictureClient {
    http: reqwest::Client,
    hosts: Vec<String>,
}

impl PictureClient {
    /// A client for the pictures of a Gitter server at these addresses.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new(sites: &[&Url]) -> Result<Self, reqwest::Error> {
        let hosts: Vec<String> = sites
            .iter()
            .filter_map(|site| site.host_str())
            .map(str::to_owned)
            .collect();
        let listed = hosts.clone();
        let follow = move |attempt: Attempt<'_>| {
            if attempt.previous().len() > 5 || !is_listed(&listed, attempt.url()) {
                attempt.stop()
            } else {
                attempt.follow()
            }
        };
        let http = reqwest::Client::builder()
            .redirect(Policy::custom(follow))
            .timeout(TIMEOUT)
            .user_agent(concat!("gitter-matrix-bridge/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, hosts })
    }

    /// Fetches a picture.
    pub async fn fetch(&self, url: &str) -> Result<Picture, PictureError> {
        let url = Url::parse(url).map_err(|_| PictureError::Host(url.to_owned()))?;
        if !is_listed(&self.hosts, &url) {
            return Err(PictureError::Host(url.host_str().unwrap_or_default().to_owned()));
        }
        let answer = self.http.get(url).send().await?.error_for_status()?;
        let mut bytes = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() > LARGEST {
                return Err(PictureError::TooLarge);
            }
        }
        let content_type = content_type(&bytes).ok_or(PictureError::NotAPicture)?;
        Ok(Picture { bytes, content_type })
    }
}

/// The address of a user's picture at a size fit for Matrix; addresses may be relative to the site.
pub fn picture_url(avatar_url: Option<&str>, avatar_url_medium: Option<&str>, site: &Url) -> Option<Url> {
    if let Some(medium) = avatar_url_medium.filter(|url| !url.is_empty()) {
        return site.join(medium).ok();
    }
    let mut url = site.join(avatar_url.filter(|url| !url.is_empty())?).ok()?;
    url.query_pairs_mut().append_pair("s", PIXELS);
    Some(url)
}

fn is_listed(hosts: &[String], url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    matches!(url.scheme(), "http" | "https")
        && (hosts.iter().any(|listed| listed == host)
            || KNOWN_HOSTS.contains(&host)
            || host
                .strip_suffix(".gitter.im")
                .is_some_and(|name| !name.is_empty())
            || host.ends_with(".githubusercontent.com"))
}

/// The type of a picture by its first bytes.
fn content_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Url {
        Url::parse("https://gitter.example.org/").unwrap()
    }

    #[test]
    fn relative_addresses_are_of_the_site() {
        let medium = picture_url(
            Some("https://a.example/x"),
            Some("/api/private/avatars/g/u/a_b"),
            &site(),
        );
        assert_eq!(
            medium.unwrap().as_str(),
            "https://gitter.example.org/api/private/avatars/g/u/a_b"
        );
        let sized = picture_url(Some("https://avatars-01.gitter.im/gh/uv/4/wren"), None, &site());
        assert_eq!(
            sized.unwrap().as_str(),
            "https://avatars-01.gitter.im/gh/uv/4/wren?s=128"
        );
        assert_eq!(picture_url(None, Some(""), &site()), None);
    }

    #[test]
    fn only_listed_hosts_are_asked() {
        let hosts = vec!["gitter.example.org".to_owned()];
        for (url, listed) in [
            ("https://gitter.example.org/a", true),
            ("https://avatars-02.gitter.im/a", true),
            ("https://gitter.im.evil.example/a", false),
            ("https://evilgitter.im/a", false),
            ("ftp://gitter.example.org/a", false),
            ("http://127.0.0.1/a", false),
        ] {
            assert_eq!(is_listed(&hosts, &Url::parse(url).unwrap()), listed, "{url}");
        }
    }

    #[test]
    fn a_page_is_not_a_picture() {
        assert_eq!(content_type(b"\x89PNG\r\n\x1a\n"), Some("image/png"));
        assert_eq!(content_type(b"<html>"), None);
        assert_eq!(content_type(b""), None);
    }
}
