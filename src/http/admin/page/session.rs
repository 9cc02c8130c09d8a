//! Sessions of the status page: who has shown the admin token gets a signed cookie.
//!
//! Nothing is stored. The key comes from the admin token, so sessions outlive a restart, hold on every replica that has
//! the same token, and end with the token. Pure: times and chance come from the caller.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// How long a session lasts.
pub(super) const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// Separates the key from any other that the token may ever make, and the two things that are signed from each other.
const KEY: &[u8] = b"gitter-matrix-bridge status page key 1\0";
const COOKIE: &[u8] = b"cookie\0";
const FORM: &[u8] = b"form\0";

/// Makes sessions, and knows its own.
pub(super) struct Sessions {
    token: SecretString,
    key: [u8; 32],
}

/// A session that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// When it ends.
    pub(super) ends: Timestamp,
    /// What each form of this session carries, so that no other site's form is taken for one of ours.
    pub(super) form_token: String,
}

impl Sessions {
    pub(super) fn new(token: SecretString) -> Self {
        let key = sign(token.expose_secret().as_bytes(), KEY, "");
        Self { token, key }
    }

    /// Whether this is the admin token, in constant time.
    pub(super) fn is_token(&self, given: &str) -> bool {
        given
            .as_bytes()
            .ct_eq(self.token.expose_secret().as_bytes())
            .into()
    }

    /// The cookie of a new session; the number must not have been used before.
    pub(super) fn begin(&self, now: Timestamp, number: u128) -> String {
        let claims = format!("{}.{number:032x}", (now + LIFETIME).as_second());
        let signature = URL_SAFE_NO_PAD.encode(sign(&self.key, COOKIE, &claims));
        format!("{claims}.{signature}")
    }

    /// The session of a cookie, unless it is not ours or has ended.
    pub(super) fn find(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let (claims, signature) = cookie.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let is_ours: bool = sign(&self.key, COOKIE, claims).ct_eq(&signature).into();
        let (ends, _) = claims.split_once('.').filter(|_| is_ours)?;
        let ends = Timestamp::from_second(ends.parse().ok()?).ok()?;
        (ends > now).then(|| Session {
            ends,
            form_token: URL_SAFE_NO_PAD.encode(sign(&self.key, FORM, claims)),
        })
    }
}

impl Session {
    /// Whether a form is one of this session's, in constant time.
    pub(super) fn has_sent(&self, form_token: &str) -> bool {
        form_token.as_bytes().ct_eq(self.form_token.as_bytes()).into()
    }
}

fn sign(key: &[u8], domain: &[u8], text: &str) -> [u8; 32] {
    // Of a type that takes keys of any length, so there is always one.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mut signer| {
        signer.update(domain);
        signer.update(text.as_bytes());
        signer.finalize().into_bytes().into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(token: &str) -> Sessions {
        Sessions::new(token.to_owned().into())
    }

    #[test]
    fn a_session_holds_for_its_time_and_its_token_alone() {
        let (ours, now) = (sessions("secret"), Timestamp::UNIX_EPOCH);
        let cookie = ours.begin(now, 7);
        let session = ours.find(&cookie, now).unwrap();
        assert_eq!(session.ends, now + LIFETIME);
        assert_eq!(
            sessions("secret").find(&cookie, now),
            Some(session),
            "after a restart"
        );
        assert_eq!(ours.find(&cookie, now + LIFETIME), None, "at its end");
        assert_eq!(sessions("other").find(&cookie, now), None, "with another token");
        assert!(ours.is_token("secret") && !ours.is_token("secre") && !ours.is_token(""));
    }

    #[test]
    fn what_was_changed_is_not_ours() {
        let (ours, now) = (sessions("secret"), Timestamp::UNIX_EPOCH);
        let cookie = ours.begin(now, 7);
        let (ends, rest) = cookie.split_once('.').unwrap();
        let later = format!("{}.{rest}", ends.parse::<i64>().unwrap() + 1);
        let longer = format!("{cookie}A");
        for changed in [
            later.as_str(),
            &longer,
            &cookie[1..],
            "",
            ".",
            "a.b.c",
            "9999999999.0.",
        ] {
            assert_eq!(ours.find(changed, now), None, "{changed}");
        }
    }

    #[test]
    fn forms_are_of_one_session() {
        let (ours, now) = (sessions("secret"), Timestamp::UNIX_EPOCH);
        let [one, other] = [1, 2].map(|number| ours.find(&ours.begin(now, number), now).unwrap());
        assert!(one.has_sent(&one.form_token));
        for wrong in [other.form_token.as_str(), "", "x"] {
            assert!(!one.has_sent(wrong));
        }
    }
}
