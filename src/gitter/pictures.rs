//! Fetches pictures of Gitter users. Their addresses come in messages, so they are only fetched from
//! listed hosts and ports, also after redirects, within a size and a time, and only if they are pictures.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use reqwest::redirect::{Attempt, Policy};
use url::Url;

use super::{USER_AGENT, public_names::PublicNames};

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
    sites: Arc<[Site]>,
}

/// A Gitter server's host, and its port unless that is the usual one.
#[derive(Debug, PartialEq, Eq)]
struct Site {
    host: String,
    port: Option<u16>,
}

impl PictureClient {
    /// A client for the pictures of a Gitter server at these addresses.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new(sites: &[&Url]) -> Result<Self, reqwest::Error> {
        let sites: Arc<[Site]> = sites
            .iter()
            .filter_map(|site| {
                Some(Site {
                    host: site.host_str()?.to_owned(),
                    port: site.port(),
                })
            })
            .collect();
        let listed = Arc::clone(&sites);
        let follow = move |attempt: Attempt<'_>| {
            if attempt.previous().len() > 5 || !is_listed(&listed, attempt.url()) {
                attempt.stop()
            } else {
                attempt.follow()
            }
        };
        let http = reqwest::Client::builder()
            .redirect(Policy::custom(follow))
            .dns_resolver(Arc::new(PublicNames))
            .no_proxy()
            .timeout(TIMEOUT)
            .user_agent(USER_AGENT)
            .build()?;
        Ok(Self { http, sites })
    }

    /// Fetches a picture.
    pub async fn fetch(&self, url: &str) -> Result<Picture, PictureError> {
        let url = Url::parse(url).map_err(|_| PictureError::Host(url.to_owned()))?;
        if !is_listed(&self.sites, &url) {
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

/// Whether a picture may be fetched from an address. Of the Gitter server's own host no other service is asked.
fn is_listed(sites: &[Site], url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let is_known = KNOWN_HOSTS.contains(&host)
        || host
            .strip_suffix(".gitter.im")
            .is_some_and(|name| !name.is_empty())
        || host.ends_with(".githubusercontent.com");
    let port = url.port();
    let is_site = |site: &Site| site.host == host && port == site.port;
    matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && (sites.iter().any(is_site) || (is_known && port.is_none()))
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
    use axum::{Router, response::Redirect, routing::get};
    use tokio::net::TcpListener;

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
        let sites = ["gitter.example.org", "localhost:5000"].map(|place| {
            let url = Url::parse(&format!("http://{place}/")).unwrap();
            Site {
                host: url.host_str().unwrap().to_owned(),
                port: url.port(),
            }
        });
        for (url, listed) in [
            ("https://gitter.example.org/a", true),
            ("http://localhost:5000/a", true),
            ("https://avatars-02.gitter.im/a", true),
            ("https://avatars-02.gitter.im:8443/a", false),
            ("https://gitter.im.evil.example/a", false),
            ("https://evilgitter.im/a", false),
            ("ftp://gitter.example.org/a", false),
            ("https://user@gitter.example.org/a", false),
            ("https://gitter.example.org:22/a", false),
            ("http://localhost:6379/a", false),
            ("http://localhost/a", false),
            ("http://127.0.0.1/a", false),
        ] {
            assert_eq!(is_listed(&sites, &Url::parse(url).unwrap()), listed, "{url}");
        }
    }

    #[tokio::test]
    async fn a_redirect_leads_to_no_other_service() {
        rustls::crypto::ring::default_provider().install_default().ok();
        let serve = async |router: Router| {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let place = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, router).await });
            format!("http://{place}/picture")
        };
        let picture = get(|| async { b"\x89PNG\r\n\x1a\n".as_slice() });
        let inside = serve(Router::new().route("/picture", picture.clone())).await;
        let leads = Redirect::temporary(&inside);
        let site = serve(
            Router::new()
                .route("/own", picture)
                .route("/picture", get(move || async move { leads })),
        )
        .await;
        let client = PictureClient::new(&[&Url::parse(&site).unwrap()]).unwrap();
        let own = client.fetch(&site.replace("/picture", "/own")).await;
        assert_eq!(own.unwrap().content_type, "image/png");
        let refused = client.fetch(&site).await;
        assert!(matches!(refused, Err(PictureError::NotAPicture)), "{refused:?}");
        let refused = client.fetch(&inside).await;
        assert!(matches!(refused, Err(PictureError::Host(_))), "{refused:?}");
    }

    #[test]
    fn a_page_is_not_a_picture() {
        assert_eq!(content_type(b"\x89PNG\r\n\x1a\n"), Some("image/png"));
        assert_eq!(content_type(b"<html>"), None);
        assert_eq!(content_type(b""), None);
    }
}
