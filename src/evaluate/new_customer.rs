//! `customers = "new"`: is the customer new to the business, or was it there before?
//!
//! A registered person's customer may be up to an hour older than the referral, because
//! products often create the customer a moment before they report it. A coupon's customer
//! may not have made a counted payment before. While Stripe's `created` is unknown, the first
//! sign of the customer stands in.
//! Reason code: `existing_customer`.

use super::evidence::Evidence;
use super::standing::Decided;
use crate::domain::campaign::Campaign;
use crate::domain::counting;
use crate::domain::reason::ReasonCode;
use crate::domain::verdict::VerdictState;
use crate::matching::Claim;

/// How much older than its referral a new customer may be: one hour.
const OLDER_SECONDS_MAX: i64 = 3_600;

pub(super) fn too_old(
    campaign: &Campaign,
    claim: &Claim<'_>,
    evidence: &mut impl Evidence,
) -> Decided {
    if !campaign.matching.new_customers_only {
        return None;
    }
    let referred_at = claim.referral.referred_at;
    let (customer, since) = claim.customers.iter().find_map(|(customer, _)| {
        let known_since = if claim.referral.is_from_coupon() {
            let first = counting::first_counted(&campaign.qualify, customer);
            first.filter(|at| *at < referred_at)
        } else {
            let earliest = referred_at.plus_seconds(-OLDER_SECONDS_MAX);
            customer.created.filter(|created| *created < earliest)
        };
        known_since.map(|since| (customer, since))
    })?;
    evidence.reason(ReasonCode::ExistingCustomer, || {
        let (id, since, referred) = (&customer.id, since.words(), referred_at.words());
        format!("{id} was a customer since {since}, before the referral of {referred}")
    });
    Some((VerdictState::Rejected, ReasonCode::ExistingCustomer))
}
