//! Tells people what the admin API answered: as it is, or in words.

use std::io::{self, Write as _};

use super::{
    Exit,
    admin::{Answer, Check, Checks},
    output::{self, Tone, toned},
};

/// Tells an answer: as it is, or a success in the way given, or why not and what to mend.
pub(super) fn tell(
    answer: &Answer,
    json: bool,
    success: impl FnOnce(&Answer) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    if json {
        if !answer.body.is_empty() {
            output::line(answer.body.trim_end_matches('\n'))?;
        }
        return Ok(exit_for_json(answer));
    }
    if answer.status.is_success() {
        return success(answer);
    }
    let refusal = answer.refusal()?;
    if !refusal.checks.is_empty() {
        output::line(check_table(&refusal.checks))?;
    }
    let mut message = format!("error: {} ({})", refusal.error, refusal.errcode);
    if let Some(mend) = refusal.mend {
        message.push_str("\nmend:  ");
        message.push_str(&mend);
    }
    // Where the error stream is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{message}");
    Ok(Exit::Failed)
}

/// A refusal fails, and so does a dry run with a failed check.
fn exit_for_json(answer: &Answer) -> Exit {
    let checks_passed = || {
        let checks = answer.read::<Checks>();
        checks.map_or(true, |checks| checks.checks.iter().all(|check| check.ok))
    };
    if answer.status.is_success() && checks_passed() {
        Exit::Done
    } else {
        Exit::Failed
    }
}

/// Checks as a table.
pub(super) fn check_table(checks: &[Check]) -> String {
    let rows = checks.iter().map(|check| {
        let text = |text: &Option<String>| toned(text.as_deref().unwrap_or_default(), Tone::Plain);
        [
            toned(&check.name, Tone::Plain),
            output::result(check.ok, check.mend.as_deref().unwrap_or_default()),
            text(&check.detail),
            text(&check.mend),
        ]
    });
    output::table(["CHECK", "RESULT", "DETAIL", "MEND"], rows)
}
