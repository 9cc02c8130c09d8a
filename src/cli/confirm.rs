//! Asks whether something is really meant.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::Context as _;

use super::UsageError;

/// Makes sure that somebody can answer. Where nobody can, that is wrong usage, for the reason given.
pub(super) fn somebody_answers(otherwise: &'static str) -> Result<(), UsageError> {
    if io::stdin().is_terminal() {
        Ok(())
    } else {
        Err(UsageError(otherwise))
    }
}

/// Asks a question; whether the answer is yes.
pub(super) fn is_meant(question: &str) -> anyhow::Result<bool> {
    let mut prompt = io::stderr();
    write!(prompt, "{question} [y/N] ")
        .and_then(|()| prompt.flush())
        .context("cannot ask")?;
    let mut reply = String::new();
    io::stdin()
        .lock()
        .read_line(&mut reply)
        .context("cannot read the reply")?;
    Ok(matches!(reply.trim().to_lowercase().as_str(), "y" | "yes"))
}
