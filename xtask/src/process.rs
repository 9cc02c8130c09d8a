//! Child processes that never outlive their parent.
//!
//! Each is the leader of a process group of its own, so that Ctrl-C at the terminal reaches only the parent,
//! which then stops its children in order, and so that what a child starts is stopped with it. Where
//! `setpriv` is there (Linux), the kernel ends the child when the parent is killed. It does so already when
//! the thread ends that started the child: start none from `spawn_blocking`, whose threads come and go.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
pub use rustix::process::Signal;
use rustix::process::{Pid, WaitOptions, kill_process_group, waitpid};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{packages, wait::until};

/// How long a process may take to end by itself once asked.
const GRACE: Duration = Duration::from_secs(15);

/// A command whose process dies with this one.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    guarded(&[], program.as_ref())
}

/// Like [`command`], and as another user; only root may.
pub fn command_as(user: &str, group: &str, program: impl AsRef<OsStr>) -> Command {
    let options = [
        format!("--reuid={user}"),
        format!("--regid={group}"),
        "--init-groups".to_owned(),
    ];
    guarded(&options, program.as_ref())
}

fn guarded(options: &[String], program: &OsStr) -> Command {
    if !options.is_empty() || packages::find("setpriv").is_some() {
        let mut command = Command::new("setpriv");
        command
            .args(options)
            .args(["--pdeathsig=KILL", "--"])
            .arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// Runs a command to its end and gives what it printed on stdout. Dropping the future kills it and all it
/// started.
///
/// # Errors
/// When it cannot be started or fails, with what it printed (on stderr, only where the caller piped that).
pub async fn output(command: &mut Command) -> Result<String> {
    let name = words(command.as_std());
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    let mut group = Group::of(&child)?;
    let output = child.wait_with_output().await.context("waiting for a command")?;
    group.0 = None;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    bail!("{name} failed ({}):\n{printed}{complaint}", output.status)
}

/// A command as a person would type it, without what [`command`] puts before it.
fn words(command: &std::process::Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    let typed = words
        .iter()
        .position(|word| word == "--")
        .map_or(0, |guard| guard + 1);
    words.get(typed..).unwrap_or_default().join(" ")
}

/// A process group that is killed when this is dropped; `None` once it has ended, since its number may then
/// belong to another.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &Child) -> Result<Self> {
        let id = leader.id().and_then(|id| i32::try_from(id).ok());
        let pid = id.and_then(Pid::from_raw).context("a process has no id")?;
        Ok(Self(Some(pid)))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It fails only when the whole group is gone, which is what the caller wants.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if self.0.is_some() {
            // Else it would stay a zombie until this process ends. What was killed is dead in no time.
            let _ = waitpid(self.0, WaitOptions::empty());
        }
    }
}

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    group: Group,
    log: PathBuf,
}

