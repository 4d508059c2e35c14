//! Settlement: every 12 hours a batch settles what is due. A plan with nothing left to decide
//! is made and stored, then executed; executing it again changes nothing.
//!
//! [`slot`] is pure; limits are in `evaluate`, so that a backtest applies the same; [`plan`] re-judges and writes the plan; [`execute`]
//! carries it out in chunks, each in one transaction; [`schedule`] says when.

pub mod execute;
pub mod plan;
pub mod schedule;
pub mod slot;

/// Items planned or executed in one transaction, at most.
pub const CHUNK_ITEMS: u32 = 500;
