//! Reaches both sides at the start, and waits for what may mend itself or be mended.

use std::{future::Future, path::Path, time::Duration};

use anyhow::Context as _;
use ruma::{OwnedUserId, UserId};
use secrecy::SecretString;
use tracing::{error, info, warn};

use super::{LONGEST_WAIT, Process};
use crate::{
    config::secret,
    gitter::{self, GitterClient, GitterError, is_same_token},
    health::Part,
    matrix::{DeviceMemory, MatrixClient, MatrixError},
    registration::{self, OtherName},
    store::{self, account::Account},
};

/// Between two looks at the file of a token that is refused.
const LOOK: Duration = Duration::from_secs(2);

impl Process<'_> {
    /// Reaches the homeserver, and learns whether it remembers transaction ids beyond its restart.
    pub(super) async fn reach_homeserver(&self) -> anyhow::Result<(MatrixClient, DeviceMemory)> {
        let (bot, matrix) = (self.bot()?, self.matrix_client()?);
        let sender = self
            .until_answered(HOMESERVER, || meet_homeserver(&matrix, &bot), matrix_waits)
            .await
            .map_err(|error| refused(HOMESERVER, error))?;
        OtherName::check(&bot, sender).map_err(|other| {
            let mend = other.mend();
            anyhow::Error::new(other).context(mend)
        })?;
        let probe = registration::probe_ghost(self.config);
        let memory = self
            .until_answered(
                HOMESERVER,
                || test_homeserver(&matrix, &bot, probe.as_deref()),
                matrix_waits,
            )
            .await
            .map_err(|error| refused(HOMESERVER, error))?;
        self.health.works(Part::Homeserver);
        if memory == DeviceMemory::None {
            info!(
                "The homeserver has no devices for application services; events are looked for before a repeat"
            );
        }
        // It ends the homeserver's back-off. Its failure is for the log: events come when they come.
        match matrix.ping(&format!("{:016x}", rand::random::<u64>())).await {
            Ok(time) => info!(
                milliseconds = time.as_millis(),
                "The homeserver reaches the bridge"
            ),
            Err(error) => warn!(error = %error, url = self.registration.url.as_deref().unwrap_or_default(),
                "The homeserver does not reach the bridge; check appservice.url, and url in the registration"),
        }
        Ok((matrix, memory))
    }

    pub(super) async fn reach_gitter(&self) -> anyhow::Result<(GitterClient, Account)> {
        let settings = &self.config.gitter;
        let file = settings.token_file.as_ref().map(|file| file.path.as_path());
        let token = settings.access_tokens().next();
        let mut token = token.context("gitter.token_file is missing")?.clone();
        let (gitter, account) = loop {
            let gitter = GitterClient::new(&gitter::ClientSettings {
                api_url: settings.api_url.clone(),
                token: token.clone().into(),
            })?;
            match self
                .until_answered(GITTER, || meet_gitter(&gitter), gitter_waits)
                .await
            {
                Ok(account) => break (gitter, account),
                Err(GitterError::Unauthorized { .. }) if let Some(file) = file => {
                    error!(
                        file = %file.display(),
                        "Gitter refuses the token in gitter.token_file; put a valid one of the bridge's account there: \
                         it is read again without a restart"
                    );
                    self.health.lacks(
                        Part::Account,
                        "Gitter refuses the account's token: put a valid one into gitter.token_file",
                    );
                    token = other_token(file, &token).await;
                }
                Err(error) => return Err(refused(GITTER, error)),
            }
        };
        info!(account.name = account.username, account.id = %account.user_id, "Gitter knows the account");
        self.health.works(Part::Account);
        let mut tx = self.db.write().await?;
        store::account::record_account(&mut tx, &account, jiff::Timestamp::now().as_millisecond()).await?;
        tx.commit().await?;
        Ok((gitter, account))
    }

    /// Tries until a side answers; says once per try what it waits for.
    ///
    /// # Errors
    /// What waiting does not help against.
    async fn until_answered<T, E, F>(
        &self,
        side: Side,
        mut ask: impl FnMut() -> F,
        waits: fn(&E) -> bool,
    ) -> Result<T, E>
    where
        E: std::error::Error,
        F: Future<Output = Result<T, E>>,
    {
        let mut wait = Duration::from_secs(1);
        loop {
            match ask().await {
                Err(error) if waits(&error) => {
                    self.health.lacks(side.part, side.away);
                    warn!(side.name, error = %error, seconds = wait.as_secs(), "Waiting for a side to answer");
                }
                answer => return answer,
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// The bot exists; gives the homeserver's name for it.
async fn meet_homeserver(
    matrix: &MatrixClient,
    bot: &OwnedUserId,
) -> Result<Option<OwnedUserId>, MatrixError> {
    matrix.register(bot).await?;
    matrix.sender().await
}

/// The homeserver lets the bridge have ghosts, as far as it tells; gives its memory of transaction ids.
async fn test_homeserver(
    matrix: &MatrixClient,
    bot: &OwnedUserId,
    probe: Option<&UserId>,
) -> Result<DeviceMemory, MatrixError> {
    if let Some(probe) = probe {
        matrix.register_probe(probe).await?;
    }
    matrix.device_memory(bot).await
}

async fn meet_gitter(gitter: &GitterClient) -> Result<Account, GitterError> {
    let user = gitter.current_user().await?;
    let user_id = user.id.parse().map_err(|_| GitterError::Unauthorized {
        endpoint: "current user",
        login_required: false,
    })?;
    Ok(Account {
        user_id,
        username: user.username,
    })
}

/// Whether waiting may help: it does not against a refused token.
fn matrix_waits(error: &MatrixError) -> bool {
    error
        .status()
        .is_none_or(|status| status.is_server_error() || status.as_u16() == 429)
        && !matches!(error, MatrixError::Unwritable { .. })
}

fn gitter_waits(error: &GitterError) -> bool {
    match error {
        GitterError::Status { status, .. } => status.is_server_error(),
        GitterError::Unauthorized { .. } => false,
        _ => true,
    }
}

/// A side that has to answer at the start.
#[derive(Clone, Copy)]
struct Side {
    name: &'static str,
    part: Part,
    /// What is said of it while it does not answer.
    away: &'static str,
    /// What to do when it refuses the bridge.
    mend: &'static str,
}

const HOMESERVER: Side = Side {
    name: "the homeserver",
    part: Part::Homeserver,
    away: "the homeserver does not answer at homeserver.url",
    mend: "name the registration in app_service_config_files of its configuration, let both have the same file, \
           and restart it",
};

const GITTER: Side = Side {
    name: "Gitter",
    part: Part::Account,
    away: "Gitter does not answer at gitter.api_url",
    mend: "put a valid token of the bridge's account into gitter.token_file",
};

/// The next token that a file holds.
async fn other_token(file: &Path, refused: &SecretString) -> SecretString {
    loop {
        tokio::time::sleep(LOOK).await;
        // Where the file cannot be read, or is just being written, the next look sees more.
        if let Ok(found) = secret::read(file)
            && !is_same_token(&found, refused)
        {
            return found;
        }
    }
}

fn refused(side: Side, error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("{} refuses the bridge; {}", side.name, side.mend))
}
