//! The text of a configuration file: an error names its keys and lines, and no secret of it.

#![no_main]

use std::path::Path;

use gitter_matrix_bridge::config::{Config, ConfigError};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "S3CRET";

fuzz_target!(|text: &str| {
    let variables = [(
        "GITTER_BRIDGE__GITTER__TOKEN".to_owned(),
        format!("{SECRET}-of-gitter"),
    )];
    // A folder that is not there: no file that a text names is opened.
    let file = Path::new("/nonexistent/config.yaml");
    match Config::read(file, text, variables) {
        Ok(config) => assert!(!format!("{config:?}").contains("S3CRET-of-gitter")),
        Err(error @ ConfigError::Problems(_)) => {
            // The name of a file is told where it cannot be read.
            for told in [error.to_string(), format!("{error:?}")] {
                assert!(!told.contains(SECRET) || text.contains("token_file"), "{told}");
            }
        }
        Err(error) => panic!("{error}"),
    }
});
