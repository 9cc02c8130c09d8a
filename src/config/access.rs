//! Which Gitter rooms may be bridged, and who may say so.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ruma::{ServerName, UserId};

use super::{
    document::{Node, Value},
    section::{Folders, Refusal},
    value::{list, on_line, scalar},
};

/// The Gitter rooms that may be bridged: globs over their URIs. `*` matches any characters, slashes too,
/// and case does not matter.
#[derive(Debug, Clone)]
pub struct RoomPatterns {
    globs: GlobSet,
}

impl RoomPatterns {
    /// Whether a room may be bridged.
    pub fn allow(&self, gitter_uri: &str) -> bool {
        self.globs.is_match(gitter_uri)
    }
}

/// Reads a list of globs.
pub(super) fn room_patterns(node: &Node, folders: &Folders) -> Result<RoomPatterns, Refusal> {
    let glob = |node: &Node, _: &Folders| {
        GlobBuilder::new(scalar(node)?)
            .case_insensitive(true)
            .build()
            .map_err(|_| Refusal::from("must hold globs such as `\"*\"` or `tidepool/*`"))
    };
    let mut globs = GlobSetBuilder::new();
    for glob in list(glob)(node, folders)? {
        globs.add(glob);
    }
    let globs = globs.build().map_err(|_| "must hold fewer or simpler globs")?;
    Ok(RoomPatterns { globs })
}

/// What a Matrix user may do with the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// To be bridged, and to use the bot's harmless commands.
    User,
    /// To link and unlink rooms as well.
    Admin,
}

/// What Matrix users may do with the bridge, by user, by server, and for everyone.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    by_name: BTreeMap<String, Permission>,
}

impl Permissions {
    /// What a user may do: what is said of that user, else of the user's server, else of `*`.
    pub fn of(&self, user: &UserId) -> Option<Permission> {
        [user.as_str(), user.server_name().as_str(), "*"]
            .into_iter()
            .find_map(|name| self.by_name.get(name).copied())
    }

    /// Whether the bridge is for a user: for everyone where nothing is said of anybody.
    pub fn permit(&self, user: &UserId) -> bool {
        self.by_name.is_empty() || self.of(user).is_some()
    }
}

/// Reads a map of users, servers and `*` to permissions; `null` is the empty map.
pub(super) fn permissions(node: &Node, _: &Folders) -> Result<Permissions, Refusal> {
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        Value::Null => &[],
        _ => return Err("must be a map, such as `{ \"@ana:example.org\": admin }`".into()),
    };
    let mut by_name = BTreeMap::new();
    for entry in entries {
        let name = entry.name.as_str();
        let known = name == "*" || ServerName::parse(name).is_ok() || UserId::parse(name).is_ok();
        let permission = match &entry.node.value {
            _ if !known => Err(
                "must be given to `*`, a server such as `example.org` or a user such as `@ana:example.org`",
            ),
            Value::Text(word) if word == "user" => Ok(Permission::User),
            Value::Text(word) if word == "admin" => Ok(Permission::Admin),
            _ => Err("must give `user` or `admin`"),
        };
        let permission = permission.map_err(|message| on_line(message.into(), entry.line))?;
        by_name.insert(name.to_owned(), permission);
    }
    Ok(Permissions { by_name })
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn folders() -> Folders {
        Folders {
            config: ".".into(),
            data: ".".into(),
            may_lack_secrets: false,
        }
    }

    fn node(text: &str) -> Node {
        Node::parse(text).unwrap_or_else(|error| panic!("{}", error.message))
    }

    #[test]
    fn globs_cross_slashes_and_ignore_case() {
        let read = |text| room_patterns(&node(text), &folders()).unwrap();
        let some = read("[tidepool/*, lighthouse/lamp]");
        assert!(some.allow("tidepool/harbour"));
        assert!(some.allow("Tidepool/harbour/quay"));
        assert!(some.allow("lighthouse/Lamp"));
        assert!(!some.allow("lighthouse/lamps"));
        assert!(!some.allow("shore/tidepool/harbour"));
        assert!(read("['*']").allow("any/room/at-all"));
        assert!(!read("[]").allow("any/room"));
    }

    #[test]
    fn the_most_particular_permission_holds() {
        let read = permissions(
            &node(
                "{'*': user, example.org: admin, '@eve:example.org': user, '@zoe:far.example:8448': admin}",
            ),
            &folders(),
        )
        .unwrap();
        assert_eq!(read.of(user_id!("@ana:example.org")), Some(Permission::Admin));
        assert_eq!(read.of(user_id!("@eve:example.org")), Some(Permission::User));
        assert_eq!(
            read.of(user_id!("@zoe:far.example:8448")),
            Some(Permission::Admin)
        );
        assert_eq!(read.of(user_id!("@kim:far.example:8448")), Some(Permission::User));
        assert_eq!(Permissions::default().of(user_id!("@ana:example.org")), None);
        assert!(Permissions::default().permit(user_id!("@ana:example.org")));
        let some = permissions(&node("{example.org: user}"), &folders()).unwrap();
        assert!(some.permit(user_id!("@ana:example.org")));
        assert!(!some.permit(user_id!("@ana:far.example")));
        assert!(Permission::User < Permission::Admin);
    }
}
