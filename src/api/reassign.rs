//! `/referrals/{id}/reassign` gives a referral to another promoter; `/referrals/{id}/timeline`
//! tells what happened to it, from Stripe's events to the ledger.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answer::{Answer, ok};
use super::caller::Caller;
use super::document::operation::Operation;
use super::input::Input;
use super::qualifications::{Detail, details};
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::domain::access::Permission;
use crate::domain::ids::{
    BatchId, CaseId, CustomerId, EventId, PromoterId, QualificationId, ReferralId,
};
use crate::domain::time::Timestamp;
use crate::evaluate::explain::sentence;
use crate::registry::explain::{About, Moment, explain, history};
use crate::registry::reassign::reassign;
use crate::store::qualifications::load_qualifications;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_REFERRAL_REASSIGN, give)
        .on(routes::API_REFERRAL_TIMELINE, timeline)
}

/// Operations on one referral.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            routes::API_REFERRAL_TIMELINE,
            "get_referral_timeline",
            "Get what happened to a referral",
        )
        .says("From Stripe's events to the ledger, the oldest first; events only for keys that may see events.")
        .answers::<Timeline>(200, "What happened."),
        Operation::new(
            routes::API_REFERRAL_REASSIGN,
            "reassign_referral",
            "Give a referral to another promoter",
        )
        .says("What is settled stays with the promoter that it was settled for; what is not goes along.")
        .takes::<Wanted>()
        .refuses(409, &["batch_running", "coupon_referral"])
        .refuses(422, &["promoter_unknown", "nothing_to_change", "reason_missing", "reason_invalid"])
        .answers::<Given>(200, "What moved and what stayed."),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Reassignment")]
struct Wanted {
    /// The promoter that it goes to.
    promoter: String,
    /// Why, in a few words, for whoever asks later.
    reason: String,
}

/// What moved and what stayed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Reassigned")]
struct Given {
    referral: ReferralId,
    /// The promoter that it was with.
    from: PromoterId,
    /// The promoter that it is with.
    to: PromoterId,
    /// What the rules say of it from now on.
    sentence: Option<String>,
    /// Qualifications that went along.
    moved: Vec<Detail>,
    /// Those that are settled.
    stayed: Vec<Detail>,
}

async fn give(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let wanted: Wanted = input.json()?;
    let (referral, to) = (ReferralId::from(id), PromoterId::from(wanted.promoter));
    let (app, connection) = (&api.app, &caller.connection);
    let clock = app.clock.as_ref();
    let which = (&referral, &to);
    let done = reassign(
        &app.db,
        connection,
        clock,
        which,
        &wanted.reason,
        &caller.by,
    );
    let done = done.await?;
    app.touched.notify_one();
    let mut tx = app.db.read().await?;
    let moved: Vec<QualificationId> = done.moves.iter().map(|one| one.id.clone()).collect();
    let moved = load_qualifications(&mut tx, connection, &moved).await?;
    ok(&Given {
        referral: referral.clone(),
        from: done.from.id,
        to: done.to.id,
        sentence: done.after.as_ref().map(sentence),
        moved: details(&mut tx, connection, moved).await?,
        stayed: details(&mut tx, connection, done.stays).await?,
    })
}

/// Something that happened, as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Moment")]
struct Shown {
    /// When.
    at: Timestamp,
    /// What kind of thing: a stable code.
    kind: &'static str,
    /// What, in words.
    what: String,
    /// The event, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventId>,
    /// The case that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<CaseId>,
    /// The batch that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<BatchId>,
}

fn shown(moment: Moment) -> Shown {
    let mut shown = Shown {
        at: moment.at,
        kind: moment.kind.name(),
        what: moment.what,
        event: None,
        case: None,
        batch: None,
    };
    match moment.about {
        Some(About::Event(id)) => shown.event = Some(id),
        Some(About::Case(id)) => shown.case = Some(id),
        Some(About::Batch(id)) => shown.batch = Some(id),
        None => {}
    }
    shown
}

/// What happened to a referral, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Timeline {
    referral: ReferralId,
    /// What happened, the oldest first.
    data: Vec<Shown>,
    /// Whether every event about it is there: not if there were too many to look through, or
    /// if the key may not see events.
    events_complete: bool,
}

async fn timeline(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let referral = ReferralId::from(id);
    let customers: BTreeSet<CustomerId> = referral.customer_of_coupon().into_iter().collect();
    let connection = &caller.connection;
    let mut tx = api.app.db.read().await?;
    let ids = BTreeSet::from([referral.clone()]);
    let now = api.app.clock.now();
    let all = explain(&mut tx, connection, (&ids, &customers), now).await?;
    let one = all.into_iter().find(|one| one.verdict.referral == referral);
    let one = one.ok_or_else(|| not_found("referral"))?;
    let with_events = caller.by.grants.may(Permission::EventsRead);
    let told = history(&mut tx, connection, &one, with_events).await?;
    ok(&Timeline {
        referral,
        events_complete: with_events && !told.events_cut,
        data: told.moments.into_iter().map(shown).collect(),
    })
}
