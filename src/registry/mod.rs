//! What people do, as commands: save a campaign, register promoters and referrals, decide a
//! case. Each checks, writes, and puts whatever it touches on the work list, in one
//! transaction. The API, the command line and the pages call these and nothing below.

pub mod campaigns;
pub mod case_view;
pub mod decisions;
pub mod desk;
pub mod effects;
mod error;
pub mod explain;
pub mod leads;
pub mod near_misses;
pub mod promoters;
pub mod reassign;
pub mod referral_links;
pub mod referrals;
pub mod replay;

pub use error::RegistryError;
