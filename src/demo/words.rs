//! The summary as people read it: sections of words and aligned numbers. What the numbers
//! are is decided in `summary.rs`.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};

use super::summary::Summary;

/// The summary as text, the same for the same half year.
pub fn text(summary: &Summary) -> String {
    let mut out = String::new();
    let seed = summary.seed;
    line(
        &mut out,
        &format!(
            "DEMO: a made-up half year, 2026-01-05 to 2026-06-30 (seed {seed}). No person, payment \
             or promise in it is real."
        ),
    );
    funnel(&mut out, summary);
    money(&mut out, summary);
    nearest(&mut out, summary);
    cases(&mut out, summary);
    batches(&mut out, summary);
    events(&mut out, summary);
    out
}

fn line(out: &mut String, text: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn head(out: &mut String, title: &str) {
    line(out, &format!("\n{title}"));
}

/// A table: the first `texts` columns are words, the others numbers on the right.
fn table<R: IntoIterator<Item = String>>(
    out: &mut String,
    header: &[&str],
    texts: usize,
    rows: impl IntoIterator<Item = R>,
) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        let right = index >= texts;
        column.set_cell_alignment(if right {
            CellAlignment::Right
        } else {
            CellAlignment::Left
        });
        column.set_padding((1, 1));
    }
    for row in table.lines() {
        line(out, &format!(" {}", row.trim_end()));
    }
}

fn funnel(out: &mut String, summary: &Summary) {
    head(out, "Funnel");
    let header = [
        "campaign",
        "referrals",
        "matched",
        "qualified",
        "settled",
        "pending",
        "review",
        "rejected",
    ];
    let mut sums = [0_usize; 7];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for of in &summary.funnel {
        let numbers = [
            of.referrals,
            of.matched,
            of.qualified,
            of.settled,
            of.pending,
            of.review,
            of.rejected,
        ];
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += number;
        }
        rows.push(row(&of.campaign, numbers));
    }
    rows.push(row("all", sums));
    table(out, &header, 1, rows);
    for of in &summary.funnel {
        line(out, &format!("  {}: {}", of.campaign, of.name));
    }
}

fn row<const N: usize>(first: &str, numbers: [usize; N]) -> Vec<String> {
    let numbers = numbers.iter().map(ToString::to_string);
    std::iter::once(first.to_owned()).chain(numbers).collect()
}

fn money(out: &mut String, summary: &Summary) {
    head(out, "Rewards");
    let header = [
        "currency",
        "accrued",
        "taken back",
        "given again",
        "owed now",
    ];
    let rows = summary.money.iter().map(|of| {
        let shown = of.shown.iter().cloned();
        std::iter::once(of.currency.to_ascii_uppercase()).chain(shown)
    });
    table(out, &header, 1, rows);
    let sums = if summary.ledger_balanced {
        "every entry has its counter-entry"
    } else {
        "THE LEDGER DOES NOT SUM TO ZERO"
    };
    let owed: Vec<String> = summary
        .owed
        .iter()
        .map(|of| format!("{} {}", of.promoter, of.shown))
        .collect();
    line(out, &format!("  {sums}"));
    line(out, &format!("  owed to promoters: {}", owed.join(", ")));
}

fn nearest(out: &mut String, summary: &Summary) {
    head(out, "Nearest to qualifying");
    for of in &summary.nearest {
        line(out, &format!("  {}  {}", of.referral, of.detail));
    }
}

fn cases(out: &mut String, summary: &Summary) {
    head(
        out,
        &format!("Waiting for a person: {} cases", summary.cases.len()),
    );
    for of in &summary.cases {
        line(out, &format!("  {}  {}", of.kind, of.referral));
        line(out, &format!("    {}", of.detail));
    }
}

fn batches(out: &mut String, summary: &Summary) {
    head(out, "Batches");
    let header = [
        "slot",
        "settled",
        "taken back",
        "given again",
        "left for later",
    ];
    let rows = summary.batches.iter().map(|of| {
        let numbers = [of.settled, of.reversed, of.reinstated, of.skipped];
        let numbers = numbers.iter().map(ToString::to_string).collect::<Vec<_>>();
        std::iter::once(of.slot.clone()).chain(numbers)
    });
    table(out, &header, 1, rows);
    let mut why: Vec<&str> = summary
        .batches
        .iter()
        .flat_map(|of| of.why_skipped.iter().map(String::as_str))
        .collect();
    why.sort_unstable();
    why.dedup();
    if !why.is_empty() {
        line(out, &format!("  left for later: {}", why.join(", ")));
    }
}

fn events(out: &mut String, summary: &Summary) {
    head(out, "Events");
    let stored: i64 = summary.events.values().sum();
    line(
        out,
        &format!(
            "  {} posted, signed, over HTTP; {stored} stored (the rest came twice): {}",
            summary.posted,
            counts(&summary.events)
        ),
    );
    line(
        out,
        &format!("  near misses: {}", counts(&summary.near_misses)),
    );
    line(
        out,
        &format!(
            "  {} promoters; {} referrals refused, the person had been referred before",
            summary.promoters, summary.refused
        ),
    );
    head(out, "Why");
    for (state, codes) in &summary.verdicts {
        line(out, &format!("  {state}: {}", counts(codes)));
    }
}

fn counts<K: std::fmt::Display, N: std::fmt::Display>(of: &BTreeMap<K, N>) -> String {
    let each: Vec<String> = of.iter().map(|(key, n)| format!("{n} {key}")).collect();
    each.join(", ")
}
