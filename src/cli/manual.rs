//! `completions` and `man`: what shells and `man` know of the commands, made of the same definition as `--help`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Exit, output};

const PROGRAM: &str = "gitter-matrix-bridge";

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  gitter-matrix-bridge completions bash > ~/.local/share/bash-completion/completions/gitter-matrix-bridge"
)]
pub(super) struct CompletionArguments {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        gitter-matrix-bridge man | man -l -\n  \
        gitter-matrix-bridge man -o /usr/local/share/man/man1")]
pub(super) struct ManArguments {
    /// Write a page for each command into a folder, instead of printing the first
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(super) fn completions(arguments: &CompletionArguments) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), PROGRAM, &mut script);
    output::bytes(&script)?;
    Ok(Exit::Done)
}

pub(super) fn pages(arguments: &ManArguments) -> anyhow::Result<Exit> {
    if let Some(folder) = &arguments.output {
        return write(folder);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    output::bytes(&page)?;
    Ok(Exit::Done)
}

fn write(folder: &Path) -> anyhow::Result<Exit> {
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    output::line(format_args!("Wrote the pages to {}.", folder.display()))?;
    Ok(Exit::Done)
}
