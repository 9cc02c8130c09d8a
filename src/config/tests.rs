//! What a configuration may say, and what is said about one that is wrong.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::ExposeSecret;

use super::*;

/// The shortest usable configuration.
const SHORTEST: &str = "\
homeserver:
  url: http://localhost:8008
  server_name: example.org
gitter:
  api_url: http://localhost:5000/api/v1
  realtime_url: http://localhost:5000/bayeux
  web_url: http://localhost:5000
  token: S3CRET-of-gitter
";

fn read(text: &str) -> Result<Config, ConfigError> {
    read_with(text, &[])
}

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(Path::new("conf/config.yaml"), text, variables)
}

/// The problems of a configuration, one a line. No message, however it is printed, may hold a secret.
fn problems(text: &str, variables: &[(&str, &str)]) -> String {
    let error = read_with(text, variables).expect_err(text);
    for printed in [error.to_string(), format!("{error:?}")] {
        assert!(!printed.contains("S3CRET"), "{printed}");
    }
    let ConfigError::Problems(problems) = error else {
        panic!("{error}");
    };
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

mod accepted;
mod refused;
