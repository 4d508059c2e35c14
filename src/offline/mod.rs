//! The offline evaluator: files in, verdicts out. No server, no database, no clock. It decides
//! nothing itself; reading ends in a [`History`], and [`judge`] is a pure function of that.
//!
//! 1. [`source`] opens a file, stdin or gzip; [`lines`] cuts it into lines of bounded length.
//! 2. [`events`] folds Stripe events; [`promoters`] and [`referrals`] read CSV by [`table`].
//! 3. [`trial`] judges a rule set on the history; [`render`] shows it to people.

pub mod compact;
pub mod events;
mod export;
pub mod history;
pub mod lines;
mod notes;
pub mod promoters;
pub mod referrals;
pub mod render;
pub mod source;
mod stored;
mod table;
pub mod trial;

pub use events::EventsRead;
pub use export::{Files, ReadError, read_files};
pub use history::{History, Origin};
pub use notes::Notes;
pub use stored::stored_history;
pub use table::TableError;
pub use trial::{Judged, TrialError, judge};
