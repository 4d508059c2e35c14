//! map, written below
pub mod domain;
pub mod evaluate;
pub mod matching;
pub mod payments;
pub mod settle;
pub mod stripe;
