//! Whom the moderators of a Matrix room do not let speak there: its server ACL and policy rules in its state (client-server
//! API, "Server access control lists" and "Moderation policy lists"). Homeservers enforce the first only for what comes from
//! afar, and the second not at all.

use ruma::{ServerName, UserId, events::room::server_acl::RoomServerAclEventContent};
use serde::Deserialize;
use serde_json::Value;
use wildmatch::WildMatch;

/// What recommends a ban.
const BANS: [&str; 2] = ["m.ban", "org.matrix.mjolnir.ban"];

/// What a room's state says about who may speak.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The content of `m.room.server_acl`.
    pub server_acl: Option<Value>,
    /// The contents of `m.policy.rule.user`.
    pub users: Vec<Value>,
    /// The contents of `m.policy.rule.server`.
    pub servers: Vec<Value>,
}

impl Policy {
    /// Why a user may not speak, if so.
    pub(super) fn objection(&self, user: &UserId) -> Option<&'static str> {
        let server = user.server_name();
        if self.servers.iter().any(|rule| bans(rule, server.host())) {
            Some("a policy rule of the Matrix room bans the sender's server")
        } else if self.users.iter().any(|rule| bans(rule, user.as_str())) {
            Some("a policy rule of the Matrix room bans the sender")
        } else if self.server_acl.as_ref().is_some_and(|acl| !allows(acl, server)) {
            Some("the server ACL of the Matrix room does not allow the sender's server")
        } else {
            None
        }
    }
}

/// Whether a rule recommends to ban this. One that cannot be read, or was taken back, says nothing.
fn bans(rule: &Value, entity: &str) -> bool {
    let text = |key| rule.get(key).and_then(Value::as_str);
    text("recommendation").is_some_and(|word| BANS.contains(&word))
        && text("entity").is_some_and(|glob| WildMatch::new(glob).matches(entity))
}

fn allows(acl: &Value, server: &ServerName) -> bool {
    let acl = RoomServerAclEventContent::deserialize(acl);
    acl.map_or(true, |acl| acl.is_allowed(server))
}
