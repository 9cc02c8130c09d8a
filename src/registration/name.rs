//! The bot's name, as the homeserver and the bridge have it.

use ruma::{OwnedUserId, UserId};

/// The homeserver has another name for the bot than the bridge: what the bridge does as the bot or a ghost would be
/// refused, or be done as somebody else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the homeserver knows the bridge as {there}, but here it is {here}")]
pub struct OtherName {
    here: OwnedUserId,
    there: OwnedUserId,
}

impl OtherName {
    /// Compares the name that the registration and `homeserver.server_name` make with the one that the homeserver tells,
    /// if it does.
    ///
    /// # Errors
    /// When they differ.
    pub fn check(here: &UserId, there: Option<OwnedUserId>) -> Result<(), Self> {
        match there {
            Some(there) if there != here => Err(Self {
                here: here.to_owned(),
                there,
            }),
            _ => Ok(()),
        }
    }

    /// What to do about it.
    pub fn mend(&self) -> String {
        let renew =
            "run `gitter-matrix-bridge registration`, copy the file to the homeserver and restart that";
        if self.here.server_name() == self.there.server_name() {
            return format!("the homeserver has an older registration: {renew}");
        }
        format!(
            "set homeserver.server_name to {} (it is not always the host's name), {renew}",
            self.there.server_name()
        )
    }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn what_differs_is_named_with_its_mend() {
        let here = user_id!("@gitterbot:example.org");
        OtherName::check(here, Some(here.to_owned())).unwrap();
        OtherName::check(here, None).unwrap();

        let there = user_id!("@gitterbot:matrix.example.org").to_owned();
        let moved = OtherName::check(here, Some(there)).unwrap_err();
        assert!(
            moved
                .to_string()
                .contains("as @gitterbot:matrix.example.org, but")
        );
        assert!(moved.mend().contains("server_name to matrix.example.org "));

        let there = user_id!("@bot:example.org").to_owned();
        let renamed = OtherName::check(here, Some(there)).unwrap_err();
        assert!(
            renamed
                .mend()
                .starts_with("the homeserver has an older registration")
        );
    }
}
