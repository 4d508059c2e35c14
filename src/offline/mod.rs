//! The offline evaluator: files in, verdicts out. No server, no database, no clock. It decides
//! nothing itself: reading ends in facts and people, and [`streamed`] judges them.
//!
//! 1. [`source`] opens a file, stdin or gzip; [`lines`] cuts it into lines of bounded length.
//! 2. [`events`] reads Stripe events, [`facts`] keeps what they say; [`promoters`] and
//!    [`referrals`] read CSV by [`table`].
//! 3. [`streamed`] tries rule sets on all of it; [`render`] shows it to people.
//! 4. [`stored`] takes everything from the database instead.

pub mod compact;
mod events;
mod facts;
mod files;
pub mod lines;
mod notes;
pub mod origin;
pub mod promoters;
pub mod referrals;
pub mod render;
mod request;
pub mod source;
mod stored;
pub mod streamed;
mod table;

pub use events::EventsRead;
pub use files::{Files, ReadError, backtest_files};
pub use notes::Notes;
pub use request::{Answer, Request};
pub use stored::{Stored, backtest_stored};
pub use table::TableError;
