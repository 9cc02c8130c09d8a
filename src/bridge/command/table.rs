//! The table of commands: their names, what they do, and who may use them. `help` and docs/commands.md come from it.

use std::fmt::Write as _;

use super::{Asking, links::room_address};
use crate::translate::command::PREFIX;

/// Which command it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Help,
    Ping,
    Status,
    Why,
    OptOut,
    OptIn,
    Settings,
    Pause,
    Resume,
    Failed,
    Retry,
    Link,
    Unlink,
}

/// Who may use a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Whoever is in the room.
    Everyone,
    /// Those with the power to change the room's state, and admins of the bridge.
    Moderators,
}

/// A command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    /// What may stand behind the name.
    pub(super) arguments: &'static str,
    pub(super) help: &'static str,
    pub(super) who: Who,
}

/// All commands, in the order of `help`.
pub(super) const TABLE: [Entry; 13] = [
    entry(
        Kind::Help,
        "help",
        "",
        "shows the commands that you may use here",
        Who::Everyone,
    ),
    entry(
        Kind::Status,
        "status",
        "",
        "says with which Gitter room this room is linked, and whether all crosses",
        Who::Everyone,
    ),
    entry(
        Kind::Ping,
        "ping",
        "",
        "measures the way to Gitter and back",
        Who::Everyone,
    ),
    entry(
        Kind::Why,
        "why",
        "[event]",
        "says what became of a message: reply to it with this, or give its link or id",
        Who::Everyone,
    ),
    entry(
        Kind::OptOut,
        "optout",
        "",
        "keeps what you say in Matrix: nothing of yours goes to Gitter, in any room",
        Who::Everyone,
    ),
    entry(
        Kind::OptIn,
        "optin",
        "",
        "lets what you say go to Gitter again",
        Who::Everyone,
    ),
    entry(
        Kind::Settings,
        "settings",
        "[name value]",
        "shows what is set for this room, or sets it (`default`: as the bridge's configuration says)",
        Who::Moderators,
    ),
    entry(
        Kind::Pause,
        "pause",
        "",
        "stops everything between the two rooms; what is said meanwhile waits",
        Who::Moderators,
    ),
    entry(
        Kind::Resume,
        "resume",
        "",
        "goes on after a pause, or after what stopped the bridge here was mended",
        Who::Moderators,
    ),
    entry(
        Kind::Failed,
        "failed",
        "",
        "lists what did not cross and could be tried again",
        Who::Moderators,
    ),
    entry(
        Kind::Retry,
        "retry",
        "[id]",
        "tries again what has failed: one of the list, or all",
        Who::Moderators,
    ),
    entry(
        Kind::Link,
        "link",
        "<group/room>",
        "links this room with a Gitter room; who is no admin of the bridge needs an admin of the Gitter room, who posts \
         a code there",
        Who::Moderators,
    ),
    entry(
        Kind::Unlink,
        "unlink",
        "[group/room]",
        "ends the link; asks first for the Gitter room's name",
        Who::Moderators,
    ),
];

const fn entry(
    kind: Kind,
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    who: Who,
) -> Entry {
    Entry {
        kind,
        name,
        arguments,
        help,
        who,
    }
}

impl Entry {
    /// The command with a name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|entry| entry.name == name)
    }

    /// How it is written.
    pub(super) fn usage(&self) -> String {
        format!("{PREFIX} {} {}", self.name, self.arguments)
            .trim_end()
            .to_owned()
    }
}

/// What is said to a word that is no command.
pub(super) fn unknown(name: &str) -> String {
    let nearest = TABLE
        .iter()
        .map(|entry| (strsim::damerau_levenshtein(name, entry.name), entry.name))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    let shown: String = name.chars().take(40).collect();
    let meant = nearest.map_or_else(String::new, |(_, name)| {
        format!(" Did you mean `{PREFIX} {name}`?")
    });
    format!("There is no command {shown:?}.{meant} `{PREFIX} help` lists all that you may use here.")
}

/// The commands that somebody may use.
pub(super) fn help(asking: &Asking<'_>) -> String {
    let mut text = match &asking.portal {
        Some(portal) => format!(
            "This room is linked with {} on Gitter ({}): what is said in one is shown in the other.",
            portal.gitter_uri,
            room_address(asking.bridge, &portal.gitter_uri)
        ),
        None => "This room is not linked with a Gitter room.".to_owned(),
    };
    let usable: Vec<&Entry> = TABLE
        .iter()
        .filter(|entry| asking.rights.check(entry.who).is_ok())
        .collect();
    if !asking.rights.permitted {
        text += "\nYou may not use the bridge: its operator names in bridge.permissions who may.";
        return text;
    }
    for entry in usable {
        let _ = write!(text, "\n{} – {}", entry.usage(), entry.help);
    }
    text += "\nBehind a command you may name another room that you are in, by its #alias or !id.";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_near_ones_suggested() {
        for entry in &TABLE {
            assert_eq!(Entry::named(entry.name).unwrap().kind, entry.kind);
        }
        assert!(Entry::named("Help").is_none());
        assert!(
            unknown("staus").contains("`!gitter status`"),
            "{}",
            unknown("staus")
        );
        assert!(unknown("lnik").contains("`!gitter link`"));
        assert!(!unknown("frobnicate").contains("Did you mean"));
        assert!(unknown(&"x".repeat(10_000)).len() < 200);
    }
}
