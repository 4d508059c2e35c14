//! A PostgreSQL server that a test may stop, kill and start again, with a standby and a
//! PgBouncer beside it where they are asked for.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::postgres::{programs, unprivileged};

/// A server of one test's own. The pipe to the shell keeps it: it is gone with this value, or
/// with the process, however that ends.
pub struct Cluster {
    folder: String,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    shell: Child,
}

const PORT: u16 = 5432;
const STANDBY_PORT: u16 = 5433;
const POOLER_PORT: u16 = 6432;

impl Cluster {
    /// Starts a server with these settings, `fsync=off` or the like.
    pub fn start(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("pg")
            .tempdir()
            .expect("a temporary folder")
            .keep()
            .display()
            .to_string();
        let settings: Vec<String> = settings.iter().map(|s| format!(" -c {s}")).collect();
        let settings = settings.concat();
        let mut shell = unprivileged(&folder)
            .args(["sh", "-c", SCRIPT, "sh", &folder, &settings])
            .env("BIN", programs().display().to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let mut cluster = Self {
            folder,
            orders: shell.stdin.take(),
            answers: BufReader::new(shell.stdout.take().expect("its output is piped")).lines(),
            shell,
        };
        cluster.order("initdb");
        cluster.order("start");
        cluster
    }

    /// Has something done, and waits until it is.
    fn order(&mut self, what: &str) {
        let orders = self.orders.as_mut().expect("the shell runs");
        writeln!(orders, "{what}").expect("the shell listens");
        let answer = self.answers.next().expect("the shell answers").unwrap();
        assert_eq!(answer, "done", "`{what}` failed; see above");
    }

    /// Stops it as a crash would: nothing is written back.
    pub fn stop(&mut self) {
        self.order("stop");
    }

    /// Kills the postmaster with -9; its children end by themselves.
    pub fn kill(&mut self) {
        self.order("kill");
    }

    /// Starts it again.
    pub fn start_again(&mut self) {
        self.order("start");
    }

    /// Copies it to a standby that follows it; the address of a database there.
    pub fn standby(&mut self, database: &str) -> String {
        self.order("standby");
        self.address(database, STANDBY_PORT)
    }

    /// Puts a PgBouncer in transaction mode before it; the address of a database through it.
    pub fn pooler(&mut self, database: &str) -> String {
        self.order("pooler");
        self.address(database, POOLER_PORT)
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        self.address(database, PORT)
    }

    fn address(&self, database: &str, port: u16) -> String {
        format!(
            "postgres://postgres@localhost:{port}/{database}?host={}",
            self.folder
        )
    }

    /// Runs a statement in the database `postgres`.
    pub async fn sql(&self, statement: &str) {
        let mut admin = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&mut admin)
            .await
            .unwrap();
        admin.close().await.unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.orders.take());
        self.shell.wait().ok();
    }
}

/// Does what its input says, a line each, and cleans up when that ends.
const SCRIPT: &str = r#"
d=$1
export PATH="$PATH:/usr/sbin:/sbin"
pg() { "$BIN/pg_ctl" -D "$d/$1" -w -t 60 -l "$d/$1.log" -o "-p $2 -k '$d' -c listen_addresses='' -c max_connections=200$3" start; }
initdb() { "$BIN/initdb" -D "$d/data" -U postgres -A trust -E UTF8 --locale=C --no-sync; }
start() {
    # What a killed postmaster leaves has to end first.
    for _ in $(seq 50); do
        pg data 5432 "$1" && return
        sleep 0.2
    done
    return 1
}
standby() {
    # Not beside the server's programs everywhere.
    copy=$(PATH="$BIN:$PATH" command -v pg_basebackup)
    "$copy" -h "$d" -p 5432 -U postgres -D "$d/standby" -R -X stream --checkpoint=fast --no-sync &&
    pg standby 5433 ""
}
pooler() {
    cat >"$d/pgbouncer.ini" <<END
[databases]
* = host=$d port=5432 user=postgres
[pgbouncer]
listen_port = 6432
unix_socket_dir = $d
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 500
logfile = $d/pgbouncer.log
pidfile = $d/pgbouncer.pid
END
    pgbouncer -q -d "$d/pgbouncer.ini" || return
    for _ in $(seq 100); do
        [ -S "$d/.s.PGSQL.6432" ] && return
        sleep 0.1
    done
    return 1
}
while read -r order; do
    case $order in
        initdb) initdb ;;
        start) start "$2" ;;
        stop) "$BIN/pg_ctl" -D "$d/data" -m immediate stop ;;
        kill) kill -9 "$(head -n 1 "$d/data/postmaster.pid")" ;;
        standby) standby ;;
        pooler) pooler ;;
        *) false ;;
    esac >>"$d/orders.log" 2>&1 && echo done || { tail -n 50 "$d"/*.log >&2; echo failed; }
done
kill "$(cat "$d/pgbouncer.pid" 2>/dev/null)" 2>/dev/null
for of in standby data; do
    [ -d "$d/$of" ] && "$BIN/pg_ctl" -D "$d/$of" -m immediate stop >/dev/null 2>&1
done
rm -rf "$d"
"#;
