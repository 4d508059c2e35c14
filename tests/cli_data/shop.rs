//! A folder with a database, campaign files and people, and the program run in it.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// An installation of its own.
pub struct Shop {
    folder: tempfile::TempDir,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/backtest")
        .join(name)
}

impl Shop {
    /// With campaign files, and nothing else.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules");
        std::fs::create_dir(&rules).unwrap();
        for name in ["spring.toml", "partners.toml"] {
            std::fs::copy(fixture("rules").join(name), rules.join(name)).unwrap();
        }
        Self { folder }
    }

    /// With the people and events of the fixture.
    pub fn full() -> Self {
        let shop = Self::empty();
        for (what, file) in [
            ("promoters", "promoters.csv"),
            ("referrals", "referrals.csv"),
            ("events", "events.jsonl"),
        ] {
            shop.import(what, &fixture(file));
        }
        shop
    }

    /// The same with everything settled that is due.
    pub fn settled() -> Self {
        let shop = Self::full();
        let ran = shop.ok(&["settle", "--now"]);
        assert!(ran.out.contains(": 2 settled,"), "{ran:?}");
        shop
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("qualify").unwrap();
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("RUST_LOG", "warn")
            .timeout(std::time::Duration::from_secs(120))
            .args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }

    /// Runs what must not fail.
    pub fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran
    }

    pub fn import(&self, what: &str, file: &Path) -> Ran {
        self.ok(&["import", what, file.to_str().unwrap()])
    }

    /// Imports lines from stdin.
    pub fn pipe(&self, what: &str, lines: &[String]) -> Ran {
        let mut command = self.command(&["import", what, "-"]);
        let ran = ran(command.write_stdin(lines.join("\n")));
        assert_eq!(ran.code, 0, "{ran:?}");
        ran
    }

    pub fn verified(&self) {
        self.ok(&["verify"]);
    }

    /// Does something to the database that the program never does.
    pub fn sql(&self, text: &str) {
        let url = format!("sqlite://{}", self.path("data/qualify.db").display());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            let statement = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
            let done = statement.execute(&mut connection).await.unwrap();
            assert!(done.rows_affected() > 0, "nothing was touched by {text}");
            connection.close().await.unwrap();
        });
    }
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().expect("it ended by itself"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// One event line.
pub fn event(id: &str, created: i64, kind: &str, object: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"object\":\"event\",\"api_version\":\"2024-06-20\",\
         \"created\":{created},\"livemode\":true,\"type\":\"{kind}\",\
         \"data\":{{\"object\":{object}}}}}"
    )
}

/// A charge in US dollars.
pub fn charge(id: &str, customer: &str, created: i64, minor: i64, refunded: i64) -> String {
    format!(
        "{{\"id\":\"{id}\",\"object\":\"charge\",\"amount\":{minor},\"amount_captured\":{minor},\
         \"amount_refunded\":{refunded},\"status\":\"succeeded\",\"paid\":true,\"captured\":true,\
         \"currency\":\"usd\",\"created\":{created},\"customer\":\"{customer}\",\
         \"payment_intent\":null,\"billing_details\":{{\"email\":null}},\"metadata\":{{}}}}"
    )
}

/// A customer.
pub fn customer(id: &str, created: i64, email: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"object\":\"customer\",\"created\":{created},\
         \"email\":\"{email}\",\"metadata\":{{}}}}"
    )
}

/// A dispute of a charge.
pub fn dispute(id: &str, charge: &str, created: i64, minor: i64, status: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"object\":\"dispute\",\"amount\":{minor},\"currency\":\"usd\",\
         \"status\":\"{status}\",\"charge\":\"{charge}\",\"payment_intent\":null,\
         \"created\":{created},\"metadata\":{{}}}}"
    )
}
