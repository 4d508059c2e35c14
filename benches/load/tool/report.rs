//! Rounds as a table for people: medians, and ratios within one run, because the machine's own
//! speed moves more from run to run than servers differ.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::args::{Args, Stages};
use super::run::{Measured, Run};

/// A figure of a round, with how it is named and shown.
type Figure = (&'static str, usize, fn(&Run) -> f64);

const FIGURES: [Figure; 7] = [
    ("acknowledged/s", 0, |run| run.posted.per_second()),
    ("p50 ms", 1, |run| run.posted.latency_ms(0.5)),
    ("p99 ms", 1, |run| run.posted.latency_ms(0.99)),
    ("p99.9 ms", 1, |run| run.posted.latency_ms(0.999)),
    ("repeats", 0, |run| run.posted.repeats as f64),
    ("errors", 0, |run| {
        run.posted.errors.values().sum::<u64>() as f64
    }),
    ("memory MB", 1, |run| run.memory_kib as f64 / 1024.0),
];

/// All rounds by server, in Markdown.
pub fn report(args: &Args, runs: &[(Measured, Run)]) -> String {
    let mut by_server: BTreeMap<Measured, Vec<&Run>> = BTreeMap::new();
    for (what, run) in runs {
        by_server.entry(*what).or_default().push(run);
    }
    let mut text = circumstances(args, runs);
    table(&mut text, &by_server);
    if let (Some(limit), Some(qualify)) = (
        by_server.get(&Measured::Limit),
        by_server.get(&Measured::Qualify),
    ) {
        let per_second = |runs: &[&Run]| median(runs.iter().map(|run| run.posted.per_second()));
        let p99 = |runs: &[&Run]| median(runs.iter().map(|run| run.posted.latency_ms(0.99)));
        let pairs = limit.iter().zip(qualify);
        let ratios = pairs.map(|(limit, qualify)| {
            format!(
                "{:.2}",
                qualify.posted.per_second() / limit.posted.per_second()
            )
        });
        let ratios: Vec<String> = ratios.collect();
        writeln!(
            text,
            "\nqualify acknowledges {:.2} × the limit (round by round: {}); its p99 is {:.2} × the limit's.",
            per_second(qualify) / per_second(limit),
            ratios.join(", "),
            p99(qualify) / p99(limit),
        )
        .unwrap();
    }
    if let Some(qualify) = by_server.get(&Measured::Qualify) {
        worked(&mut text, qualify);
    }
    checked(&mut text, runs);
    text
}

fn circumstances(args: &Args, runs: &[(Measured, Run)]) -> String {
    let database = match args.database.as_str() {
        name @ ("sqlite" | "postgres") => name,
        _ => "a given server",
    };
    let bytes = runs.first().map_or(0, |(_, run)| run.body_bytes);
    let how = match args.rate {
        Some(rate) => format!("{rate} posts a second"),
        None => "each connection posts as soon as it is answered".to_owned(),
    };
    let long = match args.events {
        Some(events) => format!("{events} events"),
        None => format!("{} s", args.seconds),
    };
    let stages = match args.stages {
        Stages::On => "read and judged meanwhile",
        Stages::Off => "intake alone",
    };
    format!(
        "{database}, {} connections, {how}, {long} a round, {} rounds, bodies of {bytes} bytes, \
         {} % repeats, {stages}\n\n",
        args.connections, args.rounds, args.duplicates
    )
}

fn table(text: &mut String, by_server: &BTreeMap<Measured, Vec<&Run>>) {
    let names = FIGURES.map(|(name, ..)| name).join(" | ");
    writeln!(
        text,
        "| server | {names} |\n|---{}|",
        "|---:".repeat(FIGURES.len())
    )
    .unwrap();
    for (what, runs) in by_server {
        let name = match what {
            Measured::Limit => "limit",
            Measured::Qualify => "qualify",
        };
        write!(text, "| {name} |").unwrap();
        for (_, digits, figure) in FIGURES {
            let value = median(runs.iter().map(|run| figure(run)));
            write!(text, " {value:.digits$} |").unwrap();
        }
        text.push('\n');
    }
}

/// From the post to the stored verdict.
fn worked(text: &mut String, runs: &[&Run]) {
    let rate = |run: &Run| {
        let worked = run.worked.as_ref()?;
        Some(run.posted.acknowledged.len() as f64 / worked.seconds)
    };
    let rates: Vec<f64> = runs.iter().filter_map(|run| rate(run)).collect();
    if rates.is_empty() {
        return;
    }
    let ratio = median(
        runs.iter()
            .filter_map(|run| Some(rate(run)? / run.posted.per_second())),
    );
    writeln!(
        text,
        "\nFrom post to stored verdict: {:.0} events/s sustained, {ratio:.2} × what is acknowledged meanwhile.\n",
        median(rates.into_iter())
    )
    .unwrap();
    for (run, number) in runs.iter().zip(1..) {
        let Some(worked) = &run.worked else { continue };
        let apart = worked.backlog.len().div_ceil(12).max(1);
        let samples = worked
            .backlog
            .iter()
            .step_by(apart)
            .map(|at| format!("{:.0} s: {} + {}", at.seconds, at.events, at.judgements));
        let samples: Vec<String> = samples.collect();
        writeln!(
            text,
            "- round {number}: {} events worked off after {:.1} s, {} verdicts; waiting to be read + judged at {}",
            run.found.rows,
            worked.seconds,
            worked.verdicts,
            samples.join(", ")
        )
        .unwrap();
    }
}

/// What was found in the databases.
fn checked(text: &mut String, runs: &[(Measured, Run)]) {
    let acknowledged: usize = runs
        .iter()
        .map(|(_, run)| run.posted.acknowledged.len())
        .sum();
    let rows: usize = runs.iter().map(|(_, run)| run.found.rows).sum();
    if runs.iter().all(|(_, run)| run.adds_up()) {
        writeln!(
            text,
            "\nChecked after killing each server: {acknowledged} acknowledgements, {rows} events stored, \
             each once and byte for byte, every repeat counted."
        )
        .unwrap();
    }
    for (what, run) in runs.iter().filter(|(_, run)| !run.adds_up()) {
        writeln!(
            text,
            "\nDOES NOT ADD UP: {what:?}: {} acknowledged, {} of them repeats, {:?}",
            run.posted.acknowledged.len(),
            run.posted.repeats,
            run.found
        )
        .unwrap();
    }
    for (what, run) in runs.iter().filter(|(_, run)| !run.posted.errors.is_empty()) {
        writeln!(text, "\nErrors: {what:?}: {:?}", run.posted.errors).unwrap();
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle)) {
        (0, Some(upper)) => f64::midpoint(values[middle - 1], *upper),
        (_, Some(value)) => *value,
        _ => 0.0,
    }
}
