//! A case as somebody who decides it has to see it: what was seen, every candidate with what
//! it would count, and the choices there are. Nothing is decided or stored here.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Clock;
use crate::domain::campaign::Campaign;
use crate::domain::counting;
use crate::domain::currency::Currency;
use crate::domain::decision::{CaseKind, Choice, Decision, Subject};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CaseId, ConnectionId, CouponId, CustomerId, PromoterId};
use crate::domain::money::Money;
use crate::domain::payment::{Customer, Outcome};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{MatchedBy, Verdict};
use crate::queue::judging::{Neighbourhood, judge};
use crate::queue::worker::prepare;
use crate::store::Db;
use crate::store::cases::StoredCase;

use super::RegistryError;
use super::decisions::{known, seeds, supposed};

/// A case with everything around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseView {
    /// The case.
    pub case: StoredCase,
    /// What was seen, in words; empty once the facts have changed.
    pub detail: String,
    /// The customers it is about.
    pub candidates: Vec<Candidate>,
    /// The ways to resolve it.
    pub choices: Vec<Choice>,
    /// The decision in force.
    pub decision: Option<Decision>,
}

/// One customer of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The customer.
    pub customer: CustomerId,
    /// When it was created at Stripe.
    pub created: Option<Timestamp>,
    /// Every email ever seen on it.
    pub emails: Vec<CanonicalEmail>,
    /// Whether Stripe says that it was deleted.
    pub deleted: bool,
    /// How it was found.
    pub matched_by: MatchedBy,
    /// How many payments it has made, whatever became of them.
    pub payments: usize,
    /// When it paid last.
    pub paid_last: Option<Timestamp>,
    /// Coupons it has used.
    pub coupons: Vec<CouponId>,
    /// Metadata in which the campaign looks for a referral's uid, and references of Checkout
    /// sessions: (name, value).
    pub uids: Vec<(String, String)>,
    /// How many of its payments would count if it were the person.
    pub counted_payments: usize,
    /// What they would count for, by currency.
    pub counted_spend: Vec<Money>,
}

/// Looks at a case as it would be without a decision on it.
pub async fn view(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    case: &CaseId,
) -> Result<CaseView, RegistryError> {
    let mut tx = db.read().await?;
    let case = known(&mut tx, connection, case).await?;
    let mut prepared = prepare(&mut tx, connection, seeds(&case)).await?;
    tx.rollback().await?;
    Ok(seen(&mut prepared.neighbourhood, case, clock.now()))
}

/// The same in a part of the world that is loaded; its decisions are left without the one on
/// the case.
pub(super) fn seen(world: &mut Neighbourhood, case: StoredCase, now: Timestamp) -> CaseView {
    let subject = Subject::Case {
        case: case.id.clone(),
    };
    let decision = world.decisions.on(&subject).cloned();
    world.decisions.fold(supposed(&case.id, None));
    let mut judged = judge(world, now).judged;
    let verdict = judged
        .remove(&(case.campaign.clone(), case.referral.clone()))
        .map(|judged| judged.verdict);
    let candidates: Vec<Candidate> = verdict
        .as_ref()
        .map(|verdict| candidates(world, verdict))
        .unwrap_or_default();
    let detail = verdict.as_ref().and_then(|verdict| verdict.reasons.first());
    CaseView {
        detail: detail.map(|r| r.detail.clone()).unwrap_or_default(),
        choices: choices(case.kind, world, &candidates),
        candidates,
        decision,
        case,
    }
}

fn candidates(world: &Neighbourhood, verdict: &Verdict) -> Vec<Candidate> {
    let campaign = world.campaigns.iter().find(|c| c.id == verdict.campaign);
    let registered = world.referrals.iter().find(|r| r.id == verdict.referral);
    let referred_at = verdict.window.map(|w| w.opens_at).unwrap_or_default();
    let referral = registered.cloned().unwrap_or_else(|| Referral {
        id: verdict.referral.clone(),
        campaign: verdict.campaign.clone(),
        promoter: verdict.promoter.clone(),
        email: None,
        uid: None,
        stripe_customer_id: None,
        referred_at,
    });
    let matched = verdict.customers.iter().filter_map(|matched| {
        let customer = world.customers.iter().find(|c| c.id == matched.id)?;
        Some(candidate(
            campaign?,
            &referral,
            customer,
            matched.matched_by,
        ))
    });
    matched.collect()
}

