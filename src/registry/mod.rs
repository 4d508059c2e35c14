//! What people do, as commands: save a campaign, register promoters and referrals, decide a
//! case. Each checks, writes, and puts whatever it touches on the work list, in one
//! transaction. The API, the command line and the pages call these and nothing below.

pub mod campaigns;
pub mod case_view;
pub mod decisions;
mod error;
pub mod explain;
pub mod promoters;
pub mod reassign;
pub mod referrals;

pub use error::RegistryError;
