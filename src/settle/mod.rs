//! Settlement: every 12 hours a batch settles what is due. A plan with nothing left to decide
//! is made and stored, then executed; executing it again changes nothing. Both are done page by
//! page, each in one short transaction, so that a million due items need no more memory than a
//! thousand, and whoever waits for the database waits for one page.
//!
//! | file | what it does |
//! |---|---|
//! | [`schedule`] | says when, and what is to be done by whom |
//! | [`duty`] | the lease: one node settles, and one that froze writes nothing when it wakes |
//! | [`today`] | sees to it that what is stored rests on today's facts |
//! | [`items`] | the items of a plan, page by page, within the campaigns' limits |
//! | [`manifest`] | the digest of a plan (pure) |
//! | [`plan`] | stores them, or shows them |
//! | [`execute`] | carries them out |
//! | [`booking`] | what carrying out a page of them writes (pure) |
//!
//! Limits are in `evaluate`, so that a backtest applies the same.

pub mod booking;
pub mod duty;
pub mod execute;
pub mod items;
pub mod manifest;
pub mod plan;
pub mod schedule;
pub mod today;

/// Items planned or executed in one transaction, at most: as many as one statement carries on
/// SQLite, so that a page is one statement a table.
pub const CHUNK_ITEMS: u32 = 512;
