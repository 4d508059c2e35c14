//! The pages in a real browser: the program as a process, Debian's Chromium, one story each.
//! Stories are in `tests/browser/stories`; a browser that is missing is a failure.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/node.rs"]
#[allow(dead_code, reason = "the tests of many nodes use the rest")]
mod node;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use node::{SECRET, Site};
use qualify::access::routes::{ALL, Area, Route, Verb};
use serde_json::{Value, json};

/// One test a story. `on_new`: on a server that nobody has set up; `on_demo`: on the demo.
macro_rules! stories {
    ($($name:ident, $on:ident, at least $checks:literal;)*) => {
        const STORIES: &[&str] = &[$(stringify!($name),)*];
        $(
            #[test]
            fn $name() {
                $on(stringify!($name), $checks);
            }
        )*
    };
}

stories! {
    harness, on_new, at least 9;
    pages, on_demo, at least 500;
    first_hour, on_new, at least 80;
    first_hour_without_scripts, on_new, at least 60;
    from_setup_to_reward, on_new, at least 150;
    from_setup_to_reward_without_scripts, on_new, at least 100;
    keyboard, on_new, at least 40;
    other_sites, on_new, at least 40;
}

#[test]
fn every_story_is_told() {
    let folder = std::fs::read_dir(tests().join("stories")).unwrap();
    let mut files: Vec<String> = folder
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    let mut told = STORIES.to_vec();
    told.sort_unstable();
    assert_eq!(files, told);
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

/// The folder of everything that is built.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// A server in an empty folder, with the link that makes its first owner.
fn on_new(story: &str, checks: u32) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    let url = format!("sqlite://{}/qualify.db", folder.path().display());
    let site = Site::new(folder.path(), &url)
        .with("RULES_DIR", "rules")
        .with("STRIPE_MODE", "test")
        .with("RUST_LOG", "error");
    let server = Server::start(
        site.command(&["serve"])
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("STRIPE_WEBHOOK_SECRET", SECRET),
        "stripe listen",
    );
    let program = json!({
        "path": env!("CARGO_BIN_EXE_qualify"),
        "folder": folder.path(),
        "env": { "DATABASE_URL": url, "BASE_URL": server.url, "STRIPE_MODE": "test" },
    });
    play(story, checks, &server, &program);
}

/// The demo, with a link for each role.
fn on_demo(story: &str, checks: u32) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(
        Command::new(env!("CARGO_BIN_EXE_qualify"))
            .arg("demo")
            .current_dir(folder.path())
            .env_clear()
            .env("TMPDIR", folder.path())
            .env("LISTEN_ADDR", "127.0.0.1:0"),
        "Took ",
    );
    assert_eq!(server.links.len(), 5, "a link for each role");
    play(story, checks, &server, &Value::Null);
}

/// A process of the program; killed when it is dropped.
struct Server {
    child: Child,
    url: String,
    /// What the links it printed open: a role, or `setup`.
    links: BTreeMap<String, String>,
    _said: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts it, and reads what it says up to the line that begins with `last`.
    fn start(command: &mut Command, last: &str) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut links = BTreeMap::new();
        let mut all = String::new();
        for line in said.by_ref() {
            let line = line.unwrap();
            all = all + &line + "\n";
            if let Some((before, rest)) = line.split_once("http://")
                && rest.contains("/link?token=")
            {
                let what = match before.trim() {
                    "" => "setup",
                    role => role,
                };
                links.insert(what.to_owned(), format!("http://{rest}"));
            }
            if line.trim_start().starts_with(last) {
                break;
            }
        }
        let link = links.values().next();
        let link = link.unwrap_or_else(|| panic!("no link: {all}{:?}", child.wait()));
        let url = link.split("/link").next().unwrap().to_owned();
        Self {
            child,
            url,
            links,
            _said: said,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Plays a story in a browser; everything in it has to hold.
fn play(story: &str, checks: u32, server: &Server, program: &Value) {
    let mut pages: Vec<&str> = ALL
        .iter()
        .filter(|row| row.area() == Area::Page && row.verb() == Verb::Get)
        .map(Route::path)
        .collect();
    pages.dedup();
    let site = json!({
        "url": server.url,
        "links": server.links,
        "routes": pages,
        "screenshots": target().join("screenshots"),
        "webhookSecret": SECRET,
        "program": program,
    });
    let told = Command::new("node")
        .arg(tests().join("run.mjs"))
        .arg(story)
        .env("BROWSER_MODULES", modules())
        .env("CHROMIUM", chromium())
        .env("SITE", site.to_string())
        .output()
        .expect("node runs: install nodejs 18 or newer");
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    let why = String::from_utf8_lossy(&told.stderr).into_owned();
    let held = said.lines().last().and_then(|line| {
        let (held, rest) = line.split_once(" checks passed, ")?;
        (rest == "0 failed").then(|| held.parse::<u32>().ok())?
    });
    assert!(told.status.success() && held.is_some(), "{said}{why}");
    assert!(held >= Some(checks), "too little was looked at: {said}");
    println!("{story}: {said}");
}

/// Debian's browser. None is downloaded.
fn chromium() -> PathBuf {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let usual = PathBuf::from("/usr/bin/chromium");
    let found = named.into_iter().chain([usual]).find(|path| path.exists());
    found.expect("no Chromium: apt-get install chromium, or set CHROMIUM to its path")
}

/// The pinned packages, installed once for each lock file.
fn modules() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = target().join("browser");
        std::fs::create_dir_all(&folder).unwrap();
        let lock = std::fs::read(tests().join("package-lock.json")).unwrap();
        let done = folder.join("installed");
        if std::fs::read(&done).is_ok_and(|installed| installed == lock) {
            return folder;
        }
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(tests().join(name), folder.join(name)).unwrap();
        }
        let npm = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder)
            .output()
            .expect("npm runs");
        let why = String::from_utf8_lossy(&npm.stderr).into_owned();
        assert!(npm.status.success(), "npm ci: {why}");
        std::fs::write(&done, lock).unwrap();
        folder
    })
}
