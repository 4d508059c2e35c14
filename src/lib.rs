//! map, written below
pub mod domain;
