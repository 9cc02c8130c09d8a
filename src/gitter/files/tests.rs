//! What is fetched from where, and what it is taken for.

use super::*;

#[test]
fn only_listed_hosts_are_asked() {
    let hosts = ["files.gitter.im".to_owned(), "127.0.0.1:5000".to_owned()];
    for (url, listed) in [
        ("https://files.gitter.im/5f/Ab12/a.png", true),
        ("https://files.gitter.im:443/org/repo/Ab12/a.png", true),
        ("http://127.0.0.1:5000/5f/Ab12/a.png", true),
        ("http://127.0.0.1/a", false),
        ("http://127.0.0.1:22/a", false),
        ("https://files.gitter.im:8443/a", false),
        ("https://files.gitter.im.evil.example/a", false),
        ("https://files.gitter.im@evil.example/a", false),
        ("https://user@files.gitter.im/a", false),
        ("ftp://files.gitter.im/a", false),
        ("http://[::1]:5000/a", false),
        ("http://2130706433:5000/a", true),
    ] {
        assert_eq!(is_listed(&hosts, &Url::parse(url).unwrap()), listed, "{url}");
    }
}

#[test]
fn bytes_count_more_than_what_a_server_says() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    for (head, declared, found) in [
        (&png[..], "application/pdf", "image/png"),
        (b"%PDF-1.7", "image/png", "application/pdf"),
        (b"plain words", "image/png", "application/octet-stream"),
        (b"plain words", "text/plain; charset=utf-8", "text/plain"),
        (b"<!DOCTYPE html><p>", "image/png", "text/html"),
        (
            b"MZ\x90",
            "image/gif",
            "application/vnd.microsoft.portable-executable",
        ),
        (b"plain words", "", "application/octet-stream"),
        (b"", "image/png", "application/octet-stream"),
    ] {
        assert_eq!(content_type(head, declared), found, "{declared}");
    }
}
