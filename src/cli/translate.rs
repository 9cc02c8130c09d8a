//! `translate`: fixtures in, one a line, and out what they translate to (DESIGN 6.4). It reads no
//! configuration and opens nothing.

use std::io::{self, BufRead as _};

use anyhow::Context as _;
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{Exit, output};
use crate::translate::{Context, to_gitter, to_matrix};

/// What to put in and what comes out, with an example.
fn manual(command: &str, fixtures: &str) -> String {
    format!(
        "Each line of the standard input is a JSON object with `context` and `input`. For each, one line of JSON is \
         printed, in the same order. A line that is none prints {{\"error\": \"...\"}}, and the exit code is 1.\n\n\
         Example:\n  jq -c '.[]' tests/fixtures/{fixtures}/*.json | gitter-matrix-bridge translate {command}"
    )
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum Command {
    /// Translate Matrix events to what is sent to Gitter
    #[command(after_help = manual("to-gitter", "to_gitter"))]
    ToGitter,
    /// Translate what happened to Gitter messages to what is sent to Matrix
    #[command(after_help = manual("to-matrix", "to_matrix"))]
    ToMatrix,
}

/// A fixture, as far as it is needed here.
#[derive(Deserialize)]
struct Fixture<Input> {
    context: Context,
    input: Input,
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    let mut input = io::stdin().lock();
    let mut exit = Exit::Done;
    let mut line = Vec::new();
    while input
        .read_until(b'\n', &mut line)
        .context("cannot read the standard input")?
        > 0
    {
        let translation = match command {
            Command::ToGitter => translate(&line, |fixture: Fixture<Box<RawValue>>| {
                to_gitter::translate(&fixture.input, &fixture.context)
            }),
            Command::ToMatrix => translate(&line, |fixture: Fixture<to_matrix::Operation>| {
                to_matrix::translate(&fixture.input, &fixture.context)
            }),
        };
        let told = translation.unwrap_or_else(|error| {
            exit = Exit::Failed;
            json!({ "error": format!("this line is not a fixture: {error}") }).to_string()
        });
        output::line(told)?;
        line.clear();
    }
    Ok(exit)
}

fn translate<'a, Input, Output>(
    line: &'a [u8],
    translate: impl FnOnce(Fixture<Input>) -> Output,
) -> Result<String, serde_json::Error>
where
    Input: Deserialize<'a>,
    Output: Serialize,
{
    serde_json::to_string(&translate(serde_json::from_slice(line)?))
}
