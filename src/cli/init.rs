//! `init`: asks what only the operator knows, writes the configuration and the registration, and looks whether
//! all is well.

use std::{
    fs,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use dialoguer::{Input, Password};
use url::{Host, Url};

use super::{Exit, UsageError, doctor, output, registration};
use crate::config::{
    Config, ConfigError, Problem,
    secret::{self, Existing},
};

/// The file of the account's token, beside the configuration.
const TOKEN_FILE: &str = "gitter.token";

#[derive(Debug, Args)]
#[command(after_help = "What no flag says is asked for, where there is a terminal.\n\n\
        Example, with nothing to answer:\n  \
        gitter-matrix-bridge init --homeserver-url http://localhost:8008 --server-name example.org \\\n    \
        --gitter-url https://gitter.example.org --gitter-token-from token.txt")]
pub(super) struct Arguments {
    /// Where the bridge reaches the homeserver
    #[arg(long, value_name = "URL")]
    homeserver_url: Option<String>,
    /// The part of its user ids after the colon
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// The Gitter site that people see; the API and the realtime server are taken to be below it
    #[arg(long, value_name = "URL")]
    gitter_url: Option<String>,
    /// Gitter's REST API, with the version [default: <gitter-url>/api/v1]
    #[arg(long, value_name = "URL")]
    gitter_api_url: Option<String>,
    /// Gitter's realtime server [default: <gitter-url>/bayeux]
    #[arg(long, value_name = "URL")]
    gitter_realtime_url: Option<String>,
    /// A file with the token of the Gitter account, `-` for the standard input
    #[arg(long, value_name = "FILE")]
    gitter_token_from: Option<PathBuf>,
    /// The one folder that the bridge writes to [default: the configuration's]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The database
    #[arg(long, value_name = "URL", default_value = "sqlite:bridge.db")]
    database: String,
    /// Where the bridge listens for the homeserver
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:29330")]
    listen: String,
    /// Where the homeserver reaches the bridge [default: http://<listen>]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Replace files that exist; the registration keeps its tokens all the same
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(file: &Path, arguments: Arguments) -> anyhow::Result<Exit> {
    if Url::parse(&arguments.database).is_ok_and(|url| url.password().is_some()) {
        return Err(UsageError(
            "a password on the command line can be seen by others: leave it out, and put it into database.url of the \
             configuration afterwards",
        )
        .into());
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let token_file = folder.join(TOKEN_FILE);
    for path in [file, &token_file] {
        if path.exists() && !arguments.force {
            anyhow::bail!("{} exists; say --force to replace it", path.display());
        }
    }
    let existing = if arguments.force {
        Existing::Replace
    } else {
        Existing::Keep
    };
    let token_from = arguments.gitter_token_from.clone();
    let text = config_text(arguments)?;
    let token = token(token_from.as_deref(), &token_file)?;
    let had_token = token_file.exists();
    secret::write_private(&token_file, &format!("{token}\n"), existing)
        .with_context(|| format!("cannot write {}", token_file.display()))?;
    // Judged before it is written: a folder is left as it was found where an answer cannot be used.
    if let Err(error) = Config::read(file, &text, []) {
        if !had_token {
            fs::remove_file(&token_file).ok();
        }
        return Err(of_flags(error).into());
    }
    secret::write_private(file, &text, existing)
        .with_context(|| format!("cannot write {}", file.display()))?;
    output::line(format_args!(
        "Wrote {} and {}.",
        file.display(),
        token_file.display()
    ))?;
    registration::write(file)?;
    look(file).await
}

/// Runs the doctor, and says what comes next: it is not all well before the homeserver knows the bridge.
async fn look(file: &Path) -> anyhow::Result<Exit> {
    output::line("\nThis is how things are now:")?;
    doctor::tell(&doctor::examine(file).await?)?;
    output::line(format_args!(
        "\nNext:\n  \
         1. Give the homeserver the registration (anew, if it had one before), and restart it.\n  \
         2. Look again:           gitter-matrix-bridge -c {file} doctor\n  \
         3. Run the bridge:       gitter-matrix-bridge -c {file} serve\n  \
         4. Link the first room:  gitter-matrix-bridge -c {file} room link group/room '#alias:server'",
        file = file.display()
    ))?;
    Ok(Exit::Done)
}

/// The account's token: from a file, or typed without being shown.
fn token(from: Option<&Path>, kept: &Path) -> anyhow::Result<String> {
    let typed = match from {
        Some(path) if path.as_os_str() == "-" => {
            io::read_to_string(io::stdin()).context("cannot read the token from the standard input")?
        }
        Some(path) => fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?,
        None if kept.exists() => {
            fs::read_to_string(kept).with_context(|| format!("cannot read {}", kept.display()))?
        }
        None if io::stdin().is_terminal() => Password::new()
            .with_prompt("Token of the bridge's Gitter account (it is not shown)")
            .validate_with(|typed: &String| one_word(typed).map(drop))
            .interact()
            .context("cannot ask")?,
        None => return Err(UsageError("nobody can answer here; say --gitter-token-from FILE").into()),
    };
    Ok(one_word(&typed)?.to_owned())
}

fn one_word(typed: &str) -> Result<&str, UsageError> {
    let token = typed.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(UsageError("the Gitter token must be one word and nothing else"));
    }
    Ok(token)
}

fn config_text(arguments: Arguments) -> anyhow::Result<String> {
    // What is said is judged before anything is asked.
    let said = [
        (&HOMESERVER_URL, &arguments.homeserver_url),
        (&SERVER_NAME, &arguments.server_name),
        (&GITTER_URL, &arguments.gitter_url),
    ];
    let problems: Vec<Problem> = said
        .into_iter()
        .filter_map(|(question, answer)| question.problem(answer.as_deref()?))
        .collect();
    if !problems.is_empty() {
        return Err(ConfigError::Problems(problems).into());
    }
    let homeserver_url = HOMESERVER_URL.answer(arguments.homeserver_url, HOMESERVER_URL.default)?;
    let server_name = SERVER_NAME.answer(arguments.server_name, domain_of(&homeserver_url).as_deref())?;
    let web_url = GITTER_URL.answer(arguments.gitter_url, GITTER_URL.default)?;
    let below = |path: &str| format!("{}/{path}", web_url.trim_end_matches('/'));
    let api_url = arguments.gitter_api_url.unwrap_or_else(|| below("api/v1"));
    let realtime_url = arguments.gitter_realtime_url.unwrap_or_else(|| below("bayeux"));
    let data_dir = arguments
        .data_dir
        .map(|folder| format!("data_dir: {}\n", quoted(&folder.to_string_lossy())));
    let address = arguments.url.map(|url| format!("  url: {}\n", quoted(&url)));
    Ok(format!(
        "# Written by `gitter-matrix-bridge init`; `gitter-matrix-bridge config example` prints every key.\n\
         {}homeserver:\n  url: {}\n  server_name: {}\n\
         appservice:\n  listen: {}\n{}\
         gitter:\n  api_url: {}\n  realtime_url: {}\n  web_url: {}\n  token_file: {TOKEN_FILE}\n\
         database:\n  url: {}\n",
        data_dir.unwrap_or_default(),
        quoted(&homeserver_url),
        quoted(&server_name),
        quoted(&arguments.listen),
        address.unwrap_or_default(),
        quoted(&api_url),
        quoted(&realtime_url),
        quoted(&web_url),
        quoted(&arguments.database),
    ))
}

/// A text as YAML reads it back: in JSON's quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Something that only the operator knows.
struct Question {
    key: &'static str,
    flag: &'static str,
    prompt: &'static str,
    default: Option<&'static str>,
    /// What is said where nobody can answer.
    otherwise: &'static str,
}

const HOMESERVER_URL: Question = Question {
    key: "homeserver.url",
    flag: "--homeserver-url",
    prompt: "Where the bridge reaches the homeserver",
    default: Some("http://localhost:8008"),
    otherwise: "nobody can answer here; say --homeserver-url URL",
};

const SERVER_NAME: Question = Question {
    key: "homeserver.server_name",
    flag: "--server-name",
    prompt: "The homeserver's name, as in @ana:NAME",
    default: None,
    otherwise: "nobody can answer here; say --server-name NAME",
};

const GITTER_URL: Question = Question {
    key: "gitter.web_url",
    flag: "--gitter-url",
    prompt: "The Gitter site that people see",
    default: Some("http://localhost:5000"),
    otherwise: "nobody can answer here; say --gitter-url URL",
};

impl Question {
    /// What was said by a flag, or else is answered: asked until it can be used. Where nobody can answer, that is wrong usage.
    fn answer(&self, said: Option<String>, default: Option<&str>) -> anyhow::Result<String> {
        if let Some(said) = said {
            return Ok(said.trim().to_owned());
        }
        if !io::stdin().is_terminal() {
            return Err(UsageError(self.otherwise).into());
        }
        let judge = |answer: &String| match self.problem(answer) {
            Some(problem) => Err(format!("it {}", problem.message)),
            None => Ok(()),
        };
        let mut input = Input::<String>::new()
            .with_prompt(self.prompt)
            .validate_with(judge);
        if let Some(default) = default {
            input = input.default(default.to_owned());
        }
        Ok(input.interact_text().context("cannot ask")?.trim().to_owned())
    }

    /// What the configuration says against an answer, if it does.
    fn problem(&self, answer: &str) -> Option<Problem> {
        let (section, name) = self.key.split_once('.')?;
        let text = format!("{section}:\n  {name}: {}\n", quoted(answer.trim()));
        let Err(ConfigError::Problems(problems)) = Config::read(Path::new(""), &text, []) else {
            return None;
        };
        let found = problems.into_iter().find(|problem| problem.key == self.key)?;
        Some(Problem {
            place: self.flag.to_owned(),
            ..found
        })
    }
}

/// The host of an address where it may be a server name: a machine's own name is none.
fn domain_of(address: &str) -> Option<String> {
    match Url::parse(address).ok()?.host()? {
        Host::Domain(domain) if domain.contains('.') => Some(domain.to_owned()),
        _ => None,
    }
}

/// The same problems, of the flags: the file with its lines is not written.
fn of_flags(error: ConfigError) -> ConfigError {
    let ConfigError::Problems(mut problems) = error else {
        return error;
    };
    for problem in &mut problems {
        let flag = match problem.key.as_str() {
            "gitter.api_url" => "--gitter-api-url",
            "gitter.realtime_url" => "--gitter-realtime-url",
            "appservice.listen" => "--listen",
            "appservice.url" => "--url",
            "database.url" => "--database",
            "data_dir" => "--data-dir",
            _ => "the answers",
        };
        flag.clone_into(&mut problem.place);
    }
    ConfigError::Problems(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_judged_as_the_configuration_does() {
        for (question, good, bad) in [
            (HOMESERVER_URL, "http://localhost:8008", "matrix.example.org:8008"),
            (SERVER_NAME, " example.org ", "not a name"),
            (GITTER_URL, "https://gitter.example.org", "gitter"),
        ] {
            assert_eq!(question.problem(good), None);
            let problem = question.problem(bad).unwrap();
            assert!(problem.message.starts_with("must"), "{problem}");
            assert_eq!(problem.place, question.flag);
        }
    }

    #[test]
    fn only_a_domain_may_be_the_homeservers_name() {
        for (address, name) in [
            ("https://matrix.example.org", Some("matrix.example.org")),
            ("http://localhost:8008", None),
            ("http://synapse:8008", None),
            ("http://192.0.2.1:8008", None),
            ("http://[::1]:8008", None),
        ] {
            assert_eq!(domain_of(address).as_deref(), name);
        }
    }
}
