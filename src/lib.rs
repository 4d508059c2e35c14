//! map, written below
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod evaluate;
pub mod http;
pub mod matching;
pub mod offline;
pub mod payments;
pub mod rules;
pub mod settle;
pub mod stripe;
pub mod telemetry;
