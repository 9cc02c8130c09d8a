//! What a container promises: any user id, a configuration that cannot be written, and one folder for data.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::PathBuf,
    time::Duration,
};

use gitter_matrix_bridge::{config::Config, registration::Registration};
use secrecy::ExposeSecret as _;
use xtask::{packages, ports, wait};

use super::*;

/// An id that no system gives to anybody.
const SOMEBODY: u32 = 54_321;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Configuration and registration in a folder that nobody may write, beside an empty `data`.
fn lay_out(place: &Place, admin: u16) {
    for folder in ["config", "data", "elsewhere"] {
        fs::create_dir(place.path(folder)).unwrap();
    }
    let config = format!(
        "data_dir: ../data\n\
         homeserver: {{ url: \"http://127.0.0.1:9\", server_name: example.org }}\n\
         appservice: {{ listen: \"127.0.0.1:{}\" }}\n\
         gitter: {{ api_url: \"http://127.0.0.1:9/api/v1\", realtime_url: \"http://127.0.0.1:9/bayeux\", \
         web_url: \"http://127.0.0.1:9\", token_file: gitter.token }}\n\
         admin: {{ listen: \"127.0.0.1:{admin}\" }}\n",
        ports::free().unwrap()
    );
    place.write("config/config.yaml", &config);
    place.write("config/gitter.token", "S3CRET\n");
    let config = Config::load(&place.path("config/config.yaml")).unwrap();
    Registration::new(&config)
        .write(&config.appservice.registration)
        .unwrap();
    for name in ["config.yaml", "gitter.token", "registration.yaml"] {
        mode(&place.path("config").join(name), 0o444);
    }
    for folder in ["config", "elsewhere"] {
        mode(&place.path(folder), 0o555);
    }
    mode(place.folder.path(), 0o755);
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The program in `elsewhere`, as somebody without rights where this test may choose.
fn program(place: &Place, command: &str) -> Command {
    program_of(place, Command::new(own(place)), command)
}

/// The program's file, where everybody may run it.
fn own(place: &Place) -> PathBuf {
    let own = place.path("bridge");
    let built = env!("CARGO_BIN_EXE_gitter-matrix-bridge");
    if !own.exists() && fs::hard_link(built, &own).is_err() {
        fs::copy(built, &own).unwrap();
    }
    own
}

fn program_of(place: &Place, mut program: Command, command: &str) -> Command {
    program
        .args(["-c", "../config/config.yaml", command])
        .current_dir(place.path("elsewhere"))
        .env_clear()
        .stdin(Stdio::null());
    let data = place.path("data");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        chown(&data, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        program.uid(SOMEBODY).gid(SOMEBODY);
    }
    program
}

/// What the admin listener answers.
fn get(admin: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", admin))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::test]
async fn any_user_runs_it_from_a_read_only_configuration_and_it_writes_to_its_data_alone() {
    let place = Place {
        folder: tempfile::tempdir().unwrap(),
    };
    let admin = ports::free().unwrap();
    lay_out(&place, admin);
    let log = fs::File::create(place.path("log")).unwrap();
    let mut bridge = program(&place, "serve").stderr(log).spawn().unwrap();
    let alive = wait::until("the bridge to be alive", Duration::from_mins(1), async || {
        anyhow::ensure!(bridge.try_wait()?.is_none(), "{}", place.read("log"));
        anyhow::ensure!(get(admin, "/live")?.contains("200 OK"));
        // It asks for the token once it has opened the database.
        let asked = get(admin, "/_matrix/provision/v1/rooms")?;
        Ok(asked.contains("401 Unauthorized").then_some(()))
    })
    .await;
    // The servers are not there, so it lives without being ready.
    let health: Run = program(&place, "health").output().unwrap().into();
    Command::new("kill")
        .arg(bridge.id().to_string())
        .status()
        .unwrap();
    let ended = bridge.wait().unwrap();
    alive.unwrap();
    assert!(health.complained(1).contains("is not ready"));
    assert!(ended.success(), "{ended} {}", place.read("log"));

    assert_eq!(
        names(&place.path("config")),
        ["config.yaml", "gitter.token", "registration.yaml"]
    );
    assert!(names(&place.path("elsewhere")).is_empty());
    let data = names(&place.path("data"));
    for name in ["admin.token", "bridge.db", "bridge.lock"] {
        assert!(data.iter().any(|found| found == name), "{name} in {data:?}");
    }
    for folder in ["config", "elsewhere"] {
        mode(&place.path(folder), 0o755);
    }
}

/// What changes a file or a folder, or opens one to be changed.
const CHANGES: &str = "trace=open,openat,openat2,creat,truncate,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,\
                       symlink,symlinkat,unlink,unlinkat,rmdir,chmod,fchmodat,chown,lchown,fchownat";

/// The paths that a line of strace's says were changed, or opened to be changed.
fn changed(line: &str) -> Vec<&str> {
    let only_read = line.contains(" open")
        && !["O_WRONLY", "O_RDWR", "O_CREAT"]
            .iter()
            .any(|flag| line.contains(flag));
    if only_read {
        return Vec::new();
    }
    line.split('"').skip(1).step_by(2).collect()
}

#[tokio::test]
async fn every_file_that_it_changes_is_in_its_data() {
    let Some(strace) = packages::find("strace") else {
        eprintln!("skipped: there is no strace here; `cargo xtask test` installs it where it may");
        return;
    };
    let place = Place {
        folder: tempfile::tempdir().unwrap(),
    };
    let admin = ports::free().unwrap();
    lay_out(&place, admin);
    let trace = place.path("trace");
    fs::write(&trace, "").unwrap();
    mode(&trace, 0o666);
    let log = fs::File::create(place.path("log")).unwrap();
    let mut strace = Command::new(strace);
    // With -D the child is the program, and strace looks on; with -z it tells of a call once it has succeeded.
    strace
        .args(["-D", "-f", "-z", "-qq", "-e", "signal=none", "-e", CHANGES, "-o"])
        .arg(&trace)
        .arg(own(&place));
    let mut bridge = program_of(&place, strace, "serve").stderr(log).spawn().unwrap();
    let alive = wait::until("the bridge to be alive", Duration::from_mins(1), async || {
        anyhow::ensure!(bridge.try_wait()?.is_none(), "{}", place.read("log"));
        let asked = get(admin, "/_matrix/provision/v1/rooms")?;
        Ok(asked.contains("401 Unauthorized").then_some(()))
    })
    .await;
    Command::new("kill")
        .arg(bridge.id().to_string())
        .status()
        .unwrap();
    bridge.wait().unwrap();
    alive.unwrap();

    let data = fs::canonicalize(place.path("data")).unwrap();
    let told = place.read("trace");
    let mut inside = 0;
    for (line, path) in told
        .lines()
        .flat_map(|line| changed(line).into_iter().map(move |path| (line, path)))
    {
        let path = place.path("elsewhere").join(path);
        let folder = fs::canonicalize(path.parent().unwrap()).unwrap();
        if folder.starts_with(&data) || path == data {
            inside += 1;
        } else {
            assert_eq!(path, Path::new("/dev/null"), "{line}");
        }
    }
    assert!(inside > 5, "{told}");
    for folder in ["config", "elsewhere"] {
        mode(&place.path(folder), 0o755);
    }
}

#[test]
fn the_image_is_built_from_files_that_are_sent_to_the_builder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sent = fs::read_to_string(root.join(".dockerignore")).unwrap();
    let recipe = fs::read_to_string(root.join("Dockerfile")).unwrap();
    let copied: Vec<&str> = recipe
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (_, sources) = words.split_last().unwrap();
            sources.to_vec()
        })
        .collect();
    assert!(copied.contains(&"Cargo.lock"), "{copied:?}");
    for source in copied {
        assert!(root.join(source).exists(), "{source} is copied but not there");
        let allowed = sent.lines().any(|line| line.strip_prefix('!') == Some(source));
        assert!(
            allowed,
            "{source} is copied but not sent: add it to .dockerignore"
        );
    }
}

