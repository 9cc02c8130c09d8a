//! Namespaces: made from the configuration, and checked against it.

use regex::Regex;
use ruma::{OwnedUserId, ServerName};
use serde::Serialize;

use super::Registration;
use crate::{
    config::{
        Config, Problem,
        template::{Piece, pieces},
    },
    ids::{GhostTemplate, GitterUserId},
};

/// Ids that belong to the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Namespace {
    /// Whether nobody else may make such ids.
    pub exclusive: bool,
    /// What the ids look like.
    pub regex: String,
}

impl Namespace {
    /// The ids of all ghosts: what the template begins with and anything after it. A template that begins
    /// with a placeholder is spelled out instead, so that it does not take the whole server.
    pub(super) fn of_ghosts(template: &GhostTemplate, server_name: &ServerName) -> Self {
        let template = String::from(template.clone());
        let pieces = pieces(&template).unwrap_or_default();
        let localpart = match pieces.first() {
            Some(Piece::Fixed(prefix)) => format!("{}.*", regex::escape(prefix)),
            _ => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Fixed(text) => regex::escape(text),
                    Piece::Placeholder("id") => "[0-9a-f]+".to_owned(),
                    Piece::Placeholder(_) => ".*".to_owned(),
                })
                .collect(),
        };
        Self::exclusive('@', &localpart, server_name)
    }

    /// The id of one user.
    pub(super) fn of_user(localpart: &str, server_name: &ServerName) -> Self {
        Self::exclusive('@', &regex::escape(localpart), server_name)
    }

    /// The aliases of all portals.
    pub(super) fn of_aliases(prefix: &str, server_name: &ServerName) -> Self {
        Self::exclusive('#', &format!("{}.*", regex::escape(prefix)), server_name)
    }

    fn exclusive(sigil: char, localpart: &str, server_name: &ServerName) -> Self {
        Self {
            exclusive: true,
            regex: format!("^{sigil}{localpart}:{}$", regex::escape(server_name.as_str())),
        }
    }
}

/// Expressions of namespaces that match as the most common homeserver does: from the id's beginning, with
/// or without an anchor. One that cannot be read here matches nothing.
struct Matcher(Vec<Regex>);

impl Matcher {
    fn new(namespaces: &[Namespace]) -> Self {
        let anchored = |namespace: &Namespace| Regex::new(&format!("^(?:{})", namespace.regex)).ok();
        Self(namespaces.iter().filter_map(anchored).collect())
    }

    fn holds(&self, id: &str) -> bool {
        self.0.iter().any(|regex| regex.is_match(id))
    }
}

/// The ghost of nobody. Registering it shows whether the homeserver has the bridge's namespaces: Synapse always tells, others
/// while it is not there.
pub fn probe_ghost(config: &Config) -> Option<OwnedUserId> {
    let nobody: GitterUserId = "000000000000000000000000".parse().ok()?;
    let template = &config.bridge.ghost_localpart;
    let made = template.make(&config.homeserver.server_name, &nobody, "nobody");
    made.ok()
}

impl Registration {
    /// Makes sure that every ghost the configuration can make is the bridge's by this registration, and
    /// gives an example of one.
    pub fn check_ghosts(&self, config: &Config) -> Result<String, Problem> {
        let matcher = Matcher::new(&self.users);
        let problem = |message| problem(config, "bridge.ghost_localpart", message);
        let template = &config.bridge.ghost_localpart;
        let ghosts = sample_users()
            .map(|(id, username)| template.make(&config.homeserver.server_name, &id, &username))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| problem(format!("makes ids that are not valid: {error}")))?;
        match ghosts.iter().find(|ghost| !matcher.holds(ghost.as_str())) {
            Some(_) if self.is_of_another_homeserver(config) => Err(self::problem(
                config,
                "homeserver.server_name",
                format!(
                    "is {}, but the registration is for another homeserver; {REMAKE}",
                    config.homeserver.server_name
                ),
            )),
            Some(ghost) => Err(problem(format!(
                "makes ghosts such as {ghost}, which no namespace of `users` in the registration holds; {MEND}"
            ))),
            None => Ok(ghosts.first().map(ToString::to_string).unwrap_or_default()),
        }
    }

    /// Makes sure that every alias the configuration can make is the bridge's by this registration, and
    /// gives an example of one.
    pub fn check_aliases(&self, config: &Config) -> Result<String, Problem> {
        let matcher = Matcher::new(&self.aliases);
        let (prefix, server_name) = (&config.bridge.alias_prefix, &config.homeserver.server_name);
        let alias = |room: String| format!("#{prefix}{room}:{server_name}");
        match sample_rooms().map(alias).find(|alias| !matcher.holds(alias)) {
            Some(alias) => Err(problem(
                config,
                "bridge.alias_prefix",
                format!(
                    "makes aliases such as {alias}, which no namespace of `aliases` in the registration holds; {MEND}"
                ),
            )),
            None => Ok(sample_rooms().next().map(alias).unwrap_or_default()),
        }
    }
}

impl Registration {
    /// Whether all namespaces of users were made with another `homeserver.server_name`: its keys are not to blame then.
    fn is_of_another_homeserver(&self, config: &Config) -> bool {
        let end = format!(":{}$", regex::escape(config.homeserver.server_name.as_str()));
        let mut users = self.users.iter();
        users.all(|namespace| namespace.regex.starts_with('^') && !namespace.regex.ends_with(&end))
    }
}

fn problem(config: &Config, key: &str, message: String) -> Problem {
    Problem {
        place: config.appservice.registration.display().to_string(),
        key: key.to_owned(),
        message,
    }
}

const REMAKE: &str =
    "run `gitter-matrix-bridge registration`, copy the file to the homeserver and restart that";

const MEND: &str = "change the key back, or run `gitter-matrix-bridge registration`, copy the file to the homeserver and \
                    restart that";

/// A usual user, and users whose names hold every character that a localpart can be made of, and escaped ones.
fn sample_users() -> impl Iterator<Item = (GitterUserId, String)> {
    const LONGEST: &str = "abcdefghijklmnopqrstuvwxyz0123456789abc";
    let ids = ["5f0000000000000000000c01", "0123456789abcdefffffffff"];
    ["wren", "", "ü", LONGEST]
        .into_iter()
        .map(str::to_owned)
        .chain((' '..='~').map(String::from))
        .flat_map(move |username| ids.map(|id| (id, username.clone())))
        .filter_map(|(id, username)| Some((id.parse().ok()?, username)))
}

/// A usual room and others as localparts of aliases without their prefix (DESIGN 5), with every character
/// that a Gitter URI can hold.
fn sample_rooms() -> impl Iterator<Item = String> {
    ["tidepool_harbour", "5f0000000000000000000a01"]
        .into_iter()
        .map(str::to_owned)
        .chain(
            ('a'..='z')
                .chain('0'..='9')
                .chain(['.', '_', '-'])
                .map(|character| format!("{character}_{character}")),
        )
}
