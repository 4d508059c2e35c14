//! A made-up half year on a server of its own: no settings, no Stripe account, no network.
//! Nothing here is used by the service; it goes in through the same doors as everybody.
//!
//! [`story`] (pure) turns a seed into promoters, referrals and Stripe events, and into what
//! every referral should come to; [`run`] plays it against a real server, day by day on a
//! clock of its own; [`summary`] reads from the database what came of it; [`words`] prints it;
//! [`people`] lets those in who want to look at it.

mod dice;
pub mod people;
mod post;
pub mod run;
pub mod story;
pub mod summary;
pub mod words;
