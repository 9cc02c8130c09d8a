//! Where log lines go and how they look, by the configuration's `logging`.
//!
//! They go to the standard error stream or to a file (`file`); the standard output belongs to what commands print.

mod file;

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    sync::Mutex,
};

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    filter::{ParseError, filter_fn},
    fmt,
    layer::SubscriberExt as _,
    util::{SubscriberInitExt as _, TryInitError},
};

use self::file::LogFile;
use crate::config::{LogFormat, Logging};

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// `logging.level` is no filter.
    #[error("logging.level cannot be used")]
    Level(#[from] ParseError),
    /// `logging.file` cannot be written.
    #[error("logging.file: cannot write {path}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Logging was started before.
    #[error("logging was started before")]
    Started(#[from] TryInitError),
}

/// Crates whose verbose lines tell what must not be logged, and the most verbose level of theirs that does not: `WebSocket`
/// frames may hold the token of a handshake, and the parser of HTML tells each piece of what people say.
const TELLING: [(&str, Level); 4] = [
    ("tungstenite", Level::DEBUG),
    ("tokio_tungstenite", Level::DEBUG),
    ("html5ever", Level::INFO),
    ("selectors", Level::INFO),
];

fn tells_no_secret(line: &Metadata<'_>) -> bool {
    TELLING
        .iter()
        .all(|(target, level)| !line.target().starts_with(target) || line.level() <= level)
}

/// Starts logging, for the whole process and once.
pub fn start(logging: &Logging) -> Result<(), LoggingError> {
    let filter = EnvFilter::builder().parse(&logging.level)?;
    let layer = match &logging.file {
        Some(path) => {
            let file = LogFile::open(path, logging.rotate, logging.keep);
            let file = file.map_err(|source| LoggingError::File {
                path: path.clone(),
                source,
            })?;
            layer(logging.format, false, Mutex::new(file))
        }
        None => layer(logging.format, io::stderr().is_terminal(), io::stderr),
    };
    // The filters stand beside the layer, not in it: one in a layer is confused by libraries that only ask
    // whether a line would be logged, as sqlx does, and then drops the thread's next line.
    tracing_subscriber::registry()
        .with(layer)
        .with(filter)
        .with(filter_fn(tells_no_secret))
        .try_init()?;
    Ok(())
}

fn layer<Writer>(
    format: LogFormat,
    colours: bool,
    writer: Writer,
) -> Box<dyn tracing_subscriber::Layer<Registry> + Send + Sync>
where
    Writer: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Pretty => layer.with_ansi(colours).boxed(),
        LogFormat::Json => layer.json().with_ansi(false).flatten_event(true).boxed(),
    }
}
