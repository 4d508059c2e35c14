//! Stored events become facts, in batches of hundreds per transaction. It marks whom a fact
//! touches; judging is the next stage's work.
//!
//! [`read`] (pure) turns bodies into facts and says what became of each event; [`fold`]
//! (pure) merges them into what is stored and regroups payments, [`keys`] names what finds the
//! customers; [`worker`] claims, loads,
//! folds, applies.

pub mod fold;
mod keys;
pub mod read;
pub mod worker;
