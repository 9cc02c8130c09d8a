//! `cargo xtask fuzz`: the targets of `fuzz/`, each for some time, from seeds made of the fixtures.
//!
//! A stable compiler is enough: what libFuzzer needs of it are flags of LLVM. Only the sanitizers want a nightly one, and
//! there is no unsafe code here for them to look at. `cargo fuzz run --sanitizer none TARGET` does the same.

mod seeds;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use comfy_table::{Table, presets};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::{packages, progress::step, workspace};

/// Has LLVM count edges and tell comparisons, as cargo-fuzz does.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The longest that one input may take, in seconds, and the most memory, in MiB.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=1024"];

/// What a target came to.
#[derive(Debug, Default)]
struct Run {
    executions: u64,
    coverage: u64,
    status: Option<ExitStatus>,
    /// The end of what it said, if it failed.
    end: Vec<String>,
}

/// Runs a target, or all, each for so many seconds, and prints what came of them. Whether nothing was found.
///
/// # Errors
/// When there is no such target, or it cannot be built or started.
pub async fn run(target: Option<&str>, seconds: u32) -> Result<bool> {
    let all = targets(&folder())?;
    let chosen: Vec<&String> = all
        .iter()
        .filter(|name| target.is_none_or(|target| target == name.as_str()))
        .collect();
    ensure!(
        !chosen.is_empty(),
        "there is no such target; there are {}",
        all.join(", ")
    );
    if packages::find("c++").is_none() {
        packages::install("g++").await?;
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["target", "executions", "edges", "found"]);
    let mut ok = true;
    for name in chosen {
        step(&format!("Build {name}"), build(name)).await?;
        let corpus = folder().join("corpus").join(name);
        seeds::write(name, &corpus)?;
        let run = step(&format!("Run {name}"), fuzz(name, &corpus, seconds)).await?;
        let found = !run.status.is_some_and(|status| status.success());
        if found {
            eprintln!("{}", run.end.join("\n"));
        }
        ok &= !found;
        table.add_row([
            name.clone(),
            run.executions.to_string(),
            run.coverage.to_string(),
            if found { "something: see above" } else { "nothing" }.to_owned(),
        ]);
    }
    eprintln!();
    println(&table.to_string());
    Ok(ok)
}

#[expect(clippy::print_stdout, reason = "the report is for stdout")]
fn println(text: &str) {
    println!("{text}");
}

/// The crate of the targets.
fn folder() -> PathBuf {
    workspace::root().join("fuzz")
}

/// The names of all targets.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let folder = folder.join("targets");
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// A command of cargo for a target. The flags are for the target's own code alone, not for what runs at the build.
fn cargo(command: &str, name: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo
        .args([
            command,
            "--quiet",
            "--locked",
            "--manifest-path",
            "fuzz/Cargo.toml",
        ])
        .args([
            "--target",
            "host-tuple",
            "--target-dir",
            "target/fuzz",
            "--bin",
            name,
        ])
        .env("RUSTFLAGS", FLAGS);
    cargo
}

async fn build(name: &str) -> Result<()> {
    let status = cargo("build", name).status().await.context("running cargo")?;
    ensure!(status.success(), "cargo ended with {status}");
    Ok(())
}

async fn fuzz(name: &str, corpus: &Path, seconds: u32) -> Result<Run> {
    let artifacts = folder().join("artifacts").join(name);
    fs::create_dir_all(&artifacts)?;
    let mut child = cargo("run", name)
        .arg("--")
        .arg(corpus)
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg("-print_final_stats=1")
        .args(LIMITS)
        .stderr(Stdio::piped())
        .spawn()
        .context("running cargo")?;
    let Some(stderr) = child.stderr.take() else {
        bail!("its stderr is not there");
    };
    let mut run = Run::default();
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        run.hear(&String::from_utf8_lossy(&line));
    }
    run.status = Some(child.wait().await?);
    Ok(run)
}

impl Run {
    /// Takes in a line of libFuzzer's.
    fn hear(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("stat::number_of_executed_units:") => {
                self.executions = number(words.next()).unwrap_or(self.executions);
            }
            Some(first) if first.starts_with('#') => {
                self.executions = number(first.strip_prefix('#')).unwrap_or(self.executions);
                self.coverage =
                    number(words.skip_while(|word| *word != "cov:").nth(1)).unwrap_or(self.coverage);
                return;
            }
            _ => {}
        }
        // The bytes of an input are in its file; here they would only be long.
        self.end.push(line.chars().take(1_000).collect());
        let surplus = self.end.len().saturating_sub(40);
        self.end.drain(..surplus);
    }
}

fn number(word: Option<&str>) -> Option<u64> {
    word?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_and_coverage_are_read_from_what_libfuzzer_says() {
        let mut run = Run::default();
        run.hear("#1024\tpulse  cov: 77 ft: 90 corp: 3/9b lim: 4 exec/s: 512 rss: 40Mb");
        run.hear("thread panicked");
        assert_eq!((run.executions, run.coverage), (1024, 77));
        run.hear("stat::number_of_executed_units: 2000");
        assert_eq!(run.executions, 2000);
        assert_eq!(run.end.len(), 2);
    }

    #[test]
    fn every_target_is_built_and_has_seeds() {
        let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
        for name in targets(&folder()).unwrap() {
            assert!(
                manifest.contains(&format!("path = \"targets/{name}.rs\"")),
                "{name}"
            );
            assert!(!seeds::of(&name).unwrap().is_empty(), "{name}");
        }
    }
}