fn candidate(
    campaign: &Campaign,
    referral: &Referral,
    customer: &Customer,
    matched_by: MatchedBy,
) -> Candidate {
    let rules = &campaign.qualify;
    let window = counting::window(campaign, referral, std::iter::once(customer));
    let mut spend: BTreeMap<Currency, i64> = BTreeMap::new();
    let mut counted_payments = 0;
    for payment in &customer.payments {
        let out = counting::left_out(rules, payment).is_some()
            || counting::outside(&window, payment.occurred_at).is_some();
        let counted = counting::portion(rules, payment).map_or(0, |portion| portion.counted);
        if !out && counted > 0 {
            counted_payments += 1;
            let sum = spend.entry(payment.currency).or_default();
            *sum = sum.saturating_add(counted);
        }
    }
    let spend = spend.into_iter();
    Candidate {
        customer: customer.id.clone(),
        created: customer.created,
        emails: customer.emails.clone(),
        deleted: customer.deleted,
        matched_by,
        payments: customer.payments.len(),
        paid_last: paid_last(customer),
        coupons: coupons(customer),
        uids: uids(campaign, customer),
        counted_payments,
        counted_spend: spend
            .map(|(currency, minor)| Money::new(minor, currency))
            .collect(),
    }
}

fn paid_last(customer: &Customer) -> Option<Timestamp> {
    let payments = customer.payments.iter();
    let paid = payments.filter(|payment| payment.outcome == Outcome::Paid);
    paid.map(|payment| payment.occurred_at).max()
}

fn coupons(customer: &Customer) -> Vec<CouponId> {
    let payments = customer.payments.iter();
    let used: BTreeSet<&CouponId> = payments.flat_map(|payment| &payment.coupons).collect();
    used.into_iter().cloned().collect()
}

fn uids(campaign: &Campaign, customer: &Customer) -> Vec<(String, String)> {
    let keys = &campaign.matching.metadata;
    let named = customer.metadata.iter();
    let named = named.filter(|(key, _)| keys.contains(key)).cloned();
    let references = customer.client_references.iter();
    let references = references.map(|value| ("client_reference_id".to_owned(), value.clone()));
    named.chain(references).collect()
}

fn choices(kind: CaseKind, world: &Neighbourhood, candidates: &[Candidate]) -> Vec<Choice> {
    let mut choices = match kind {
        CaseKind::DuplicateCustomers => {
            let each = candidates.iter().map(|candidate| Choice::Customer {
                customer: candidate.customer.clone(),
            });
            each.chain([Choice::Combine]).collect()
        }
        CaseKind::LinkAgainstCoupon => vec![Choice::Link, Choice::Coupon],
        CaseKind::TwoCoupons => coupon_owners(world, candidates)
            .into_iter()
            .map(|promoter| Choice::Promoter { promoter })
            .collect(),
        CaseKind::SelfReferral => vec![Choice::Allow],
    };
    choices.push(Choice::Reject);
    choices
}

fn coupon_owners(world: &Neighbourhood, candidates: &[Candidate]) -> Vec<PromoterId> {
    let of_case = |customer: &&Customer| candidates.iter().any(|c| c.customer == customer.id);
    let payments = world.customers.iter().filter(of_case);
    let payments = payments.flat_map(|customer| &customer.payments);
    let mut owners: Vec<PromoterId> = payments
        .flat_map(|payment| &payment.coupons)
        .filter_map(|coupon| world.promoters.of_coupon(coupon).cloned())
        .collect();
    owners.sort();
    owners.dedup();
    owners
}
