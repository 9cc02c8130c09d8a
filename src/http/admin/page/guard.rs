//! What keeps other sites away from the status page: the headers of its answers, and the look at those of requests.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{COOKIE, HOST, ORIGIN},
    },
    middleware::Next,
    response::Response,
};
use url::Url;

/// The name of the cookie.
const NAME: &str = "gitter_bridge_session";

/// Of each answer. Nothing is loaded but from here, nothing inline runs, and no page may hold this one in a frame.
/// `Referrer-Policy` is not `no-referrer`: with that, browsers hide the origin of forms, which is looked at below. To
/// other sites nothing is told either way.
const HEADERS: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-robots-tag", "noindex, nofollow"),
];

/// Adds the headers that an answer does not have already.
pub(super) async fn add_headers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}

/// Whether a form was sent by a page of this server, as far as the browser tells. Forms carry a token as well.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text(&HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    // Browsers tell the site only where the connection is safe.
    let Some(origin) = text(&ORIGIN) else {
        return true;
    };
    let host = text(&HeaderName::from_static("x-forwarded-host")).or_else(|| text(&HOST));
    let from = origin.parse::<Url>().ok();
    let from = from
        .as_ref()
        .map(|origin| &origin[url::Position::BeforeHost..url::Position::AfterPort]);
    from.is_some_and(|from| host.is_some_and(|host| host.eq_ignore_ascii_case(from)))
}

/// The session's cookie, where there is one.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let fields = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|field| field.to_str().ok());
    let mut pairs = fields
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == NAME).then_some(value))
}

/// Sets the cookie, or takes it back. Without a path it is for the folder of the request, so it works behind a proxy
/// that adds one.
pub(super) fn set_cookie(headers: &HeaderMap, value: &str, seconds: i64) -> String {
    let is_safe = headers
        .get("x-forwarded-proto")
        .is_some_and(|scheme| scheme == "https");
    let secure = if is_safe { "; Secure" } else { "" };
    format!("{NAME}={value}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        fields.collect()
    }

    #[test]
    fn forms_of_other_sites_are_told_apart() {
        for (fields, ours) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://a:1"),
                    ("host", "a:1"),
                ],
                false,
            ),
            (
                &[("origin", "http://127.0.0.1:29331"), ("host", "127.0.0.1:29331")],
                true,
            ),
            (
                &[("origin", "https://Bridge.example"), ("host", "bridge.example")],
                true,
            ),
            (
                &[
                    ("origin", "https://bridge.example"),
                    ("host", "inside:1"),
                    ("x-forwarded-host", "bridge.example"),
                ],
                true,
            ),
            (
                &[("origin", "http://127.0.0.1:1"), ("host", "127.0.0.1:29331")],
                false,
            ),
            (&[("origin", "null"), ("host", "a:1")], false),
            (&[("origin", "http://a:1")], false),
            (&[("host", "a:1")], true),
        ] {
            assert_eq!(is_same_origin(&headers(fields)), ours, "{fields:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let with = |text| headers(&[("cookie", text)]);
        assert_eq!(
            cookie(&with("a=b; gitter_bridge_session=1.2.x=; c=d")),
            Some("1.2.x=")
        );
        assert_eq!(cookie(&with("gitter_bridge_sessions=1")), None);
        assert_eq!(cookie(&HeaderMap::new()), None);
    }

    #[test]
    fn the_cookie_is_for_this_page_alone() {
        let plain = set_cookie(&HeaderMap::new(), "v", 60);
        assert_eq!(
            plain,
            "gitter_bridge_session=v; Max-Age=60; HttpOnly; SameSite=Strict"
        );
        let safe = set_cookie(&headers(&[("x-forwarded-proto", "https")]), "v", 60);
        assert_eq!(safe, format!("{plain}; Secure"));
    }
}