impl Process {
    /// Starts a command made by [`command`]; what it prints is appended to the file `log`.
    ///
    /// # Errors
    /// When the program cannot be started or the log cannot be written.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let file = open_log(log)?;
        let second = file.try_clone().context("sharing a log file")?;
        Self::spawn(name, command.stdout(file).stderr(second), log)
    }

    /// Like [`Process::start`], but waits for the first line on stdout and gives it too. Only what is
    /// printed on stderr is logged.
    ///
    /// # Errors
    /// When the program cannot be started, or ends before it prints a line.
    pub async fn start_and_read_line(
        name: &str,
        command: &mut Command,
        log: &Path,
    ) -> Result<(Self, String)> {
        let file = open_log(log)?;
        let mut process = Self::spawn(name, command.stdout(Stdio::piped()).stderr(file), log)?;
        let stdout = process
            .child
            .stdout
            .take()
            .with_context(|| format!("{name} has no stdout"))?;
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(GRACE, lines.next_line())
            .await
            .with_context(|| process.failure("printed nothing"))??;
        let Some(line) = first else {
            bail!("{}", process.failure("ended at once"));
        };
        // A program whose stdout nobody reads would stop once the pipe is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok((process, line))
    }

    fn spawn(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            group: Group::of(&child)?,
            child,
            log: log.to_owned(),
        })
    }

    /// Waits until `probe` finds the program ready. An error of the probe means that it is not yet.
    ///
    /// # Errors
    /// When the program ends or `limit` is over; with the end of its log.
    pub async fn ready(
        &mut self,
        limit: Duration,
        mut probe: impl AsyncFnMut() -> Result<bool>,
    ) -> Result<()> {
        let what = format!("{} to be ready", self.name);
        let ready = until(&what, limit, async || {
            let ended = self.check().is_err();
            Ok((ended || probe().await?).then_some(()))
        })
        .await;
        self.check()?;
        ready.with_context(|| self.failure("did not become ready"))
    }

    /// Fails if the program has ended.
    ///
    /// # Errors
    /// When it has ended, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait().context("looking at a process")? {
            Some(status) => bail!("{}", self.failure(&format!("ended with {status}"))),
            None => Ok(()),
        }
    }

    /// What is wrong with the program, with the end of its log.
    pub fn failure(&self, what: &str) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let skipped = log.lines().count().saturating_sub(15);
        let end: Vec<&str> = log.lines().skip(skipped).collect();
        let path = self.log.display();
        format!("{} {what}; its log is {path}:\n{}", self.name, end.join("\n"))
    }

    /// Asks the program and all it started to end, and kills what does not.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn stop(self) -> Result<()> {
        self.stop_by(Signal::TERM).await
    }

    /// Like [`Process::stop`], asking with another signal.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn stop_by(mut self, signal: Signal) -> Result<()> {
        self.group.signal(signal);
        if timeout(GRACE, self.child.wait()).await.is_err() {
            eprintln!("{} did not stop when asked; it is killed", self.name);
        }
        self.kill().await
    }

    /// Kills the program and all it started, giving them no chance to do anything more.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(mut self) -> Result<()> {
        self.group.signal(Signal::KILL);
        self.group.0 = None;
        self.child.wait().await.context("waiting for a process")?;
        Ok(())
    }
}

fn open_log(log: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("opening the log {}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts a shell that starts another process, and gives that one's id.
    async fn start_family(log: &Path) -> (Process, String) {
        let mut shell = command("sh");
        shell.args(["-c", "sleep 1000 & echo $!; wait"]);
        Process::start_and_read_line("A shell", &mut shell, log)
            .await
            .unwrap()
    }

    /// Waits until a process is gone, or dead and only not yet buried.
    async fn gone(id: &str) {
        let line = PathBuf::from(format!("/proc/{id}/cmdline"));
        until("a process to end", GRACE, async || {
            let running = std::fs::read(&line).is_ok_and(|line| !line.is_empty());
            Ok((!running).then_some(()))
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn what_a_process_started_is_stopped_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (process, child) = start_family(&folder.path().join("log")).await;
        process.stop().await.unwrap();
        gone(&child).await;
    }

    #[tokio::test]
    async fn dropping_a_process_ends_it_and_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let (process, child) = start_family(&folder.path().join("log")).await;
        drop(process);
        gone(&child).await;
    }

    #[tokio::test]
    async fn what_ended_by_itself_is_told_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut shell = command("sh");
        shell.args(["-c", "echo the disk is full >&2; exit 3"]);
        let mut process = Process::start("A shell", &mut shell, &log).unwrap();
        let error = until("the shell to end", GRACE, async || Ok(process.check().err()))
            .await
            .unwrap();
        let text = format!("{error:#}");
        assert!(text.contains("exit status: 3"), "{text}");
        assert!(text.contains("the disk is full"), "{text}");
        assert!(text.contains(log.to_str().unwrap()), "{text}");
    }

    #[tokio::test]
    async fn a_failed_command_is_told_with_what_it_printed() {
        let mut shell = command("sh");
        shell
            .args(["-c", "echo half a result; echo no route >&2; false"])
            .stderr(Stdio::piped());
        let error = output(&mut shell).await.unwrap_err().to_string();
        assert!(error.starts_with("sh -c echo half"), "{error}");
        assert!(error.contains("half a result"), "{error}");
        assert!(error.contains("no route"), "{error}");
    }
}
