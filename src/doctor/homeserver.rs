//! The homeserver: it is there, knows the bridge, and reaches it.

use std::fmt::Display;

use bytesize::ByteSize;
use http::StatusCode;
use ruma::UserId;
use tokio::time::timeout;

use super::{PATIENCE, bot};
use crate::{
    check::Checks,
    config::Config,
    matrix::{ClientSettings, DeviceMemory, MatrixClient, MatrixError},
    registration::{self, OtherName, Registration},
};

const REACHED: &str = "homeserver";
const TOKEN: &str = "homeserver_token";
const DEVICES: &str = "homeserver_devices";
const MEDIA: &str = "homeserver_media";
const PING: &str = "homeserver_to_bridge";

pub(super) async fn examine(config: &Config, registration: Option<&Registration>, checks: &mut Checks) {
    let Some(registration) = registration else {
        for check in [REACHED, TOKEN, DEVICES, MEDIA, PING] {
            checks.untried(check, "registration");
        }
        return;
    };
    let client = UserId::parse(bot(config, registration))
        .map_err(|error| error.to_string())
        .and_then(|bot| {
            MatrixClient::new(ClientSettings {
                homeserver_url: config.homeserver.url.clone(),
                as_token: registration.as_token.clone(),
                bot,
                appservice_id: registration.id.clone(),
            })
            .map_err(|error| error.to_string())
        });
    match client {
        Ok(client) => ask(config, &client, checks).await,
        Err(error) => {
            checks.failed(REACHED, error, "correct sender_localpart in the registration");
            for check in [TOKEN, DEVICES, MEDIA, PING] {
                checks.untried(check, REACHED);
            }
        }
    }
}

async fn ask(config: &Config, client: &MatrixClient, checks: &mut Checks) {
    let url = &config.homeserver.url;
    if let Err(error) = patient(client.versions()).await {
        checks.failed(
            REACHED,
            format!("{url} does not answer as a homeserver: {error}"),
            "check homeserver.url, and that the homeserver runs",
        );
        for check in [TOKEN, DEVICES, MEDIA, PING] {
            checks.untried(check, REACHED);
        }
        return;
    }
    checks.passed(REACHED, format!("{url} answers"));

    if !is_known(config, client, checks).await {
        for check in [DEVICES, MEDIA, PING] {
            checks.untried(check, TOKEN);
        }
        return;
    }
    checks.passed(TOKEN, format!("it knows {} and the bridge's token", client.bot()));

    match patient(client.device_memory(client.bot())).await {
        Ok(DeviceMemory::Durable) => {
            checks.passed(
                DEVICES,
                "ghosts get devices, so a repeated send is known as one for a day",
            );
        }
        Ok(DeviceMemory::None) => checks.advised(
            DEVICES,
            "it gives ghosts no devices: events are looked for before any repeat, which is slower",
            "nothing has to be done; newer homeservers do better (MSC4190)",
        ),
        Err(error) => checks.failed(
            DEVICES,
            error.to_string(),
            "see the homeserver's log; the bridge asks at every start",
        ),
    }
    media(client, checks).await;
    ping(config, client, checks).await;
}

/// Whether the bridge may read files there, and what it may upload.
async fn media(client: &MatrixClient, checks: &mut Checks) {
    match patient(client.upload_limit()).await {
        Ok(Some(limit)) => checks.passed(
            MEDIA,
            format!("it knows authenticated media, and takes files of up to {}", ByteSize(limit)),
        ),
        Ok(None) => checks.passed(MEDIA, "it knows authenticated media, and names no limit"),
        Err(Refusal::Matrix(error)) if error.is("M_UNRECOGNIZED") => checks.advised(
            MEDIA,
            "it is older than Matrix 1.11: files of Matrix do not reach Gitter",
            "update the homeserver",
        ),
        Err(error) => checks.failed(
            MEDIA,
            error.to_string(),
            "see the homeserver's log; does a proxy before it pass /_matrix/client/v1/media/ on to something else?",
        ),
    }
}

/// Whether the homeserver knows the bridge, by the name that it has here, and lets it have ghosts.
async fn is_known(config: &Config, client: &MatrixClient, checks: &mut Checks) -> bool {
    if let Err(error) = patient(client.register(client.bot())).await {
        token_refused(&error, checks);
        return false;
    }
    let sender = match patient(client.sender()).await {
        Ok(sender) => sender,
        Err(error) => {
            token_refused(&error, checks);
            return false;
        }
    };
    if let Err(other) = OtherName::check(client.bot(), sender) {
        checks.failed(TOKEN, other.to_string(), other.mend());
        return false;
    }
    let Some(probe) = registration::probe_ghost(config) else {
        return true;
    };
    if let Err(error) = patient(client.register_probe(&probe)).await {
        token_refused(&error, checks);
        return false;
    }
    true
}

fn token_refused(error: &Refusal, checks: &mut Checks) {
    let (detail, mend) = match error {
        Refusal::Matrix(error) if error.status() == Some(StatusCode::UNAUTHORIZED) => (
            format!("the homeserver does not know the bridge's token: {error}"),
            "name the registration in the homeserver's configuration (Synapse: app_service_config_files), let both \
             have the same file, and restart the homeserver",
        ),
        Refusal::Matrix(error) if error.is("M_EXCLUSIVE") => (
            format!(
                "the homeserver has another registration, by which the bridge may not have its users: {error}"
            ),
            "let the homeserver have the same registration as the bridge, and restart it (Synapse reads it only then)",
        ),
        error => (error.to_string(), "see the homeserver's log"),
    };
    checks.failed(TOKEN, detail, mend);
}

async fn ping(config: &Config, client: &MatrixClient, checks: &mut Checks) {
    match patient(client.ping(&format!("{:016x}", rand::random::<u64>()))).await {
        Ok(time) => checks.passed(PING, format!("it reaches the bridge, in {} ms", time.as_millis())),
        Err(Refusal::Matrix(error))
            if error.status() == Some(StatusCode::NOT_FOUND) && error.is("M_UNRECOGNIZED") =>
        {
            checks.advised(
                PING,
                "the homeserver has no ping, so the way back is not known",
                "send a message in a linked room and see whether it crosses",
            );
        }
        Err(error) => checks.failed(
            PING,
            format!("the homeserver does not reach the bridge: {error}"),
            format!(
                "the homeserver calls url of its registration: is {} right as seen from there, and does \
                 appservice.listen ({}) accept connections from there? In a container 127.0.0.1 is the container itself",
                config.appservice.url_for_homeserver(),
                config.appservice.listen
            ),
        ),
    }
}

/// Why there is no answer.
enum Refusal {
    Matrix(MatrixError),
    Late,
}

impl Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Matrix(error) => error.fmt(formatter),
            Self::Late => write!(formatter, "no answer within {} s", PATIENCE.as_secs()),
        }
    }
}

async fn patient<T>(asking: impl Future<Output = Result<T, MatrixError>>) -> Result<T, Refusal> {
    match timeout(PATIENCE, asking).await {
        Ok(answer) => answer.map_err(Refusal::Matrix),
        Err(_) => Err(Refusal::Late),
    }
}
