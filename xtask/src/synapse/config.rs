//! The homeserver's configuration: as a real one's, but open for registration and without limits.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::{Map, Value, json};
use url::Url;

use super::SERVER_NAME;

/// Synapse's request limits for which one rate and burst is enough.
const LIMITS: [&str; 14] = [
    "rc_message",
    "rc_registration",
    "rc_registration_token_validity",
    "rc_admin_redaction",
    "rc_joins_per_room",
    "rc_key_requests",
    "rc_3pid_validation",
    "rc_third_party_invite",
    "rc_media_create",
    "rc_delayed_event_mgmt",
    "rc_room_creation",
    "rc_reports",
    "rc_user_directory",
    "rc_profile",
];

/// Synapse's request limits that are told apart further.
const GROUPED_LIMITS: [(&str, &[&str]); 4] = [
    ("rc_login", &["address", "account", "failed_attempts"]),
    ("rc_joins", &["local", "remote"]),
    ("rc_invites", &["per_room", "per_user", "per_issuer"]),
    ("rc_presence", &["per_user"]),
];

/// Where [`write`] puts the configuration.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("homeserver.yaml")
}

/// Writes the configuration and, where there is none yet, the signing key.
pub(super) fn write(folder: &Path, url: &Url, registration: &Path) -> Result<()> {
    let key = folder.join("signing.key");
    if !key.exists() {
        // The format is "algorithm, version, unpadded base64 of the seed". Having Synapse make one costs
        // another two seconds.
        let seed = STANDARD_NO_PAD.encode(rand::random::<[u8; 32]>());
        save(&key, &format!("ed25519 a_demo {seed}\n"))?;
    }
    let mut config = settings(folder, url, registration, &key)?;
    config.extend(limits());
    // JSON is YAML.
    save(&path(folder), &serde_json::to_string_pretty(&config)?)
}

fn settings(folder: &Path, url: &Url, registration: &Path, key: &Path) -> Result<Map<String, Value>> {
    let listener = json!({
        "type": "http",
        "bind_addresses": [url.host_str()],
        "port": url.port(),
        "tls": false,
        "resources": [{ "names": ["client"] }],
    });
    let settings = json!({
        "server_name": SERVER_NAME,
        "public_baseurl": url,
        "pid_file": folder.join("synapse.pid"),
        "listeners": [listener],
        "database": { "name": "sqlite3", "args": { "database": folder.join("homeserver.db") } },
        "media_store_path": folder.join("media"),
        "signing_key_path": key,
        "macaroon_secret_key": STANDARD_NO_PAD.encode(rand::random::<[u8; 32]>()),
        "form_secret": STANDARD_NO_PAD.encode(rand::random::<[u8; 32]>()),
        "app_service_config_files": [std::path::absolute(registration)?],
        "enable_registration": true,
        "enable_registration_without_verification": true,
        // The least that bcrypt takes: people register in milliseconds.
        "bcrypt_rounds": 4,
        "report_stats": false,
        "presence": { "enabled": false },
        "trusted_key_servers": [],
        "federation_domain_whitelist": [],
    });
    match settings {
        Value::Object(settings) => Ok(settings),
        other => anyhow::bail!("settings are no object: {other}"),
    }
}

fn limits() -> impl Iterator<Item = (String, Value)> {
    let none = json!({ "per_second": 10_000, "burst_count": 10_000 });
    let grouped = {
        let none = none.clone();
        GROUPED_LIMITS.into_iter().map(move |(name, kinds)| {
            let limits: Map<String, Value> = kinds
                .iter()
                .map(|kind| ((*kind).to_owned(), none.clone()))
                .collect();
            (name.to_owned(), Value::Object(limits))
        })
    };
    LIMITS
        .into_iter()
        .map(move |name| (name.to_owned(), none.clone()))
        .chain(grouped)
}

fn save(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
