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
fn private_addresses_are_known() {
    for private in [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
    ] {
        assert!(is_private(private.parse().unwrap()), "{private}");
    }
    for public in ["1.1.1.1", "100.63.0.1", "172.32.0.1", "2606:4700::1111"] {
        assert!(!is_private(public.parse().unwrap()), "{public}");
    }
    assert!(is_public_service("files.gitter.im") && is_public_service("b.s3.amazonaws.com"));
    assert!(!is_public_service("notgitter.im") && !is_public_service("files.gitter.corp"));
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
