//! A table of referrals: what a row needs from the store, and how it is shown. More than one
//! page has such a table (`referral_rows.html`).

use std::collections::{BTreeMap, HashMap};

use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{ConnectionId, PromoterId, ReferralId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Verdict, VerdictState};
use crate::queue::transition::as_shown;
use crate::store::promoters::load_promoters;
use crate::store::qualifications::{QualificationState, qualifications_of_referrals};
use crate::store::referrals::load_referrals;
use crate::store::verdicts::StoredVerdict;
use crate::store::{StoreError, Tx};
use crate::web::parts::{Link, State as Badge, When};
use crate::web::url;

/// A referral's line.
#[derive(Debug)]
pub(crate) struct ReferralRow {
    pub link: Link,
    /// Email or uid, whatever there is.
    pub person: String,
    pub campaign: Link,
    pub promoter: Option<Link>,
    pub state: Badge,
    pub detail: String,
    pub referred: Option<When>,
}

/// What is listed.
pub(super) struct Row {
    pub verdict: Verdict,
    pub claim: Option<Referral>,
    pub promoter_name: Option<String>,
    pub settled: bool,
}

/// Verdicts with their claims, their promoters' names and whether they are settled.
pub(super) async fn complete(
    tx: &mut Tx,
    connection: &ConnectionId,
    stored: Vec<StoredVerdict>,
) -> Result<Vec<Row>, StoreError> {
    let ids: Vec<ReferralId> = stored.iter().map(|s| s.verdict.referral.clone()).collect();
    let claims = load_referrals(tx, connection, &ids).await?;
    let mut claims: HashMap<ReferralId, Referral> = claims
        .into_iter()
        .map(|claim| (claim.id.clone(), claim))
        .collect();
    let promoters: Vec<PromoterId> = stored
        .iter()
        .filter_map(|s| s.verdict.promoter.clone())
        .collect();
    let named = load_promoters(tx, connection, &promoters).await?;
    let named: HashMap<PromoterId, String> = named
        .into_iter()
        .map(|stored| (stored.promoter.id, stored.promoter.name))
        .collect();
    let qualifications = qualifications_of_referrals(tx, connection, &ids).await?;
    let rows = stored.into_iter().map(|stored| {
        let verdict = stored.verdict;
        let settled = qualifications.iter().find(|q| {
            q.referral == verdict.referral
                && q.campaign == verdict.campaign
                && q.state == QualificationState::Settled
        });
        Row {
            settled: settled.is_some() && verdict.state == VerdictState::Qualified,
            claim: claims.remove(&verdict.referral),
            promoter_name: verdict
                .promoter
                .as_ref()
                .and_then(|id| named.get(id).cloned()),
            verdict: as_shown(&verdict, settled),
        }
    });
    Ok(rows.collect())
}

/// The person as far as they are known.
fn person(row: &Row) -> String {
    let claim = row.claim.as_ref();
    let email = claim
        .and_then(|c| c.email.as_ref())
        .map(CanonicalEmail::as_str);
    let uid = claim.and_then(|c| c.uid.as_deref());
    let stripe = claim.and_then(|c| c.stripe_customer_id.as_deref());
    let customer = row.verdict.customers.first().map(|c| c.id.as_str());
    let known = email.or(uid).or(stripe).or(customer);
    known.unwrap_or_default().to_owned()
}

pub(super) fn shown(row: Row, campaigns: &BTreeMap<String, String>, now: Timestamp) -> ReferralRow {
    let person = person(&row);
    let verdict = row.verdict;
    let id = verdict.referral.as_str();
    let campaign = verdict.campaign.as_str();
    let name = campaigns.get(campaign).map_or(campaign, String::as_str);
    let referred = row.claim.as_ref().map(|claim| claim.referred_at);
    let referred = referred.or(verdict.window.map(|window| window.opens_at));
    ReferralRow {
        link: Link::new(id, url::referral(id)),
        person,
        campaign: Link::new(name, url::campaign(campaign)),
        promoter: verdict.promoter.as_ref().map(|promoter| {
            let name = row.promoter_name.as_deref().unwrap_or(promoter.as_str());
            Link::new(name, url::promoter(promoter.as_str()))
        }),
        state: Badge::verdict(verdict.state, row.settled),
        detail: verdict
            .reasons
            .first()
            .map(|reason| reason.detail.clone())
            .unwrap_or_default(),
        referred: referred.map(|at| When::new(at, now)),
    }
}
