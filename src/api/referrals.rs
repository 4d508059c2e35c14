//! `/referrals`: claims that a promoter brought a person, and what the rules make of them. The
//! list is of verdicts, so that referrals that a coupon made are in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answer::{Answer, List, ok, with};
use super::caller::Caller;
use super::document::operation::{Operation, Resource, Takes};
use super::input::{Input, instant};
use super::params::{Params, bad_cursor};
use super::qualifications::{Detail, details};
use super::referral_view::{Shown, as_seen, present};
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::domain::ids::{CampaignId, ReferralId};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Verdict, VerdictState};
use crate::evaluate::explain;
use crate::http::Problem;
use crate::queue::neighbourhood::Seeds;
use crate::queue::worker::rejudge;
use crate::registry::referrals::{ReferralInput, Registered, register};
use crate::store::qualifications::qualifications_of_referrals;
use crate::store::referrals::get_referral;
use crate::store::verdicts::{StoredVerdict, VerdictFilter, get_verdict, list_verdicts};
use crate::store::{StoreError, retry};

const STATES: [VerdictState; 4] = [
    VerdictState::Qualified,
    VerdictState::Pending,
    VerdictState::Rejected,
    VerdictState::Review,
];

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_REFERRALS, list)
        .on(routes::API_REFERRAL_ADD, add)
        .on(routes::API_REFERRAL, one)
        .on(routes::API_REFERRAL_EXPLANATION, explanation)
}

pub(super) fn describe() -> Resource {
    let mut operations = operations();
    operations.extend(super::reassign::operations());
    Resource {
        name: "referrals",
        says: "Claims that a promoter brought a person, and what the rules make of them.",
        operations,
    }
}

