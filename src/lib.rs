//! map, written below
pub mod cli;
pub mod domain;
pub mod rules;
