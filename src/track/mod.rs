//! Referral links and what comes of following one: the redirect, the script on the landing
//! page, and the leads that it sends. What all of it promises stands in the README beside this.
//!
//! Nobody is signed in here and nothing is answered that tells who is known: whether a lead
//! counts is decided by the rules, later, and told to nobody who sends one.

mod cors;
mod leads;
mod links;
mod resolve;
mod script;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use crate::access::Addresses;
use crate::access::routes::{self, On};
use crate::clock::SECOND_US;
use crate::shared::App;
use crate::store::limits::Rate;

pub use links::address;

/// Leads of one address at this node: twenty at once, then ten a minute.
const LEADS: Rate = Rate {
    every_us: 6 * SECOND_US,
    burst: 20,
};
/// Clicks of one address that are counted at this node: ten at once, then two a minute.
const CLICKS: Rate = Rate {
    every_us: 30 * SECOND_US,
    burst: 10,
};

/// What the handlers work with.
#[derive(Debug)]
struct Track {
    app: Arc<App>,
    /// Time to send a body.
    body_read: Duration,
    leads: Addresses,
    clicks: Addresses,
}

/// The routes.
pub fn routes(app: &Arc<App>, body_read: Duration) -> Router {
    let track = Arc::new(Track {
        app: Arc::clone(app),
        body_read,
        leads: Addresses::new(LEADS),
        clicks: Addresses::new(CLICKS),
    });
    Router::new()
        .on(routes::REFERRAL_LINK, links::follow)
        .on(routes::TRACK_SCRIPT, script::serve)
        .on(routes::TRACK_SETTINGS, settings::show)
        .on(routes::LEAD, leads::take)
        .on(routes::LEAD_ASKED, leads::asked)
        .with_state(track)
}