fn operations() -> Vec<Operation> {
    vec![
            Operation::new(routes::API_REFERRALS, "list_referrals", "List referrals")
                .says("As far as they are judged, with those that a coupon made (`coupon:<campaign>:<customer>`).")
                .filter("campaign", Takes::Text, "In this campaign.")
                .filter("promoter", Takes::Text, "Of this promoter.")
                .filter("state", Takes::one_of::<VerdictState>(), "In this state.")
                .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(routes::API_REFERRAL_ADD, "register_referral", "Register a referral")
                .says("Payments that are known already count as the rules say. A person who was referred by the same promoter before is that referral again.")
                .takes::<New>()
                .refuses(409, &["already_referred", "id_taken"])
                .refuses(
                    422,
                    &[
                        "campaign_unknown",
                        "email_invalid",
                        "id_invalid",
                        "person_missing",
                        "promoter_unknown",
                        "time_invalid",
                    ],
                )
                .answers::<Shown>(200, "The referral that was there already.")
                .answers::<Shown>(201, "The referral, judged."),
            Operation::new(routes::API_REFERRAL, "get_referral", "Get a referral")
                .answers::<Shown>(200, "The referral."),
            Operation::new(
                routes::API_REFERRAL_EXPLANATION,
                "explain_referral",
                "Explain a referral",
            )
            .says("Why it is where it is: the evidence, what would change it, and what became of it down to the ledger.")
            .answers::<Explanation>(200, "The explanation."),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ReferralInput")]
struct New {
    /// Made from the rest if left out.
    id: Option<String>,
    campaign: String,
    promoter: String,
    email: Option<String>,
    /// The person's id in your product, compared with customers' metadata.
    uid: Option<String>,
    stripe_customer_id: Option<String>,
    /// Now, if left out.
    #[schemars(with = "Option<Timestamp>")]
    referred_at: Option<String>,
}

async fn add(State(api): State<Arc<Api>>, caller: Caller, input: Input) -> Answer {
    let new: New = input.json()?;
    let input = ReferralInput {
        referred_at: instant(new.referred_at.as_deref(), "/referred_at")?,
        id: new.id,
        campaign: new.campaign,
        promoter: new.promoter,
        email: new.email,
        uid: new.uid,
        stripe_customer_id: new.stripe_customer_id,
    };
    let app = &api.app;
    let outcome = register(
        &app.db,
        &caller.connection,
        app.clock.as_ref(),
        &input,
        &caller.by,
    )
    .await?;
    app.touched.notify_one();
    let status = match &outcome {
        Registered::New(_) => StatusCode::CREATED,
        Registered::Existing(_) => StatusCode::OK,
    };
    let verdict = find(&api, &caller, &outcome.referral().id).await?;
    let mut tx = app.db.read().await?;
    let shown = present(&mut tx, &caller.connection, vec![verdict]).await?;
    with(status, &shown.first())
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["campaign", "promoter", "state"])?;
    let state = |text: &str| STATES.into_iter().find(|state| state.name() == text);
    let filter = VerdictFilter {
        campaign: params.id("campaign"),
        promoter: params.id("promoter"),
        state: params.one_of("state", state, &STATES.map(VerdictState::name))?,
        ..VerdictFilter::default()
    };
    let mut tx = api.app.db.read().await?;
    let after = match &page.after {
        None => None,
        Some(id) => {
            let only = VerdictFilter {
                referral: Some(ReferralId::from(id.as_str())),
                ..VerdictFilter::default()
            };
            let found = list_verdicts(&mut tx, &caller.connection, &only, None, 1).await?;
            let last = found.into_iter().next().ok_or_else(bad_cursor)?;
            Some((last.verdict.campaign, last.verdict.referral))
        }
    };
    let (connection, rows) = (&caller.connection, page.rows());
    let rows = list_verdicts(&mut tx, connection, &filter, after.as_ref(), rows).await?;
    let List { data, has_more } = List::cut(rows, &page);
    let data = present(&mut tx, connection, data).await?;
    ok(&List { data, has_more })
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let verdict = find(&api, &caller, &ReferralId::from(id)).await?;
    let mut tx = api.app.db.read().await?;
    let shown = present(&mut tx, &caller.connection, vec![verdict]).await?;
    ok(&shown.first())
}

/// Why a referral is where it is, down to the ledger.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Explanation")]
struct Explanation {
    referral: ReferralId,
    /// The verdict in a sentence.
    sentence: String,
    /// The whole explanation in words.
    text: String,
    verdict: Verdict,
    evaluated_at: Timestamp,
    /// When it is judged again by itself.
    next_check_at: Option<Timestamp>,
    qualifications: Vec<Detail>,
}

async fn explanation(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    let stored = find(&api, &caller, &ReferralId::from(id)).await?;
    let mut tx = api.app.db.read().await?;
    let referral = stored.verdict.referral.clone();
    let ids = std::slice::from_ref(&referral);
    let qualifications = qualifications_of_referrals(&mut tx, &caller.connection, ids).await?;
    let verdict = as_seen(&stored.verdict, &qualifications);
    ok(&Explanation {
        sentence: explain::sentence(&verdict),
        text: explain::text(&verdict),
        verdict,
        referral,
        evaluated_at: stored.evaluated_at,
        next_check_at: stored.next_check_at,
        qualifications: details(&mut tx, &caller.connection, qualifications).await?,
    })
}

/// The verdict on a referral; one that still waits to be judged is judged on the spot.
async fn find(api: &Api, caller: &Caller, id: &ReferralId) -> Result<StoredVerdict, Problem> {
    let missing = || not_found("referral");
    let mut tx = api.app.db.read().await?;
    let campaign = if let Some(campaign) = campaign_of_coupon(id) {
        campaign
    } else {
        let claim = get_referral(&mut tx, &caller.connection, id).await?;
        claim.ok_or_else(missing)?.campaign
    };
    let found = get_verdict(&mut tx, &caller.connection, &campaign, id).await?;
    drop(tx);
    if let Some(found) = found {
        return Ok(found);
    }
    let found = retry(|| async {
        let mut tx = api.app.db.begin().await?;
        let seeds = Seeds {
            referrals: BTreeSet::from([id.clone()]),
            ..Seeds::default()
        };
        rejudge(&mut tx, &caller.connection, seeds, api.app.clock.now()).await?;
        let found = get_verdict(&mut tx, &caller.connection, &campaign, id).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(found)
    });
    found.await?.ok_or_else(missing)
}

/// The campaign in the id of a coupon's referral, `coupon:<campaign>:<customer>`.
fn campaign_of_coupon(id: &ReferralId) -> Option<CampaignId> {
    let (campaign, _) = id.as_str().strip_prefix("coupon:")?.split_once(':')?;
    Some(CampaignId::from(campaign))
}
