//! How many webhooks a second are acknowledged durably, and how soon, beside the least that
//! keeps the same promise. `benches/README.md` says how to read it.
#![allow(
    clippy::disallowed_methods,
    reason = "a bench runs on the machine's own time"
)]

mod tool;

use clap::Parser as _;

use tool::args::{Args, Target};
use tool::events::Events;
use tool::path::walk;
use tool::report::report;
use tool::run::{Measured, Run, measure};
use tool::server::play;

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    if let Some(what) = args.play {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.enable_all().build()?.block_on(play(what, &args));
        return Ok(());
    }
    if let Some(way) = args.path {
        let events = Events::new(args.seed, args.event, 1_750_000_000);
        let count = args.events.unwrap_or(100_000);
        println!("{way:?}: {:.0} ns an event", walk(way, &events, count));
        return Ok(());
    }
    // One thread for the load: the servers share the machine with it.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(rounds(&args));
    Ok(())
}

async fn rounds(args: &Args) {
    let servers: &[Measured] = match args.server {
        Target::Limit => &[Measured::Limit],
        Target::Qualify => &[Measured::Qualify],
        Target::Both => &[Measured::Limit, Measured::Qualify],
    };
    let mut runs: Vec<(Measured, Run)> = Vec::new();
    for round in 1..=args.rounds {
        for what in servers {
            let run = measure(args, *what, runs.len()).await;
            eprintln!(
                "round {round}, {what:?}: {:.0}/s, p99 {:.1} ms",
                run.posted.per_second(),
                run.posted.latency_ms(0.99)
            );
            runs.push((*what, run));
        }
    }
    println!("{}", report(args, &runs));
    let sound = runs.iter().all(|(_, run)| run.adds_up());
    std::process::exit(i32::from(!sound));
}
