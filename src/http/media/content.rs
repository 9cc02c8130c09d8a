//! How a file is offered to a browser: as what type, under what name, and which part of it.

use http::HeaderValue;

/// Types that a browser may show itself: none of them runs anything (client-server API, "Serving inline content",
/// without those that only programs read).
const SHOWN: [&str; 24] = [
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/apng",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mp4",
    "audio/webm",
    "audio/aac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wave",
    "audio/wav",
    "audio/x-wav",
    "audio/x-pn-wav",
    "audio/flac",
    "audio/x-flac",
    "text/plain",
    "text/csv",
    "text/markdown",
];

/// Words in types that browsers run or draw: their files are sent as plain bytes.
const ACTIVE: [&str; 6] = ["html", "svg", "xml", "script", "multipart", "wasm"];

/// The most characters of a file's name.
const NAME_CHARACTERS: usize = 120;

/// The type that a file is sent as, and whether it may be shown rather than saved.
pub(super) fn content_type(declared: &str) -> (String, bool) {
    let essence = declared.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let is_token = |text: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-+._".contains(&byte);
        !text.is_empty() && text.len() < 100 && text.bytes().all(fits)
    };
    if SHOWN.contains(&essence.as_str()) {
        let text = if essence.starts_with("text/") {
            format!("{essence}; charset=utf-8")
        } else {
            essence
        };
        return (text, true);
    }
    let is_type = essence
        .split_once('/')
        .is_some_and(|(kind, rest)| is_token(kind) && is_token(rest));
    if is_type && !ACTIVE.iter().any(|word| essence.contains(word)) {
        (essence, false)
    } else {
        ("application/octet-stream".to_owned(), false)
    }
}

/// `Content-Disposition`, with the name in both forms (RFC 6266, RFC 5987).
pub(super) fn disposition(shown: bool, name: &str) -> HeaderValue {
    let kind = if shown { "inline" } else { "attachment" };
    let name = safe_name(name);
    let plain: String = name
        .chars()
        .map(|it| {
            if it.is_ascii() && !"\"\\%;".contains(it) {
                it
            } else {
                '_'
            }
        })
        .collect();
    let encoded = name.bytes().fold(String::new(), |encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded + &char::from(byte).to_string()
        } else {
            encoded + &format!("%{byte:02X}")
        }
    });
    let value = format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// A name that is no path, hides nothing, and does not turn the direction of text.
fn safe_name(name: &str) -> String {
    let turns = |it: char| matches!(it, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let mut characters: Vec<char> = name
        .chars()
        .filter(|it| !it.is_control() && !turns(*it))
        .map(|it| if "/\\:*?\"<>|".contains(it) { '_' } else { it })
        .collect();
    // The end says what a file is.
    let surplus = characters.len().saturating_sub(NAME_CHARACTERS);
    characters.drain(..surplus);
    let safe: String = characters.into_iter().collect();
    let safe = safe.trim_matches([' ', '.']);
    if safe.is_empty() { "file" } else { safe }.to_owned()
}

/// What is asked for of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All.
    Whole,
    /// From this byte to that one, both included.
    Bytes(u64, u64),
    /// Nothing that there is.
    Unsatisfiable,
}

/// Reads a `Range` of one part; several parts, or what cannot be read, are answered with all (RFC 9110, 14.2).
pub(super) fn part(range: Option<&str>, length: u64) -> Part {
    let Some((first, last)) = range
        .and_then(|range| range.trim().strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Part::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let end = length.saturating_sub(1);
    let asked = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(end)),
        (Ok(first), Err(_)) if last.is_empty() => (first, end),
        (Err(_), Ok(count)) if first.is_empty() => match count {
            0 => return Part::Unsatisfiable,
            count => (length.saturating_sub(count), end),
        },
        _ => return Part::Whole,
    };
    if asked.0 >= length {
        Part::Unsatisfiable
    } else {
        Part::Bytes(asked.0, asked.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_run_is_never_shown() {
        for (declared, sent, shown) in [
            ("image/png", "image/png", true),
            ("IMAGE/PNG; a=b", "image/png", true),
            ("text/plain", "text/plain; charset=utf-8", true),
            ("application/pdf", "application/pdf", false),
            ("text/html", "application/octet-stream", false),
            ("image/svg+xml", "application/octet-stream", false),
            ("text/javascript", "application/octet-stream", false),
            ("application/xhtml+xml", "application/octet-stream", false),
            ("", "application/octet-stream", false),
            ("a/b\r\nc: d", "application/octet-stream", false),
        ] {
            assert_eq!(content_type(declared), (sent.to_owned(), shown), "{declared}");
        }
    }

    #[test]
    fn odd_names_are_safe() {
        for (name, header) in [
            (
                "a](b) ..\\ü.txt",
                "attachment; filename=\"a](b) ..__.txt\"; filename*=UTF-8''a%5D%28b%29%20.._%C3%BC.txt",
            ),
            (
                "../../etc/passwd",
                "attachment; filename=\"_.._etc_passwd\"; filename*=UTF-8''_.._etc_passwd",
            ),
            (
                "a\"; x=\r\nSet-Cookie: b",
                "attachment; filename=\"a__ x=Set-Cookie_ b\"; filename*=UTF-8''a_%3B%20x%3DSet-Cookie_%20b",
            ),
            ("", "attachment; filename=\"file\"; filename*=UTF-8''file"),
            (
                "gnp\u{202e}.exe",
                "attachment; filename=\"gnp.exe\"; filename*=UTF-8''gnp.exe",
            ),
        ] {
            assert_eq!(disposition(false, name).to_str().unwrap(), header);
        }
        assert!(disposition(true, &"ü".repeat(5_000)).len() < 1_000);
    }

    #[test]
    fn ranges_are_read() {
        for (range, expected) in [
            (None, Part::Whole),
            (Some("bytes=0-3"), Part::Bytes(0, 3)),
            (Some("bytes=4-"), Part::Bytes(4, 9)),
            (Some("bytes=-3"), Part::Bytes(7, 9)),
            (Some("bytes=-30"), Part::Bytes(0, 9)),
            (Some("bytes=2-100"), Part::Bytes(2, 9)),
            (Some("bytes=10-"), Part::Unsatisfiable),
            (Some("bytes=-0"), Part::Unsatisfiable),
            (Some("bytes=3-2"), Part::Whole),
            (Some("bytes=0-1,3-4"), Part::Whole),
            (Some("lines=0-1"), Part::Whole),
        ] {
            assert_eq!(part(range, 10), expected, "{range:?}");
        }
        assert_eq!(part(Some("bytes=0-"), 0), Part::Unsatisfiable);
    }
}
