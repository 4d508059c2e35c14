//! map, written below
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod intake;
pub mod rules;
pub mod store;
pub mod stripe;
pub mod telemetry;
pub mod workers;
