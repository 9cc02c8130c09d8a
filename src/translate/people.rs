//! Matrix people as Gitter shows them: the virtual user of a message, the prefix where virtual users may
//! not be used, and mentions of others.

use ruma::UserId;

use super::{
    Context, VirtualUserAction,
    body::{self, MarkKind},
    escape, link, stand_in,
};
use crate::{ids, names};

/// The most UTF-16 units of a virtual user's display name (gitter-api 2.2).
const MAX_NAME_UNITS: usize = 255;

/// The most UTF-16 units of the name in a prefix, so that it never crowds out the text.
const MAX_PREFIX_NAME_UNITS: usize = 80;

/// The virtual user that a sender's messages are posted for.
pub(super) fn virtual_user(sender: &UserId, context: &Context) -> VirtualUserAction {
    VirtualUserAction {
        external_id: ids::external_id(sender).to_owned(),
        display_name: distinct_name(sender, MAX_NAME_UNITS, context),
        avatar: context
            .member(sender)
            .and_then(|member| member.avatar.clone())
            .filter(|avatar| stand_in::is_media(avatar)),
    }
}

/// What stands before the text of a sender where virtual users may not be used, as Gitter Markdown.
pub(super) fn prefix(sender: &UserId, is_emote: bool, context: &Context) -> String {
    let name = distinct_name(sender, MAX_PREFIX_NAME_UNITS, context);
    let link = escape::link(&name, &link::to_user(sender));
    let end = if is_emote { " " } else { ": " };
    format!("**{link}** [m]{end}")
}

/// What a mention of a Matrix user becomes on Gitter; `None` leaves the text alone. `shown` is the text
/// that mentions the user.
pub(super) fn mention(user: &UserId, shown: &str, context: &Context) -> Option<MarkKind> {
    if context.ghost(user).is_some() {
        return ghost_mention(user, context).map(MarkKind::Mention);
    }
    let id = ids::external_id(user);
    Some(if escape::is_mentionable(id) {
        MarkKind::Mention(format!("@{id}"))
    } else {
        MarkKind::Link {
            label: shown.to_owned(),
            href: link::to_user(user),
        }
    })
}

/// The mention of the Gitter user that a ghost stands for; `None` for anyone else, and for user names that
/// cannot be mentioned, such as those of deleted accounts (gitter-api 4.6).
pub(super) fn ghost_mention(user: &UserId, context: &Context) -> Option<String> {
    let username = &context.ghost(user)?.username;
    escape::is_mentionable(username).then(|| format!("@{username}"))
}

/// The names that a text may call a Matrix user by, the likeliest first.
pub(super) fn names(user: &UserId, context: &Context) -> Vec<String> {
    let ghost = context.ghost(user);
    let display_name = |name: &Option<String>| name.as_deref().map(body::normalise);
    let mut names: Vec<String> = [
        context
            .member(user)
            .and_then(|member| display_name(&member.display_name)),
        ghost.map(|ghost| ghost_name(ghost, context)),
        ghost.and_then(|ghost| display_name(&ghost.display_name)),
        Some(user.to_string()),
    ]
    .into_iter()
    .flatten()
    .collect();
    names.retain(|name| body::is_visible(name));
    names
}

/// The display name of a ghost.
fn ghost_name(ghost: &super::context::User, context: &Context) -> String {
    let display_name = ghost.display_name.as_deref().unwrap_or(&ghost.username);
    templated(
        &context.settings.ghost_display_name,
        display_name,
        &ghost.username,
    )
}

/// The display name of a ghost by `bridge.ghost_display_name`: on one line, turning no text around, at most 255
/// UTF-16 units.
pub fn templated(template: &str, display_name: &str, username: &str) -> String {
    let shown = one_line(display_name);
    let shown = if body::is_visible(&shown) {
        &shown
    } else {
        username
    };
    let name = template
        .replace("{display_name}", shown)
        .replace("{username}", username);
    cut(&name, MAX_NAME_UNITS).to_owned()
}

/// A sender's name in this room: with the id behind it if other members go by one that looks the same.
fn distinct_name(sender: &UserId, max_units: usize, context: &Context) -> String {
    let name = name(sender, context);
    let key = names::key(&name);
    let is_shared = context
        .members
        .iter()
        .any(|member| member.mxid != sender && names::key(&self::name(&member.mxid, context)) == key);
    if !is_shared {
        return cut(&name, max_units).to_owned();
    }
    let id = format!(" ({sender})");
    let room = max_units.saturating_sub(units(&id));
    cut(&format!("{}{id}", cut(&name, room)), max_units).to_owned()
}

fn name(user: &UserId, context: &Context) -> String {
    context
        .member(user)
        .and_then(|member| member.display_name.as_deref())
        .map(one_line)
        .filter(|name| body::is_visible(name))
        .unwrap_or_else(|| user.localpart().to_owned())
}

/// A name on one line, without what turns the direction of the text around it, and single spaces.
fn one_line(name: &str) -> String {
    let is_turn = |it: char| matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let kept: String = name.chars().filter(|it| !is_turn(*it)).collect();
    let levelled = body::normalise(&kept);
    levelled.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The length that Gitter counts.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The longest beginning of a text that has at most `max_units` UTF-16 units.
pub(super) fn cut(text: &str, max_units: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find_map(|(at, character)| {
        used += character.len_utf16();
        (used > max_units).then_some(at)
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ghosts_name_is_harmless() {
        let name = |display_name| templated("{display_name} ({username})", display_name, "wren");
        assert_eq!(name("\u{202e}Wren\n of  the\tReef"), "Wren of the Reef (wren)");
        assert_eq!(name("\u{200b} "), "wren (wren)");
        assert_eq!(units(&name(&"🐦".repeat(300))), 254);
    }

    #[test]
    fn a_name_is_cut_between_characters() {
        assert_eq!(cut("a🐦b", 2), "a");
        assert_eq!(cut("a🐦b", 3), "a🐦");
        assert_eq!(cut("short", 255), "short");
    }
}