/// Cargo refuses a folder in which a file that Cargo.toml names is missing, whether it is to be built or not.
#[tokio::test]
async fn cargo_takes_what_each_step_of_the_image_copies() {
    let scratch = tempfile::tempdir().unwrap();
    let build = scratch.path().join("build");
    xtask::container::follow(&build, |command| {
        let (before, built) = command.split_once("cargo build").unwrap_or((command, ""));
        if built.is_empty() {
            return before.to_owned();
        }
        let host = "$(rustc --print host-tuple)";
        format!("{before} cargo fetch --quiet --locked --offline --target {host}")
    })
    .await
    .unwrap();
    for source in ["src/app.rs", "sandbox/src/server.rs", "migrations"] {
        assert!(build.join(source).exists(), "{source} is not copied");
    }
}

#[test]
fn what_tries_it_all_fits_together() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/try");
    let config = Config::load(&folder.join("bridge.yaml")).unwrap();
    let seed = gitter_sandbox::Seed::read(&folder.join("seed.json")).unwrap();
    let token = config.gitter.access_tokens().next().unwrap().expose_secret();
    let accepted = seed.users.iter().flat_map(|user| &user.tokens);
    assert!(accepted.into_iter().any(|known| {
        known.token.as_deref() == Some(token) && known.virtual_user_type.as_deref() == Some("matrix")
    }));
    let homeserver = fs::read_to_string(folder.join("homeserver.yaml")).unwrap();
    let homeserver: serde_json::Value = serde_saphyr::from_str(&homeserver).unwrap();
    assert_eq!(homeserver["server_name"], config.homeserver.server_name.as_str());
    let registration = config.appservice.registration.to_str();
    assert_eq!(homeserver["app_service_config_files"][0].as_str(), registration);
}
