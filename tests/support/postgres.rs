//! A throw-away PostgreSQL server, one a test process, with a database for each test.
//! `TEST_DATABASE_URL` names a running server instead. Without either, tests fail: never skip.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Where the server is. The pipe to the shell keeps it running: when this process ends,
/// in whatever way, the pipe closes, and the shell stops the server.
struct Server {
    address: Address,
    _shell: Option<Child>,
}

enum Address {
    /// A server of our own, by the folder of its socket.
    Socket(String),
    /// `TEST_DATABASE_URL`, up to its database name.
    Given(String),
}

impl Server {
    fn url(&self, database: &str) -> String {
        match &self.address {
            Address::Socket(folder) => {
                format!("postgres://postgres@localhost/{database}?host={folder}")
            }
            Address::Given(base) => format!("{base}/{database}"),
        }
    }
}

/// Makes an empty database and answers its address.
pub async fn fresh_database() -> String {
    let server = SERVER.get_or_init(start);
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", std::process::id());
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .expect("the PostgreSQL server answers");
    for command in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
    ] {
        sqlx::query(AssertSqlSafe(command))
            .execute(&mut admin)
            .await
            .expect("a database can be made");
    }
    server.url(&name)
}

fn start() -> Server {
    if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
        let (base, _) = url
            .rsplit_once('/')
            .expect("TEST_DATABASE_URL ends in /<database>");
        return Server {
            address: Address::Given(base.to_owned()),
            _shell: None,
        };
    }
    let folder = tempfile::Builder::new()
        .prefix("pg")
        .tempdir()
        .expect("a temporary folder")
        .keep();
    let folder_text = folder.display().to_string();

    let mut command = unprivileged(&folder_text);
    let mut shell = command
        .args(["sh", "-c", SCRIPT, "sh", &folder_text])
        .env("BIN", programs().display().to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell starts");
    let mut line = String::new();
    let output = shell.stdout.take().expect("its output is piped");
    BufReader::new(output)
        .read_line(&mut line)
        .expect("the shell says something");
    assert_eq!(line, "ready\n", "PostgreSQL did not start; see above");
    Server {
        address: Address::Socket(folder_text),
        _shell: Some(shell),
    }
}

/// Runs until its input closes. An ICU locale, so that a missing COLLATE "C" shows.
const SCRIPT: &str = r#"
"$BIN/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C --locale-provider=icu --icu-locale=en-US --no-sync >"$1/initdb.log" 2>&1 &&
"$BIN/pg_ctl" -D "$1/data" -w -t 60 -l "$1/server.log" -o "-k '$1' -c listen_addresses='' -c max_connections=200" start >"$1/start.log" 2>&1 &&
echo ready || cat "$1"/*.log >&2
cat >/dev/null
"$BIN/pg_ctl" -D "$1/data" -m immediate stop >/dev/null 2>&1
rm -rf "$1"
"#;

/// PostgreSQL refuses to run as root: then it runs as `postgres`, who is given the folder.
pub fn unprivileged(folder: &str) -> Command {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    if id.stdout != b"0\n" {
        return Command::new("env");
    }
    let given = Command::new("chown").args(["postgres", folder]).status();
    assert!(
        given.is_ok_and(|status| status.success()),
        "there is no user `postgres` to run the server as; install PostgreSQL, or set TEST_DATABASE_URL"
    );
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]);
    command
}

/// The folder of `initdb`: on the PATH, or where Debian keeps it (the newest version).
pub fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|v| v.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    std::env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
        .expect("initdb is installed (Debian: apt install postgresql), or TEST_DATABASE_URL is set")
}
