//! The example files are what the code generates. `UPDATE_EXAMPLES=1 cargo nextest run --test cli examples`
//! writes them anew.

use std::{env, fs, path::Path};

use gitter_matrix_bridge::{
    config::{self, Config},
    registration::Registration,
};

fn check(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if env::var_os("UPDATE_EXAMPLES").is_some() {
        fs::write(&path, generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, generated, "write {name} anew with UPDATE_EXAMPLES=1");
}

#[test]
fn the_example_of_a_configuration_is_generated() {
    check("config.yaml.example", &config::example());
}

#[test]
fn the_example_of_a_registration_is_generated() {
    let token = [
        ("GITTER_BRIDGE__GITTER__TOKEN_FILE", ""),
        ("GITTER_BRIDGE__GITTER__TOKEN", "token"),
    ];
    let variables = token.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::read(Path::new("config.yaml"), &config::example(), variables).unwrap();
    let mut registration = Registration::new(&config);
    registration.as_token = "made_by_the_registration_command".to_owned().into();
    registration.hs_token = "made_by_the_registration_command_too".to_owned().into();
    check("registration.yaml.example", &registration.to_yaml().unwrap());
}
