//! Pages: a text that was cut, whole, and what is said where there is nothing to see.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// Why nothing is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The bridge did not make the link.
    Invalid,
    /// It was good once.
    Gone,
    /// There is no such file.
    Unknown,
    /// It is larger than `media.max_bytes`.
    TooLarge,
    /// Too many are reading.
    Busy,
    /// The homeserver does not give it.
    Homeserver,
    /// The database does not answer.
    Unavailable,
}

impl Refusal {
    const fn words(self) -> (StatusCode, &'static str) {
        match self {
            Self::Invalid => (StatusCode::FORBIDDEN, "This link is not valid."),
            Self::Gone => (
                StatusCode::GONE,
                "What was here has been taken back, or the link has expired.",
            ),
            Self::Unknown => (StatusCode::NOT_FOUND, "There is no such file."),
            Self::TooLarge => (StatusCode::FORBIDDEN, "The file is too large to be shown here."),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many are reading this now. Try again in a minute.",
            ),
            Self::Homeserver => (
                StatusCode::BAD_GATEWAY,
                "The Matrix homeserver does not give the file now. Try again later.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "This cannot be looked up now. Try again later.",
            ),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, words) = self.words();
        let mut answer = page(&format!("<p>{words}</p>"));
        *answer.status_mut() = status;
        let fields = answer.headers_mut();
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        fields.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        fields.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(super::POLICY),
        );
        if status == StatusCode::SERVICE_UNAVAILABLE {
            fields.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        answer
    }
}

/// A text that was cut, whole, exactly as it was written.
pub(super) fn full_text(text: &str) -> Response {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\0' => {}
            other => escaped.push(other),
        }
    }
    page(&format!("<pre>{escaped}</pre>"))
}

fn page(content: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\"><title>Gitter and Matrix</title>\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:45rem;margin:2rem auto;padding:0 1rem}}\
         pre{{font:inherit;white-space:pre-wrap;overflow-wrap:anywhere}}</style>{content}</html>\n"
    );
    let mut answer = Response::new(Body::from(html));
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    answer
}
