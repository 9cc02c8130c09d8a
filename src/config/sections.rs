//! Every key there is: what it is called, what it does, what it may be, and what holds without it.
//!
//! This is the one place for all of that; the example file is generated from it, so a key's comment is a
//! sentence for operators.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ruma::OwnedServerName;
use secrecy::SecretString;
use url::Url;

use super::{
    access::{Permissions, RoomPatterns, permissions, room_patterns},
    database::{DatabaseUrl, database_url},
    headers::{HeaderFile, header_file},
    secret::{SecretFile, secret, secret_file},
    section::{Key, Presence, Reader, Section, section},
    template::{alias_prefix, ghost_display_name, ghost_localpart},
    value::{
        byte_size, byte_size_or_none, choice, duration, duration_or_never, host, list, log_filter,
        log_rotation, number, optional, path_beside_config, path_in_data, public_address, server_name,
        socket_address, switch, web_address,
    },
};
use crate::ids::GhostTemplate;

/// All sections, in the order of the example file.
pub(crate) const SECTIONS: [&Section; 10] = [
    &General::SECTION,
    &Homeserver::SECTION,
    &Appservice::SECTION,
    &Gitter::SECTION,
    &Database::SECTION,
    &Bridge::SECTION,
    &Media::SECTION,
    &Admin::SECTION,
    &Logging::SECTION,
    &Telemetry::SECTION,
];

section! {
    ""
    /// Keys outside of the sections.
    pub(crate) General {
        /// Folder of the database, caches, generated secrets and logs; the only one that is written to.
        data_dir: PathBuf = path_beside_config, Default(".");
    }
}

section! {
    "homeserver"
    /// The Matrix homeserver.
    pub Homeserver {
        /// Where the bridge reaches it.
        url: Url = web_address, Required("http://localhost:8008");
        /// The part of its user ids after the colon.
        server_name: OwnedServerName = server_name, Required("example.org");
    }
}

section! {
    "appservice"
    /// What the homeserver knows of the bridge.
    pub Appservice {
        /// Ids, tokens and namespaces; made by `gitter-matrix-bridge registration`.
        registration: PathBuf = path_beside_config, Default("registration.yaml");
        /// Where the bridge listens for the homeserver and for readers of media.
        listen: SocketAddr = socket_address, Default("127.0.0.1:29330");
        /// Where the homeserver reaches the bridge; without it, `http://` and the address above.
        url: Option<Url> = optional(web_address), Hidden("http://bridge:29330");
        /// Where browsers fetch signed media, maybe with a path; without it, media cross as text.
        public_url: Option<Url> = optional(public_address), Hidden("https://bridge.example.org");
    }
}

section! {
    "gitter"
    /// The Gitter server, and the account that the bridge posts with.
    pub Gitter {
        /// Its REST API, with the version.
        api_url: Url = web_address, Required("http://localhost:5000/api/v1");
        /// Its realtime (Bayeux) endpoint.
        realtime_url: Url = web_address, Required("http://localhost:5000/bayeux");
        /// The site that people see, for links.
        web_url: Url = web_address, Required("http://localhost:5000");
        /// File with the account's token.
        token_file: Option<SecretFile> = optional(secret_file), Shown("gitter.token");
        /// The token itself, instead of the file.
        token: Option<SecretString> = optional(secret), Hidden("0123456789abcdef");
        /// Tokens of several accounts or OAuth clients, instead of one; each adds its request budget.
        tokens: Vec<SecretString> = list(secret), Hidden("[0123456789abcdef, fedcba9876543210]");
        /// Hosts of its uploads.
        files_hosts: Vec<String> = list(host), Default("[files.gitter.im]");
        /// Host of its image proxy.
        image_proxy_host: Option<String> = optional(host), Hidden("user-content.gitter-static.net");
        /// How many rooms share one realtime connection.
        rooms_per_socket: u32 = number(1..=10_000), Default("200");
    }
}

section! {
    "database"
    /// Where the bridge keeps its state.
    pub Database {
        /// A SQLite file in `data_dir`, or `postgres://user:password@host/name`.
        url: DatabaseUrl = database_url, Default("\"sqlite:bridge.db\"");
    }
}

