//! The URLs of Gitter's image proxy (camo): `<base>/<HMAC-SHA1 of the URL, hex>/<the URL's bytes, hex>`
//! (gitter-api 2.2). Pure.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Makes and reads the proxy's URLs.
#[derive(Clone)]
pub(crate) struct ImageProxy {
    base: String,
    secret: [u8; 20],
}

impl ImageProxy {
    /// A proxy at `base`, without a slash at the end.
    pub(crate) fn new(base: String, secret: [u8; 20]) -> Self {
        Self { base, secret }
    }

    /// The URL that stands for another.
    pub(crate) fn proxied(&self, url: &str) -> String {
        format!("{}/{}/{}", self.base, self.digest(url), hex(url.as_bytes()))
    }

    /// The URL that the two last parts of a proxy's URL stand for, if the digest is right.
    pub(crate) fn original(&self, digest: &str, hex: &str) -> Option<String> {
        let digits = hex.as_bytes().chunks(2).map(|digits| {
            let digits = str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        let url = String::from_utf8(digits.collect::<Option<_>>()?).ok()?;
        (self.digest(&url) == digest).then_some(url)
    }

    fn digest(&self, url: &str) -> String {
        // Any length of key will do for HMAC.
        let mac = Hmac::<Sha1>::new_from_slice(&self.secret);
        mac.map(|mac| hex(&mac.chain_update(url).finalize().into_bytes()))
            .unwrap_or_default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_back_only_with_its_own_digest() {
        let proxy = ImageProxy::new("http://localhost/camo".to_owned(), *b"01234567890123456789");
        let url = proxy.proxied("http://e.org/a?b&c");
        let [hex, digest] = [0, 1].map(|place| url.rsplit('/').nth(place).unwrap());
        assert_eq!(proxy.original(digest, hex).as_deref(), Some("http://e.org/a?b&c"));
        assert_eq!(proxy.original("0", hex), None);
        assert_eq!(proxy.original(digest, "zz"), None);
    }
}
