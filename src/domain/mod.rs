//! The values that every other room speaks in. Nothing here reads a clock, a file, a
//! socket or a database, and nothing here knows what Stripe's JSON looks like.

pub mod access;
pub mod campaign;
pub mod counting;
pub mod currency;
pub mod decision;
pub mod email;
pub mod fact;
pub mod ids;
pub mod ledger;
pub mod money;
pub mod payment;
pub mod people;
pub mod reason;
pub mod referral_link;
pub mod time;
pub mod told;
pub mod topic;
pub mod verdict;