section! {
    "bridge"
    /// What crosses, and how it looks.
    pub Bridge {
        /// Gitter rooms that may be bridged: globs over their URIs.
        rooms: RoomPatterns = room_patterns, Default("[\"*\"]");
        /// Aliases of portals begin with it.
        alias_prefix: String = alias_prefix, Default("gitter_");
        /// Ids of ghosts: `{id}` is required, `{username}` may change while the ghost's id does not.
        ghost_localpart: GhostTemplate = ghost_localpart, Default("\"gitter_{username}-{id}\"");
        /// Names of ghosts: `{display_name}`, `{username}`.
        ghost_display_name: String = ghost_display_name, Default("\"{display_name} (Gitter)\"");
        /// Gitter threads in Matrix: `thread` or `reply`.
        threads: Threads = choice(&THREADS), Default("thread");
        /// Ghosts join when they first speak (`lazy`), or all members do (`mirror`).
        membership: Membership = choice(&MEMBERSHIP), Default("lazy");
        /// Matrix reactions in Gitter: `ignore`, or a line in the thread (`thread`).
        reactions: Reactions = choice(&REACTIONS), Default("ignore");
        /// Whether `@room` of those who may use it notifies everyone on Gitter.
        announce: bool = switch, Default("false");
        /// Whether messages that other bridges post on Gitter cross.
        relay_foreign: bool = switch, Default("false");
        /// Whether the bot tells senders that their message could not cross.
        notices: bool = switch, Default("true");
        /// Whether the bot's read receipt shows what has crossed.
        receipts: bool = switch, Default("true");
        /// Most Gitter messages that one long Matrix message becomes.
        max_parts: u32 = number(1..=20), Default("4");
        /// Messages a minute of one Matrix person, on average, that go to Gitter; 0 for any number.
        flood_limit: u32 = number(0..=100_000), Default("60");
        /// How long one message is retried.
        give_up_after: Duration = duration, Default("24h");
        /// How many days the fate of every message stays on record.
        ledger_days: u32 = number(1..=36_500), Default("30");
        /// How many days back deletions on Gitter are looked for.
        sweep_days: u32 = number(0..=36_500), Default("7");
        /// How long a Gitter room may stay unconfirmed as public before messages to Matrix wait.
        privacy_check: Duration = duration, Default("5m");
        /// Who may use it, as `user` or `admin`: `"*"`, servers, users; once one is named, nobody else.
        permissions: Permissions = permissions, Default("{}");
    }
}

section! {
    "media"
    /// Files and pictures.
    pub Media {
        /// Keys that sign links, one a line, the one in use first; made when missing, and links die with their key.
        key_file: PathBuf = path_in_data, Default("media.key");
        /// How long links work: `never` ends, or a time such as `30d`.
        expires: Option<Duration> = duration_or_never, Default("never");
        /// Largest file that crosses.
        max_bytes: u64 = byte_size, Default("100MiB");
        /// Size of the cache in `data_dir`; 0 switches it off.
        cache_bytes: u64 = byte_size_or_none, Default("1GiB");
    }
}

section! {
    "admin"
    /// The operators' door: status page, metrics and the API behind `gitter-matrix-bridge room`.
    pub Admin {
        /// Where it listens; keep it from the public.
        listen: SocketAddr = socket_address, Default("127.0.0.1:29331");
        /// The token it asks for; made when missing.
        token_file: PathBuf = path_in_data, Default("admin.token");
    }
}

section! {
    "logging"
    /// What the bridge tells of its work.
    pub Logging {
        /// `error`, `warn`, `info`, `debug` or `trace`, or a list such as `info,sqlx=warn`.
        level: String = log_filter, Default("info");
        /// `pretty`, or `json` for machines.
        format: LogFormat = choice(&FORMATS), Default("pretty");
        /// A file in `data_dir` to append to, instead of the standard error stream.
        file: Option<PathBuf> = optional(path_in_data), Hidden("bridge.log");
        /// When the file begins anew: `never`, `daily` (UTC), or when it would be larger than, such as, `10MiB`.
        rotate: LogRotation = log_rotation, Default("never");
        /// How many older files are kept then.
        keep: u32 = number(1..=1_000), Default("7");
    }
}

section! {
    "telemetry"
    /// Traces for an OpenTelemetry collector.
    pub Telemetry {
        /// Where the collector takes OTLP over HTTP; without it, no traces are sent.
        otlp_endpoint: Option<Url> = optional(web_address), Hidden("http://localhost:4318");
        /// A file with headers that it asks for, such as `Authorization: Bearer ...`, one a line.
        headers_file: Option<HeaderFile> = optional(header_file), Hidden("otlp.headers");
    }
}

/// How threads of Gitter look in Matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// As threads, with the fallback for clients that know only replies.
    Thread,
    /// As plain replies.
    Reply,
}

const THREADS: [(&str, Threads); 2] = [("thread", Threads::Thread), ("reply", Threads::Reply)];

/// When ghosts join Matrix rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// When they first speak.
    Lazy,
    /// When their Gitter user is in the Gitter room.
    Mirror,
}

const MEMBERSHIP: [(&str, Membership); 2] = [("lazy", Membership::Lazy), ("mirror", Membership::Mirror)];

/// What becomes of reactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reactions {
    /// They are skipped.
    Ignore,
    /// Each is a line in the message's thread.
    Thread,
}

const REACTIONS: [(&str, Reactions); 2] = [("ignore", Reactions::Ignore), ("thread", Reactions::Thread)];

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// A JSON object a line.
    Json,
}

/// When a log file begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogRotation {
    /// It does not.
    Never,
    /// With the first line of each day.
    Daily,
    /// Before it gets larger than so many bytes.
    Size(u64),
}

const FORMATS: [(&str, LogFormat); 2] = [("pretty", LogFormat::Pretty), ("json", LogFormat::Json)];
