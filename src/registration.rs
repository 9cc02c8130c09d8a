//! The registration: the file that both the homeserver and the bridge read, and the one source of the
//! bridge's ids, tokens and namespaces (Matrix specification, application service API, "Registration").
//!
//! It is made from the configuration, and made anew without losing what others rely on: its ids, its tokens
//! and every key that this program does not know. Tokens are never part of a message.

mod file;
mod name;
mod namespace;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde_json::{Value, json};

pub use self::{
    name::OtherName,
    namespace::{Namespace, probe_ghost},
};
use crate::config::{
    Config, Problem,
    secret::{self, Existing},
};

/// The registration.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The application service's id on the homeserver.
    pub id: String,
    /// Where the homeserver reaches the bridge; `None` turns all pushing off.
    pub url: Option<String>,
    /// What the bridge shows to the homeserver.
    pub as_token: SecretString,
    /// What the homeserver shows to the bridge.
    pub hs_token: SecretString,
    /// The bot's localpart.
    pub sender_localpart: String,
    /// User ids that belong to the bridge.
    pub users: Vec<Namespace>,
    /// Room aliases that belong to the bridge.
    pub aliases: Vec<Namespace>,
    /// Rooms that belong to the bridge: none, unless the homeserver's operator wants it to see more.
    pub rooms: Vec<Namespace>,
    /// All other keys of the file, which only the homeserver reads.
    pub other: BTreeMap<String, Value>,
}

/// Why there is no registration.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The file cannot be read.
    #[error("cannot read the registration {path} (make it with `gitter-matrix-bridge registration`)", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a registration.
    #[error(
        "{path} is not a usable registration (`gitter-matrix-bridge registration --force` replaces it):{}",
        crate::config::listed(problems),
        path = path.display()
    )]
    Problems {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
    /// The file cannot be written.
    #[error("cannot write the registration {path}", path = path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Registration {
    /// A new registration for a configuration, with new tokens.
    pub fn new(config: &Config) -> Self {
        let mut registration = Self {
            id: "gitter".to_owned(),
            url: None,
            as_token: secret::random().into(),
            hs_token: secret::random().into(),
            sender_localpart: "gitterbot".to_owned(),
            users: Vec::new(),
            aliases: Vec::new(),
            rooms: Vec::new(),
            other: BTreeMap::new(),
        };
        registration.renew(config);
        registration
    }

    /// Brings an older registration up to date with a configuration: its address, and its namespaces of users
    /// and aliases, are written anew, keys that are missing are added, and all else stays as it is.
    pub fn renew(&mut self, config: &Config) {
        let server_name = &config.homeserver.server_name;
        self.url = Some(config.appservice.url_for_homeserver());
        self.users = vec![
            Namespace::of_ghosts(&config.bridge.ghost_localpart, server_name),
            Namespace::of_user(&self.sender_localpart, server_name),
        ];
        self.aliases = vec![Namespace::of_aliases(&config.bridge.alias_prefix, server_name)];
        for (key, value) in [
            ("rate_limited", json!(false)),
            ("receive_ephemeral", json!(false)),
            // Ghosts send with devices of their own, so that a repeat is known as one (DESIGN 3.1).
            ("io.element.msc4190", json!(true)),
            // So that clients can search for bridged rooms and people.
            ("protocols", json!(["gitter"])),
        ] {
            self.other.entry(key.to_owned()).or_insert(value);
        }
    }

    /// Reads a registration.
    pub fn load(path: &Path) -> Result<Self, RegistrationError> {
        let text = fs::read_to_string(path).map_err(|source| RegistrationError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        file::parse(path, &text).map_err(|problems| RegistrationError::Problems {
            path: path.to_owned(),
            problems,
        })
    }

    /// Reads a registration that may still be missing, or lack its tokens; then says what is missing.
    pub fn load_if_complete(path: &Path) -> Result<Result<Self, String>, RegistrationError> {
        let is_token = |problem: &Problem| matches!(problem.key.as_str(), "as_token" | "hs_token");
        match Self::load(path) {
            Err(RegistrationError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Err(
                    "the file that appservice.registration names is missing".to_owned()
                ))
            }
            Err(RegistrationError::Problems { problems, .. })
                if !problems.is_empty() && problems.iter().all(is_token) =>
            {
                let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
                Ok(Err(format!(
                    "{} of the registration is missing",
                    keys.join(" and ")
                )))
            }
            loaded => loaded.map(Ok),
        }
    }

    /// Writes the registration, readable by its owner alone, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), RegistrationError> {
        self.to_yaml()
            .map_err(io::Error::other)
            .and_then(|text| secret::write_private(path, &text, Existing::Replace))
            .map_err(|source| RegistrationError::Unwritable {
                path: path.to_owned(),
                source,
            })
    }

    /// The text of the file, tokens included.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        file::render(self)
    }
}
