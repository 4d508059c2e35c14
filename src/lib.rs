//! map, written below
pub mod domain;
pub mod stripe;
