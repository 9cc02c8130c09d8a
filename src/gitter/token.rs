//! The account's token, which may be refused and replaced while the bridge runs.
//!
//! All who send it share one, so that what Gitter says of it to one is known to all. It reads no file and asks nobody.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;
use tracing::error;

/// A token; cloning gives another handle to the same.
#[derive(Debug, Clone)]
pub struct Token {
    state: watch::Sender<State>,
}

#[derive(Debug, Clone)]
struct State {
    secret: SecretString,
    refused_at: Option<Timestamp>,
}

impl From<SecretString> for Token {
    fn from(secret: SecretString) -> Self {
        let (state, _) = watch::channel(State {
            secret,
            refused_at: None,
        });
        Self { state }
    }
}

impl Token {
    /// One of which it is not known whether Gitter takes it: nobody is alarmed if it does not.
    pub fn untried(secret: SecretString) -> Self {
        let token = Self::from(secret);
        token
            .state
            .send_modify(|state| state.refused_at = Some(Timestamp::now()));
        token
    }

    /// The token to send now.
    pub fn secret(&self) -> SecretString {
        self.state.borrow().secret.clone()
    }

    /// Since when Gitter refuses it; `None` as long as it does not.
    pub fn refused_at(&self) -> Option<Timestamp> {
        self.state.borrow().refused_at
    }

    /// Whether Gitter refuses it.
    pub fn is_refused(&self) -> bool {
        self.refused_at().is_some()
    }

    /// Takes this one instead, or the same once more: it is not refused.
    pub fn replace(&self, secret: SecretString) {
        self.state.send_replace(State {
            secret,
            refused_at: None,
        });
    }

    /// Notes that Gitter has refused what was sent, and says so once; nothing for one that was replaced meanwhile.
    pub(super) fn refused(&self, sent: &SecretString, login_required: bool) {
        let is_news = self.state.send_if_modified(|state| {
            let is_news = state.refused_at.is_none() && is_same(&state.secret, sent);
            if is_news {
                state.refused_at = Some(Timestamp::now());
            }
            is_news
        });
        if is_news {
            error!(
                login_required,
                "Gitter refuses the account's token; nothing is sent to Gitter until it takes one. Put a valid one into \
                 gitter.token_file: it is read again without a restart. Where Gitter requires a login it has destroyed \
                 all tokens of the account, and its owner signs in on Gitter first"
            );
        }
    }

    /// Tells of every change from now on.
    pub(super) fn changes(&self) -> watch::Receiver<impl Sized + use<>> {
        self.state.subscribe()
    }
}

/// Whether two secrets are the same; both are the bridge's own, so how long it takes tells nobody anything.
pub fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_that_was_sent_is_refused() {
        let token = Token::from(SecretString::from("one"));
        let (one, two) = (token.secret(), SecretString::from("two"));
        token.replace(two.clone());
        token.refused(&one, false);
        assert!(
            !token.is_refused(),
            "it was replaced while the request was under way"
        );
        token.refused(&two, true);
        assert!(token.is_refused());
        token.replace(two);
        assert!(!token.is_refused(), "Gitter takes it again");
        assert!(!format!("{token:?}").contains("two"));
    }
}
