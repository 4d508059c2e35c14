//! The server that is shot at, in a process of its own: the product's own program, or this
//! program as the product's intake alone, or as the limit.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use qualify::app::{App, Bounds};
use qualify::clock::SystemClock;
use qualify::config::Config;
use tokio::net::TcpListener;

use super::SECRET;
use super::args::{Args, Play};
use super::limit;

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    process: Option<Child>,
}

impl Server {
    /// Starts a program and reads where it listens.
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("the server says where it is").unwrap();
            if let Some(url) = line.strip_prefix("URL       http://") {
                break url.parse().unwrap();
            }
        };
        Self {
            address,
            process: Some(process),
        }
    }

    /// One that runs in this process.
    pub const fn here(address: SocketAddr) -> Self {
        Self {
            address,
            process: None,
        }
    }

    /// The product's own program.
    pub fn qualify(program: &Path, folder: &Path, database: &str) -> Self {
        Self::start(&mut product(program, folder, database, &["serve"]))
    }

    /// This program as a server.
    pub fn play(what: Play, folder: &Path, database: &str, writers: usize) -> Self {
        let what = match what {
            Play::Limit => "limit",
            Play::Intake => "intake",
        };
        let program = std::env::current_exe().unwrap();
        let writers = writers.to_string();
        let mut command = Command::new(program);
        command.current_dir(folder);
        command.args([
            "--play",
            what,
            "--at",
            database,
            "--limit-writers",
            &writers,
        ]);
        Self::start(&mut command)
    }

    /// The most memory that it has used so far, in KiB.
    pub fn memory_kib(&self) -> u64 {
        let id = self
            .process
            .as_ref()
            .map_or_else(std::process::id, Child::id);
        let status = format!("/proc/{id}/status");
        let status = std::fs::read_to_string(status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for Server {
    /// Not asked to end: what it has acknowledged has to be there all the same.
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// The product's program with this database, and nothing else from outside.
pub fn product(program: &Path, folder: &Path, database: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("DATABASE_URL", database)
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("STRIPE_WEBHOOK_SECRET", SECRET)
        .env("STRIPE_MODE", "live")
        .env("RUST_LOG", "warn");
    command
}

/// What this program does in the process of a server.
pub async fn play(what: Play, args: &Args) {
    let database = args.at.clone().unwrap();
    match what {
        Play::Limit => {
            let listener = TcpListener::bind(args.listen).await.unwrap();
            println!("URL       http://{}", listener.local_addr().unwrap());
            limit::serve(listener, &database, args.limit_writers).await;
        }
        Play::Intake => {
            let env = [
                ("DATABASE_URL", database.as_str()),
                ("LISTEN_ADDR", &args.listen.to_string()),
                ("STRIPE_WEBHOOK_SECRET", SECRET),
                ("STRIPE_MODE", "live"),
            ];
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let none = |_: &Path| Ok(String::new());
            let config = Config::resolve(&BTreeMap::new(), &env.into(), None, &none).unwrap();
            let bounds = Bounds {
                intake_only: true,
                ..Bounds::default()
            };
            let running = App::start_within(config, SystemClock::shared(), bounds).await;
            let running = running.unwrap();
            println!("URL       http://{}", running.local_addr);
            std::future::pending::<()>().await;
        }
    }
}

/// The product's program as cargo has built it.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_qualify"))
}
