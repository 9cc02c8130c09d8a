//! The configuration: one YAML file, with variables of the environment over it (DESIGN 6.2).
//!
//! Every key is declared once, in `config/sections.rs`; the reading, the documentation and the example file
//! come from there. All problems are found at once, each with its key and its line, and none repeats a
//! value, since any value may be a secret. Secrets are [`secrecy::SecretString`]s and are read from their
//! files here; nothing else is opened, and nothing is connected to.

mod access;
mod database;
pub(crate) mod document;
mod example;
mod headers;
mod problem;
pub mod secret;
pub(crate) mod section;
mod sections;
pub(crate) mod template;
mod value;

#[cfg(test)]
mod tests;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

pub(crate) use self::problem::listed;
pub use self::{
    access::{Permission, Permissions, RoomPatterns},
    database::DatabaseUrl,
    example::example,
    headers::HeaderFile,
    problem::{ConfigError, Problem},
    secret::SecretFile,
    sections::{
        Admin, Appservice, Bridge, Database, Gitter, Homeserver, LogFormat, LogRotation, Logging, Media,
        Membership, Reactions, Telemetry, Threads,
    },
    value::LONGEST_PUBLIC_URL,
};
use self::{section::Reader, sections::General};

/// The whole configuration. Paths in it are ready to use: relative ones start from the file's folder.
#[derive(Debug, Clone)]
pub struct Config {
    /// The one folder that the bridge writes to: database, caches, generated secrets and logs.
    pub data_dir: PathBuf,
    /// The Matrix homeserver.
    pub homeserver: Homeserver,
    /// What the homeserver knows of the bridge.
    pub appservice: Appservice,
    /// The Gitter server, and the account that the bridge posts with.
    pub gitter: Gitter,
    /// Where the bridge keeps its state.
    pub database: Database,
    /// What crosses, and how it looks.
    pub bridge: Bridge,
    /// Files and pictures.
    pub media: Media,
    /// The operators' door.
    pub admin: Admin,
    /// What the bridge tells of its work.
    pub logging: Logging,
    /// Traces for a collector.
    pub telemetry: Telemetry,
}

impl Config {
    /// Reads a configuration file, with the variables of this process's environment over it.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::load_with(file, false)
    }

    /// The same, but the Gitter token may still be missing.
    pub fn load_without_token(file: &Path) -> Result<Self, ConfigError> {
        Self::load_with(file, true)
    }

    fn load_with(file: &Path, may_lack_secrets: bool) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(file).map_err(|source| ConfigError::Unreadable {
            path: file.to_owned(),
            source,
        })?;
        let variables = env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        Self::read_with(file, &text, variables, may_lack_secrets)
    }

    /// Reads the text of a configuration file, with variables over it, which are pairs of name and value.
    /// The file's name says where relative paths start, and stands in messages.
    pub fn read(
        file: &Path,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::read_with(file, text, variables, false)
    }

    fn read_with(
        file: &Path,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
        may_lack_secrets: bool,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(file, text, variables).map_err(ConfigError::Problems)?;
        if may_lack_secrets {
            reader.let_secrets_lack();
        }
        let config = Self::read_sections(&mut reader, may_lack_secrets);
        match (config, reader.finish(&sections::SECTIONS)) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(ConfigError::Problems(problems)),
        }
    }

    fn read_sections(reader: &mut Reader, may_lack_secrets: bool) -> Option<Self> {
        let general = General::read(reader);
        if let Some(general) = &general {
            reader.set_data_folder(general.data_dir.clone());
        }
        let homeserver = Homeserver::read(reader);
        let appservice = Appservice::read(reader);
        let gitter = Gitter::read(reader);
        if let Some(gitter) = &gitter {
            gitter.check_tokens(reader, may_lack_secrets);
        }
        let database = Database::read(reader);
        let bridge = Bridge::read(reader);
        let media = Media::read(reader);
        let admin = Admin::read(reader);
        let logging = Logging::read(reader);
        let telemetry = Telemetry::read(reader);
        Some(Self {
            data_dir: general?.data_dir,
            homeserver: homeserver?,
            appservice: appservice?,
            gitter: gitter?,
            database: database?,
            bridge: bridge?,
            media: media?,
            admin: admin?,
            logging: logging?,
            telemetry: telemetry?,
        })
    }
}

impl Gitter {
    /// The tokens that the bridge posts with: at least one, unless the configuration may lack it.
    pub fn access_tokens(&self) -> impl Iterator<Item = &SecretString> {
        let from_file = self.token_file.as_ref().and_then(|file| file.secret.as_ref());
        self.token.iter().chain(from_file).chain(&self.tokens)
    }

    fn check_tokens(&self, reader: &mut Reader, may_lack: bool) {
        let set = [
            self.token.is_some(),
            self.token_file.is_some(),
            !self.tokens.is_empty(),
        ];
        match set.iter().filter(|set| **set).count() {
            0 if may_lack => {}
            0 => reader.refuse(
                None,
                "gitter.token_file",
                "is missing, and so are its alternatives gitter.token and gitter.tokens; \
                 set one of them, for example `token_file: gitter.token`",
            ),
            1 => {}
            _ => reader.refuse(
                None,
                "gitter.token_file",
                "is not the only one: of gitter.token_file, gitter.token and gitter.tokens set one \
                 (an empty environment variable takes away what the file says)",
            ),
        }
    }
}

impl Appservice {
    /// Where the homeserver reaches the bridge, without a slash at the end.
    pub fn url_for_homeserver(&self) -> String {
        match &self.url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }
}
