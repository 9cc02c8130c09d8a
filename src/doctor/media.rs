//! The address under which browsers fetch media: it leads to the bridge.

use std::{error::Error, time::Duration};

use url::Url;

use super::PATIENCE;
use crate::{check::Checks, config::Config, media::PROOF};

const CHECK: &str = "media_links";

/// What is read of an answer at most, in bytes.
const MOST: usize = 1_024;

pub(super) async fn examine(config: &Config, checks: &mut Checks) {
    let Some(public_url) = &config.appservice.public_url else {
        return checks.advised(
            CHECK,
            "files of Matrix cross as links to their events, which ask Gitter's people for a Matrix account",
            "set appservice.public_url to an address of the bridge that browsers reach",
        );
    };
    let address = format!("{}/media/health", public_url.as_str().trim_end_matches('/'));
    match answer(&address).await {
        Ok(Answer::Proof) => checks.passed(CHECK, format!("{public_url} leads to the bridge")),
        Ok(Answer::Other(status)) => checks.failed(
            CHECK,
            format!("{address} is answered by something else, with {status}"),
            format!(
                "let the proxy at appservice.public_url pass {}/media/ on to appservice.listen ({})",
                public_url.path().trim_end_matches('/'),
                config.appservice.listen
            ),
        ),
        // Not every network lets its own machines reach its public addresses.
        Err(error) => checks.advised(
            CHECK,
            format!("{address} cannot be reached from here: {error}"),
            "open that address from elsewhere; where it fails there as well, mend the proxy or appservice.public_url",
        ),
    }
}

enum Answer {
    Proof,
    Other(http::StatusCode),
}

async fn answer(address: &str) -> Result<Answer, String> {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE.min(Duration::from_secs(3)))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.to_string())?;
    let address = Url::parse(address).map_err(|error| error.to_string())?;
    let asked = client.get(address).send().await;
    let mut response = asked.map_err(|error| innermost(&error))?;
    let status = response.status();
    let mut body = Vec::new();
    while body.len() < MOST {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(innermost(&error)),
        }
    }
    let is_proof = status.is_success() && body == PROOF.as_bytes();
    Ok(if is_proof {
        Answer::Proof
    } else {
        Answer::Other(status)
    })
}

/// The cause of an error, without the address that is told beside it.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
