//! map, written below
pub mod cli;
pub mod domain;
pub mod evaluate;
pub mod matching;
pub mod payments;
pub mod rules;
pub mod settle;
pub mod stripe;
