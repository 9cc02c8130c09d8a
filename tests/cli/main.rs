//! The built program, as people use it: what it prints, what it writes and how it ends.
#![cfg(test)]

mod account;
mod api;
mod config;
mod container;
mod examples;
mod forget;
mod health;
mod init;
mod item;
mod logging;
mod registration;
mod room;
mod status;
mod translate;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A folder with a usable configuration, to run the program in.
struct Place {
    folder: TempDir,
}

/// How a run of the program ended.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        place.write("config.yaml", &gitter_matrix_bridge::config::example());
        place.write("gitter.token", "S3CRET-of-gitter\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program, in this folder and without the variables of whoever runs the tests.
    fn program<Argument: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = Argument>) -> Command {
        program(self.folder.path(), arguments)
    }

    fn run<Argument: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = Argument>) -> Run {
        self.program(arguments).output().unwrap().into()
    }
}

fn program<Argument: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = Argument>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitter-matrix-bridge"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null());
    command
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Run {
    /// Makes sure of the exit code, and that nothing was said on the error stream.
    #[track_caller]
    fn printed(self, code: i32) -> String {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (Some(code), ""),
            "{}",
            self.stdout
        );
        self.stdout
    }

    /// Makes sure of the exit code, and that nothing was said on the standard output.
    #[track_caller]
    fn complained(self, code: i32) -> String {
        assert_eq!(
            (self.code, self.stdout.as_str()),
            (Some(code), ""),
            "{}",
            self.stderr
        );
        self.stderr
    }
}
