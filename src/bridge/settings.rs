//! What holds for the flow: the configuration, and over it what was set for one portal.

use std::{path::PathBuf, time::Duration};

use ruma::OwnedServerName;
use url::Url;

use super::Bridge;
use crate::{
    config::{Config, Membership, Permissions, Reactions, RoomPatterns, Threads},
    ids::GhostTemplate,
    store::{
        StoreError, Tx,
        setting::{self, SettingName},
    },
    translate::context,
};

/// What the flow needs to know of the configuration.
#[derive(Debug)]
pub struct Settings {
    /// `homeserver.server_name`.
    pub server_name: OwnedServerName,
    /// `gitter.web_url`.
    pub web_url: Url,
    /// `bridge.rooms`: the Gitter URIs that may be linked.
    pub rooms: RoomPatterns,
    /// `bridge.ghost_localpart`.
    pub ghost_localpart: GhostTemplate,
    /// The settings that translation reads.
    pub translation: context::Settings,
    /// `bridge.flood_limit`: how many messages of one person a minute go to Gitter, on average; 0 for any number.
    pub flood_limit: u32,
    /// `bridge.give_up_after`, in milliseconds.
    pub give_up_after: i64,
    /// `bridge.ledger_days`, in milliseconds.
    pub keep_ledger: i64,
    /// `bridge.sweep_days`, in milliseconds: how far back deletions on Gitter are looked for, and so long at least
    /// what tells repeats is kept; 0 for not at all.
    pub sweep: i64,
    /// `bridge.notices`: whether senders are told that their message has failed.
    pub notices: bool,
    /// `bridge.membership`: when ghosts join.
    pub membership: Membership,
    /// `bridge.alias_prefix`: what aliases of portals begin with.
    pub alias_prefix: String,
    /// `bridge.privacy_check`: how long a Gitter room may stay unconfirmed as public.
    pub privacy_check: Duration,
    /// `bridge.permissions`: who may do what with the bridge.
    pub permissions: Permissions,
    /// `bridge.receipts`: whether the bot's read receipt shows what has crossed.
    pub receipts: bool,
    /// `gitter.token_file`, where the token is in a file.
    pub token_file: Option<PathBuf>,
    /// `gitter.files_hosts`.
    pub files_hosts: Vec<String>,
    /// `gitter.image_proxy_host`.
    pub image_proxy_host: Option<String>,
}

impl Settings {
    /// Reads them from the configuration.
    pub fn of(config: &Config) -> Self {
        let bridge = &config.bridge;
        Self {
            server_name: config.homeserver.server_name.clone(),
            web_url: config.gitter.web_url.clone(),
            rooms: bridge.rooms.clone(),
            ghost_localpart: bridge.ghost_localpart.clone(),
            translation: context::Settings {
                threads: match bridge.threads {
                    Threads::Thread => context::Threads::Thread,
                    Threads::Reply => context::Threads::Reply,
                },
                reactions: match bridge.reactions {
                    Reactions::Ignore => context::Reactions::Ignore,
                    Reactions::Thread => context::Reactions::Thread,
                },
                announce: bridge.announce,
                max_parts: bridge.max_parts,
                relay_foreign: bridge.relay_foreign,
                ghost_display_name: bridge.ghost_display_name.clone(),
                // Of one portal alone.
                moderation: false,
            },
            flood_limit: bridge.flood_limit,
            give_up_after: i64::try_from(bridge.give_up_after.as_millis()).unwrap_or(i64::MAX),
            keep_ledger: days(bridge.ledger_days),
            sweep: days(bridge.sweep_days),
            notices: bridge.notices,
            membership: bridge.membership,
            alias_prefix: bridge.alias_prefix.clone(),
            privacy_check: bridge.privacy_check,
            permissions: bridge.permissions.clone(),
            receipts: bridge.receipts,
            token_file: config.gitter.token_file.as_ref().map(|file| file.path.clone()),
            files_hosts: config.gitter.files_hosts.clone(),
            image_proxy_host: config.gitter.image_proxy_host.clone(),
        }
    }
}

/// Days in milliseconds.
fn days(days: u32) -> i64 {
    i64::from(days) * 86_400_000
}

/// What holds in one portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomSettings {
    /// How threads of Gitter look in Matrix.
    pub threads: context::Threads,
    /// When ghosts join.
    pub membership: Membership,
    /// Whether senders are told of failures.
    pub notices: bool,
    /// Whether name, topic and picture of a linked room are kept as on Gitter; those of a created room always are.
    pub metadata: bool,
    /// Whether bans and deletions go to Gitter.
    pub moderation: bool,
}

impl Bridge {
    /// What holds in the portal of a Gitter room, given by its id.
    pub(super) async fn room_settings(&self, tx: &mut Tx, room: &str) -> Result<RoomSettings, StoreError> {
        let set = setting::settings(tx, room).await?;
        let word = |name| set.get(&name).map(String::as_str);
        let switch = |name, default| word(name).map_or(default, |word| word == "on");
        Ok(RoomSettings {
            threads: match word(SettingName::Threads) {
                Some("thread") => context::Threads::Thread,
                Some("reply") => context::Threads::Reply,
                _ => self.settings.translation.threads,
            },
            membership: match word(SettingName::Membership) {
                Some("lazy") => Membership::Lazy,
                Some("mirror") => Membership::Mirror,
                _ => self.settings.membership,
            },
            notices: switch(SettingName::Notices, self.settings.notices),
            metadata: switch(SettingName::Metadata, false),
            moderation: switch(SettingName::Moderation, false),
        })
    }
}
