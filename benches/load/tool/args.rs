//! What the tool can be asked for.

use std::net::SocketAddr;

use clap::{Parser, ValueEnum};

use super::events::Kind;
use super::path::Way;

/// Which server is shot at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The least that keeps the promise: verify, read the id, group commit of (id, body).
    Limit,
    /// The product.
    Qualify,
    /// Both in turn, limit first in each round.
    Both,
}

/// Whether the stages behind intake work as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stages {
    /// The real `qualify serve`: events are read and judged while they come in.
    On,
    /// Intake alone, as the limit server is.
    Off,
}

/// A server that this program plays itself, in a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Play {
    Limit,
    Intake,
}

/// Posts signed Stripe events to a webhook endpoint, and checks afterwards that every one that
/// was acknowledged is stored exactly once.
#[derive(Debug, Clone, Parser)]
#[command(name = "cargo bench --bench load --")]
pub struct Args {
    /// Which server
    #[arg(long, value_enum, default_value = "both")]
    pub server: Target,
    /// `sqlite`, `postgres` (a cluster of its own), or the URL of a server where databases may
    /// be made
    #[arg(long, default_value = "sqlite")]
    pub database: String,
    /// Keep-alive connections
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// How long to post, in seconds
    #[arg(long, default_value_t = 5, conflicts_with = "events")]
    pub seconds: u64,
    /// Post this many events instead
    #[arg(long)]
    pub events: Option<u64>,
    /// Post at this rate a second, whether answers come or not; otherwise each connection posts
    /// as soon as it is answered
    #[arg(long)]
    pub rate: Option<u64>,
    /// So many of a hundred posts repeat an earlier event
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=90))]
    pub duplicates: u64,
    /// Which events
    #[arg(long, value_enum, default_value = "mix")]
    pub event: Kind,
    /// Whether qualify also reads and judges
    #[arg(long, value_enum, default_value = "off")]
    pub stages: Stages,
    /// So many of a hundred customers were referred, with the stages on
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(0..=100))]
    pub referred: u64,
    /// Nodes of qualify on one database, posted to in turn; more than one wants PostgreSQL
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub nodes: u8,
    /// How often each server is measured, each time on a fresh database
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Commits that the limit server has under way at once on PostgreSQL
    #[arg(long, default_value_t = 1)]
    pub limit_writers: usize,
    /// No server: send `--events` this way through the code alone, and print the time of one
    #[arg(long, value_enum)]
    pub path: Option<Way>,
    /// Where the events are drawn from
    #[arg(long, default_value_t = 2026)]
    pub seed: u64,
    /// Set by cargo
    #[arg(long, hide = true)]
    pub bench: bool,
    /// Be a server
    #[arg(long, hide = true, requires = "at")]
    pub play: Option<Play>,
    /// The database of that server
    #[arg(long, hide = true)]
    pub at: Option<String>,
    /// Where that server listens
    #[arg(long, hide = true, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}
