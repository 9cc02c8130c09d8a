//! What the sandbox starts with, and the shapes in which users and rooms are added later: one JSON shape for
//! the seed file, the control endpoints and the library.
//!
//! ```json
//! { "users": [ { "username": "wren", "display_name": "Wren" },
//!              { "username": "bridge_bot", "tokens": [ { "client": "matrix-bridge", "virtual_user_type": "matrix" },
//!                                                      { "client": "personal" } ] } ],
//!   "groups": [ { "uri": "tidepool", "name": "Tidepool" } ],
//!   "rooms": [ { "uri": "tidepool/harbour", "topic": "boats", "admins": ["wren"] },
//!              { "uri": "tidepool/locked", "public": false, "members": ["wren"] } ] }
//! ```
//!
//! Reads a file and nothing else; what the shapes mean together is checked where they are added.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::object_id::ObjectId;

/// The OAuth client of a user for whom none is named.
const DEFAULT_CLIENT: &str = "sandbox";

/// Everything that exists at the start. Its first token with a `virtual_user_type` is the bridge's.
// No `Debug`, here and below, where tokens may be inside.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The accounts.
    pub users: Vec<NewUser>,
    /// The groups ("communities"); one that only its rooms name is made with its URI as its name.
    #[serde(default)]
    pub groups: Vec<NewGroup>,
    /// The rooms.
    pub rooms: Vec<NewRoom>,
}

/// An account to add.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Its id; made up where absent.
    #[serde(default)]
    pub id: Option<ObjectId>,
    /// Its user name, unique, case kept.
    pub username: String,
    /// The name people see; the user name where absent.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Its tokens; one of the client `sandbox` where absent.
    #[serde(default = "one_token")]
    pub tokens: Vec<NewToken>,
}

impl NewUser {
    /// A user with a made-up id and one token of the client `sandbox`, which may not use virtual users.
    pub fn named(username: &str, display_name: &str) -> Self {
        Self {
            id: None,
            username: username.to_owned(),
            display_name: Some(display_name.to_owned()),
            tokens: one_token(),
        }
    }
}

/// An access token of a user, issued to an OAuth client.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// The client's key.
    pub client: String,
    /// The token; 40 random hexadecimal digits where absent.
    #[serde(default)]
    pub token: Option<String>,
    /// The one type of virtual user that this client may use (`virtualUsers:approvedClientKeyMap`,
    /// gitter-api 2.1); none where absent.
    #[serde(default)]
    pub virtual_user_type: Option<String>,
}

/// A group to add.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Its id; made up where absent.
    #[serde(default)]
    pub id: Option<ObjectId>,
    /// Its URI, without a slash.
    pub uri: String,
    /// Its display name; the URI where absent.
    #[serde(default)]
    pub name: Option<String>,
}

/// A room to add.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRoom {
    /// Its id; made up where absent.
    #[serde(default)]
    pub id: Option<ObjectId>,
    /// `<group>/<room>`, unique whatever its case.
    pub uri: String,
    /// Its topic; empty where absent.
    #[serde(default)]
    pub topic: String,
    /// Whether everyone may read and write; true where absent.
    #[serde(default = "yes")]
    pub public: bool,
    /// User names of its members. Public rooms need none to be read or written.
    #[serde(default)]
    pub members: Vec<String>,
    /// User names of its admins; they are not members by that.
    #[serde(default)]
    pub admins: Vec<String>,
    /// The kinds of account that may post; no account of the sandbox is of any, so only admins can.
    #[serde(default)]
    pub providers: Vec<String>,
}

impl NewRoom {
    /// A public room without topic or members.
    pub fn public(uri: &str) -> Self {
        Self {
            id: None,
            uri: uri.to_owned(),
            topic: String::new(),
            public: true,
            members: Vec::new(),
            admins: Vec::new(),
            providers: Vec::new(),
        }
    }
}

/// What to change about a user; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserChange {
    /// A new user name, as after a rename at GitHub; the id stays.
    pub username: Option<String>,
    /// A new display name.
    pub display_name: Option<String>,
    /// Whether the account is deleted; its row stays, its tokens do not work.
    pub removed: Option<bool>,
    /// Whether what the account posts is answered as usual and thrown away (gitter-api 5.8).
    pub silent_ban: Option<bool>,
    /// Whether its tokens end, and others are issued to the same clients: sockets are cut, and its Bayeux clients
    /// forgotten.
    pub new_tokens: Option<bool>,
}

/// What to change about a room that no API of Gitter's changes; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoomChange {
    /// A new URI, `<group>/<room>`; resolving the old one is answered with 301.
    pub uri: Option<String>,
    /// Whether everyone may read and write; told to nobody.
    pub public: Option<bool>,
    /// Who administers it, by user name; told to nobody.
    pub admins: Option<Vec<String>>,
}

/// Why a seed file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It cannot be read.
    #[error("the seed file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not JSON of the shape of a [`Seed`].
    #[error("the seed file {} does not have the shape of a seed: users, groups, rooms", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
}

impl Seed {
    /// Reads a seed file.
    ///
    /// # Errors
    /// When the file cannot be read or has another shape.
    pub fn read(path: &Path) -> Result<Self, SeedError> {
        let text = fs::read_to_string(path).map_err(|source| SeedError::Read {
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|source| SeedError::Shape {
            path: path.to_owned(),
            source,
        })
    }
}

impl Default for Seed {
    /// The group `tidepool` with two public rooms and a private one, two people, and the bridge's account.
    fn default() -> Self {
        let bridge_bot = NewUser {
            tokens: vec![
                NewToken {
                    virtual_user_type: Some("matrix".to_owned()),
                    ..token_of("matrix-bridge")
                },
                token_of("personal"),
            ],
            ..NewUser::named("bridge_bot", "Bridge Bot")
        };
        let room = |name: &str, topic: &str| NewRoom {
            topic: topic.to_owned(),
            ..NewRoom::public(&format!("tidepool/{name}"))
        };
        Self {
            users: vec![
                NewUser::named("wren", "Wren"),
                NewUser::named("kelp", "Kelp"),
                bridge_bot,
            ],
            groups: vec![NewGroup {
                id: None,
                uri: "tidepool".to_owned(),
                name: Some("Tidepool".to_owned()),
            }],
            rooms: vec![
                room("harbour", "Boats, ropes and who is in"),
                room("reef", "What lives below"),
                NewRoom {
                    public: false,
                    members: vec!["kelp".to_owned()],
                    admins: vec!["kelp".to_owned()],
                    ..room("locked", "Members only")
                },
            ],
        }
    }
}

fn yes() -> bool {
    true
}

fn one_token() -> Vec<NewToken> {
    vec![token_of(DEFAULT_CLIENT)]
}

fn token_of(client: &str) -> NewToken {
    NewToken {
        client: client.to_owned(),
        token: None,
        virtual_user_type: None,
    }
}
