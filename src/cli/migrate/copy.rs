//! `qualify migrate --from … --to …`: what is said of a copy while it runs and when it is done.
//! The copying itself is the database room's.

use std::io::{IsTerminal as _, Write};
use std::time::{Duration, Instant};

use super::super::verify::show as show_report;
use super::super::{Exit, database};
use super::Args;
use crate::clock::{Clock as _, SystemClock};
use crate::config::SecretUrl;
use crate::ingest::read::Scope;
use crate::store::connections::{Connection, list_connections};
use crate::store::copy::{Copied, CopyError, Progress, copy};
use crate::store::in_use::is_in_use;
use crate::store::{ConnectOptions, Db, StoreError};
use crate::verify::{Report, verify};

/// Between two lines of progress.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Characters of a content's sum that people are shown.
const SUM_SHOWN: usize = 16;

/// What a copy came to.
#[derive(serde::Serialize)]
struct Answer {
    from: String,
    to: String,
    rows: u64,
    seconds: u64,
    tables: Vec<TableLine>,
    verified: Vec<Verified>,
}

#[derive(serde::Serialize)]
struct TableLine {
    table: String,
    rows: u64,
    content: String,
}

#[derive(serde::Serialize)]
struct Verified {
    connection: String,
    #[serde(flatten)]
    report: Report,
}

/// Runs the copy.
pub(super) fn run(from: &str, to: &str, args: &Args, out: &mut dyn Write) -> anyhow::Result<u8> {
    let answer = database::run(async { Ok(both(from, to, args).await?) })?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &answer)?;
        writeln!(out)?;
    } else {
        show(&answer, out)?;
    }
    let sound = answer.verified.iter().all(|one| one.report.is_ok());
    Ok(if sound { Exit::Ok } else { Exit::Problems } as u8)
}

/// How a copy that was refused or failed ends the program.
pub(in crate::cli) fn code_of(error: &CopyError) -> Exit {
    match error {
        CopyError::Same => Exit::Usage,
        CopyError::SourceMissing => Exit::NotFound,
        CopyError::InUse | CopyError::Busy { .. } => Exit::Temporary,
        CopyError::Differs { .. } => Exit::Problems,
        CopyError::Store(error) if error.is_unavailable() || error.is_transient() => {
            Exit::Temporary
        }
        _ => Exit::Failure,
    }
}

async fn both(from: &str, to: &str, args: &Args) -> Result<Answer, CopyError> {
    if from == to {
        return Err(CopyError::Same);
    }
    match is_in_use(from).await? {
        None => return Err(CopyError::SourceMissing),
        Some(true) => return Err(CopyError::InUse),
        Some(false) => {}
    }
    let options = ConnectOptions::default();
    let source = Db::connect(from, &options).await?;
    let target = Db::connect(to, &options).await;
    let answer = match target {
        Ok(target) => {
            let answer = copied((from, &source), (to, &target), args).await;
            target.close().await;
            answer
        }
        Err(error) => Err(error.into()),
    };
    source.close().await;
    answer
}

async fn copied(
    (from, source): (&str, &Db),
    (to, target): (&str, &Db),
    args: &Args,
) -> Result<Answer, CopyError> {
    let started = Instant::now();
    let mut teller = Teller::new(started);
    let tables = copy(source, target, |progress| teller.tell(&progress)).await?;
    teller.end();
    let line = |one: Copied| TableLine {
        table: one.table,
        rows: one.content.rows,
        content: one.content.to_string(),
    };
    let tables: Vec<TableLine> = tables.into_iter().map(line).collect();
    let verified = if args.no_verify {
        Vec::new()
    } else {
        recomputed(target).await?
    };
    Ok(Answer {
        from: shown(from),
        to: shown(to),
        rows: tables.iter().map(|line| line.rows).sum(),
        seconds: started.elapsed().as_secs(),
        tables,
        verified,
    })
}

/// Everything recomputed in the copy, for every connection in it.
async fn recomputed(target: &Db) -> Result<Vec<Verified>, StoreError> {
    let mut tx = target.read().await?;
    let connections = list_connections(&mut tx).await?;
    tx.rollback().await?;
    let mut verified = Vec::with_capacity(connections.len());
    for Connection {
        id, account, mode, ..
    } in connections
    {
        let scope = Scope { account, mode };
        let report = verify(target, &id, &scope, SystemClock.now()).await?;
        verified.push(Verified {
            connection: id.to_string(),
            report,
        });
    }
    Ok(verified)
}

/// An address as it may be shown.
fn shown(url: &str) -> String {
    SecretUrl::new(url).map_or_else(String::new, |url| url.redacted())
}

fn show(answer: &Answer, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["TABLE", "ROWS", "CONTENT, THE SAME IN BOTH"]);
    for line in &answer.tables {
        let sum: String = line.content.chars().take(SUM_SHOWN).collect();
        table.add_row([line.table.clone(), line.rows.to_string(), sum]);
    }
    if let Some(rows) = table.column_mut(1) {
        rows.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim())?;
    }
    for verified in &answer.verified {
        writeln!(
            out,
            "\nRecomputed in the copy, connection {}:",
            verified.connection
        )?;
        show_report(&verified.report, out)?;
    }
    writeln!(
        out,
        "\n{} rows copied from {} to {}.\nThe source is as it was. Start servers with the new \
         DATABASE_URL, and none on the old one any more: what it received would be missing here.",
        answer.rows, answer.from, answer.to
    )
}

/// Tells on a terminal how far it is; a pipe or a file is told nothing.
struct Teller {
    started: Instant,
    told: Option<Instant>,
    quiet: bool,
}

impl Teller {
    fn new(started: Instant) -> Self {
        Self {
            started,
            told: None,
            quiet: !std::io::stderr().is_terminal(),
        }
    }

    fn tell(&mut self, progress: &Progress<'_>) {
        if self.quiet || self.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        let rows_a_second = per_second(progress.done, self.started.elapsed());
        let line = progress_line(progress, rows_a_second);
        // Blanks over whatever a longer line left there.
        let _ = write!(std::io::stderr(), "\r{line:<78}");
    }

    fn end(&self) {
        if self.told.is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }
}

fn per_second(rows: u64, took: Duration) -> u64 {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    rows.saturating_mul(1_000) / ms
}

fn progress_line(progress: &Progress<'_>, rows_a_second: u64) -> String {
    let percent = progress.done.saturating_mul(100) / progress.of.max(1);
    let doing = if progress.reads_back {
        "comparing"
    } else {
        "copying"
    };
    let table = progress.table;
    format!("{percent:>3} %  {doing} {table}, {rows_a_second} rows a second")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_one_line_and_divides_by_nothing() {
        let progress = Progress {
            table: "events",
            reads_back: false,
            done: 50,
            of: 200,
        };
        let rate = per_second(50, Duration::from_millis(500));
        assert_eq!(
            progress_line(&progress, rate),
            " 25 %  copying events, 100 rows a second"
        );
        let nothing = Progress {
            done: 0,
            of: 0,
            reads_back: true,
            ..progress
        };
        let line = progress_line(&nothing, per_second(0, Duration::ZERO));
        assert_eq!(line, "  0 %  comparing events, 0 rows a second");
    }
}
