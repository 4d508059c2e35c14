//! `qualify`: a self-hosted referral qualification engine for Stripe.
//!
//! The way of the data, one direction, no room entered twice:
//!
//! ```text
//! Stripe ──HTTP──▶ intake ──event row──▶ ingest ──facts──▶ payments ─▶ matching ─▶ evaluate
//!                  verify, store, 200    stripe::normalize   (pure)      (pure)      (pure)
//!                                                                                      │ verdict
//!                     notify ◀── outbox ── ledger ◀── settle ◀── every 12 h ── queue ◀─┘
//! ```
//!
//! A stage writes rows that the next stage reads; stages never call each other. The 2xx to
//! Stripe is written after the commit of the raw event and waits for nothing later.
//!
//! | room | what it is for |
//! |---|---|
//! | [`domain`] | values: ids, money, time, facts that merge in any order, campaigns, verdicts |
//! | [`stripe`] | the only place that knows Stripe's shapes: signature, event → facts |
//! | [`rules`] | campaign files ⇄ [`domain::campaign::Campaign`], with every problem at its place |
//! | [`payments`] | linked objects → payments, each once; payments → customers |
//! | [`matching`] | customers and referrals → claims and cases |
//! | [`mod@evaluate`] | (campaign, claim, instant) → verdict, with evidence; backtest over many |
//! | [`store`] | SQLite or PostgreSQL: one SQL text a statement, one function a statement |
//! | [`intake`] | the webhook endpoint and its group commit |
//! | [`ingest`] | stored events → facts, in batches |
//! | [`queue`] | facts that changed → verdicts → qualifications |
//! | [`settle`] | limits, plan, execution, reversals, schedule |
//! | [`ledger`] | accounts, entries, and what can be checked of them |
//! | [`registry`] | commands of people: campaigns, promoters, referrals, decisions |
//! | [`verify`] | everything that can be recomputed, recomputed and compared |
//! | [`offline`] | the evaluator on files, or on what is stored: backtests |
//! | [`http`] | the server loop, problems, bodies |
//! | [`access`] | users, sessions, keys, the table of routes with what each needs, the audit log |
//! | [`doctor`] | one list of checks: settings, Stripe's side of it, and what is stored |
//! | [`notify`] | mails and outgoing webhooks: rendered, and delivered from the outbox |
//! | [`shared`] | what the rooms of a running server share |
//! | [`track`] | referral links, the script on landing pages, and the leads it sends |
//! | [`backtests`] | drafts tried on what is stored, as jobs that every node can tell of |
//! | [`api`] | JSON under `/api/v1`, one file per resource |
//! | [`web`] | pages for marketing, promoters and admins |
//! | [`cli`] | one file per subcommand |
//! | [`demo`] | a made-up half year, played through the webhook endpoint |
//! | [`app`] | the composition root: settings → database, clock → [`workers`] and server |
//!
//! [`clock`] is the only place that reads time; [`config`] the only one that reads settings;
//! [`random`] the only one that draws chance; [`telemetry`] names what is logged and measured.
//! Imports run one way, from the values at the top to the composition root at the bottom; a
//! test reads the `use crate::…` lines and checks it.

pub mod access;
pub mod api;
pub mod app;
pub mod backtests;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod domain;
pub mod evaluate;
pub mod http;
pub mod ingest;
pub mod intake;
pub mod ledger;
pub mod matching;
pub mod notify;
pub mod offline;
pub mod payments;
pub mod queue;
pub mod random;
pub mod registry;
pub mod rules;
pub mod settle;
pub mod shared;
pub mod store;
pub mod stripe;
pub mod telemetry;
pub mod track;
pub mod verify;
pub mod web;
pub mod workers;

/// Many threads allocate and free small strings all the time, which is where the system's
/// allocator is slow. In the library, so that tests and benches run on what the program runs on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
