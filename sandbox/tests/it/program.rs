//! The program: its first line, its end, and a bad seed.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// A process that is ended with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(arguments: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitter-sandbox"));
    command.args(["--listen", "127.0.0.1:0"]).args(arguments);
    Process(
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    )
}

#[test]
fn the_first_line_says_where_it_is_and_a_signal_ends_it() {
    for signal in ["-TERM", "-INT"] {
        let mut process = start(&["--rate-limit", "0", "--edit-window", "5"]);
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with("{\"ready\":true,"), "{line}");
        let ready: Value = serde_json::from_str(&line).unwrap();
        let web_url = ready["web_url"].as_str().unwrap();
        assert_eq!(ready["api_url"], format!("{web_url}/api/v1"));
        assert_eq!(ready["realtime_url"], format!("{web_url}/bayeux"));
        assert_eq!(ready["token"].as_str().unwrap().len(), 40);

        let kill = Command::new("kill")
            .args([signal, &process.0.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        assert!(process.0.wait().unwrap().success());
        let mut log = String::new();
        process.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(!log.contains(ready["token"].as_str().unwrap()), "{log}");
    }
}

#[test]
fn it_may_be_reached_under_another_address_than_it_listens_on() {
    let mut process = start(&["--web-url", "http://gitter.example.org/"]);
    let mut line = String::new();
    BufReader::new(process.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["web_url"], "http://gitter.example.org");
    assert_eq!(ready["realtime_url"], "http://gitter.example.org/bayeux");
}

#[test]
fn a_bad_seed_is_named_with_what_is_wrong() {
    let file = std::env::temp_dir().join(format!("gitter-sandbox-seed-{}.json", std::process::id()));
    for (seed, wrong) in [
        (
            "{\"users\": [], \"rooms\": [], \"romos\": []}",
            "unknown field `romos`",
        ),
        ("{\"users\": [], \"rooms\": []}", "`virtual_user_type`"),
    ] {
        fs::write(&file, seed).unwrap();
        let mut process = start(&["--seed", file.to_str().unwrap()]);
        let mut log = String::new();
        process.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(log.contains(wrong), "{log}");
        assert_eq!(process.0.wait().unwrap().code(), Some(1));
    }
    fs::remove_file(&file).unwrap();
}
