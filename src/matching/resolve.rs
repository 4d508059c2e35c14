//! Referral by referral: the customers it owns, and whether its claim can be judged.

use std::borrow::Cow;

use super::claims::{Claims, CouponClaim, Owner, belongs};
use super::suspicion::self_referral;
use super::{Claim, Standing, World};
use crate::domain::campaign::{Campaign, Duplicates};
use crate::domain::counting;
use crate::domain::currency::Currency;
use crate::domain::decision::{CaseKind, Choice};
use crate::domain::ids::{CustomerId, PromoterId, ReferralId};
use crate::domain::payment::Customer;
use crate::domain::people::Referral;
use crate::domain::verdict::MatchedBy;

/// The claims of a campaign: one for each referral, and one for each customer that only a
/// coupon brought. Sorted by referral id.
pub fn resolve<'a>(campaign: &'a Campaign, world: &World<'a>) -> Vec<Claim<'a>> {
    let claims = Claims::new(campaign, world);
    let mut owned: Vec<Owned<'a>> = world.referrals.iter().map(|_| Owned::default()).collect();
    let mut resolved = Vec::with_capacity(owned.len());
    for customer in world.customers {
        let losers = match claims.owner(customer) {
            Owner::Nobody => continue,
            Owner::Coupon { coupon, losers } => {
                resolved.extend(by_coupon(campaign, world, customer, &coupon));
                losers
            }
            Owner::Referral {
                referral,
                matched_by,
                losers,
                against_coupon,
            } => {
                if let Some(mine) = owned.get_mut(referral) {
                    mine.customers.push((customer, matched_by));
                    let against = against_coupon.map(|coupon| (&customer.id, coupon));
                    mine.against_coupons.extend(against);
                }
                losers
            }
        };
        for loser in losers {
            if let Some(loser) = owned.get_mut(loser) {
                loser.lost_any = true;
            }
        }
    }
    let by_link = world.referrals.iter().zip(owned);
    resolved.extend(by_link.map(|(referral, owned)| by_referral(campaign, world, referral, owned)));
    resolved.sort_unstable_by(|a, b| a.referral.id.cmp(&b.referral.id));
    resolved
}

#[derive(Default)]
struct Owned<'a> {
    customers: Vec<(&'a Customer, MatchedBy)>,
    lost_any: bool,
    against_coupons: Vec<(&'a CustomerId, CouponClaim)>,
}

impl Owned<'_> {
    /// The first coupon against the link, on a customer that the referral came to stand on: one
    /// that a stronger key or the policy on duplicates set aside has no say.
    fn contradiction(&self, chosen: &[(&Customer, MatchedBy)]) -> Option<&CouponClaim> {
        let stands = |id: &CustomerId| chosen.iter().any(|(customer, _)| customer.id == *id);
        let against = self.against_coupons.iter().filter(|(id, _)| stands(id));
        against
            .min_by_key(|(id, coupon)| (coupon.at, *id))
            .map(|(_, coupon)| coupon)
    }
}

fn by_referral<'a>(
    campaign: &Campaign,
    world: &World<'a>,
    referral: &'a Referral,
    mut owned: Owned<'a>,
) -> Claim<'a> {
    // Only customers of the strongest kind stand: one found by Stripe id is not joined by
    // another that merely shares the email.
    let strongest = owned.customers.iter().map(|(_, by)| *by).min();
    owned.customers.retain(|(_, by)| Some(*by) == strongest);
    owned.customers.sort_unstable_by(|a, b| a.0.id.cmp(&b.0.id));
    let promoter = referral
        .promoter
        .as_ref()
        .and_then(|id| world.promoters.get(id));
    let candidates = std::mem::take(&mut owned.customers);
    let (customers, doubt) = choose(campaign, world, referral, candidates);
    let mut claim = Claim {
        referral: Cow::Borrowed(referral),
        promoter,
        customers,
        standing: Standing::Clear,
    };
    claim.standing = if let Some(decision) = world.decisions.rejection(&referral.id) {
        Standing::RejectedByAdmin {
            why: decision.reason.clone(),
        }
    } else if let Some(why) = refused(campaign, world, &referral.id) {
        Standing::RejectedByAdmin { why }
    } else if claim.customers.is_empty() && owned.lost_any {
        Standing::ClaimedByOther
    } else if let Some(review) = suspicious(campaign, world, &claim) {
        review
    } else if let Some(review) = doubt {
        review
    } else if let Some(coupon) = owned.contradiction(&claim.customers) {
        let kind = CaseKind::LinkAgainstCoupon;
        let others: Vec<&str> = coupon.promoters.iter().map(PromoterId::as_str).collect();
        let detail = format!(
            "a payment at {} carries a coupon of {}",
            coupon.at.words(),
            others.join(" and ")
        );
        Standing::Review {
            kind,
            case: kind.case_id(&campaign.id, &referral.id),
            detail,
        }
    } else {
        Standing::Clear
    };
    claim
}

/// An admin's refusal in one of the referral's cases, in the admin's words.
fn refused(campaign: &Campaign, world: &World<'_>, referral: &ReferralId) -> Option<String> {
    if world.decisions.is_empty() {
        return None;
    }
    let kinds = [
        CaseKind::SelfReferral,
        CaseKind::DuplicateCustomers,
        CaseKind::LinkAgainstCoupon,
        CaseKind::TwoCoupons,
    ];
    kinds.into_iter().find_map(|kind| {
        let case = kind.case_id(&campaign.id, referral);
        let decision = world
            .decisions
            .on(&crate::domain::decision::Subject::Case { case })?;
        (decision.choice == Some(Choice::Reject)).then(|| decision.reason.clone())
    })
}

fn suspicious(campaign: &Campaign, world: &World<'_>, claim: &Claim<'_>) -> Option<Standing> {
    let detail = self_referral(claim.promoter?, &claim.referral, &claim.customers)?;
    let kind = CaseKind::SelfReferral;
    let case = kind.case_id(&campaign.id, &claim.referral.id);
    match world.decisions.on_case(&case) {
        Some(Choice::Allow) => None,
        _ => Some(Standing::Review { kind, case, detail }),
    }
}

type Matched<'a> = Vec<(&'a Customer, MatchedBy)>;

/// Several customers of equal strength: an admin's decision, else the campaign's policy.
fn choose<'a>(
    campaign: &Campaign,
    world: &World<'a>,
    referral: &Referral,
    candidates: Matched<'a>,
) -> (Matched<'a>, Option<Standing>) {
    if candidates.len() < 2 {
        return (candidates, None);
    }
    let kind = CaseKind::DuplicateCustomers;
    let case = kind.case_id(&campaign.id, &referral.id);
    let only = |chosen: &Customer| {
        candidates
            .iter()
            .copied()
            .filter(|(customer, _)| customer.id == chosen.id)
            .collect()
    };
    match world.decisions.on_case(&case) {
        Some(Choice::Combine) => return (candidates, None),
        Some(Choice::Customer { customer }) => {
            if let Some((chosen, _)) = candidates.iter().find(|(c, _)| c.id == *customer) {
                return (only(chosen), None);
            }
        }
        _ => {}
    }
    let customers = || candidates.iter().map(|(customer, _)| *customer);
    let chosen = match campaign.matching.duplicates {
        Duplicates::Hold => None,
        Duplicates::Combine => return (candidates, None),
        Duplicates::Oldest => customers().min_by_key(|c| (c.created.is_none(), c.created, &c.id)),
        Duplicates::Newest => customers().min_by_key(|c| (std::cmp::Reverse(c.created), &c.id)),
        Duplicates::HighestSpend => highest_spend(campaign, referral, customers()),
    };
    if let Some(chosen) = chosen {
        return (only(chosen), None);
    }
    let ids: Vec<&str> = customers().map(|customer| customer.id.as_str()).collect();
    let by = candidates.first().map_or(MatchedBy::Email, |(_, by)| *by);
    let by = match by {
        MatchedBy::Admin => "an admin's link",
        MatchedBy::StripeId => "Stripe id",
        MatchedBy::Metadata => "metadata",
        MatchedBy::Email => "email",
        MatchedBy::Coupon => "coupon",
    };
    let detail = format!("{} customers match by {by}: {}", ids.len(), ids.join(", "));
    (candidates, Some(Standing::Review { kind, case, detail }))
}

/// The customer with the highest counted spend; nobody while the candidates spent in
/// different currencies, because there is no conversion and nothing is guessed. What counted
/// when it was made counts here: a refund must not pick another customer, who then qualifies.
fn highest_spend<'a>(
    campaign: &Campaign,
    referral: &Referral,
    customers: impl Iterator<Item = &'a Customer>,
) -> Option<&'a Customer> {
    let mut currencies: Vec<Currency> = Vec::new();
    let mut spent = Vec::new();
    for customer in customers {
        let rules = &campaign.qualify;
        let window = counting::window(campaign, referral, std::iter::once(customer));
        let mut sum = 0_i64;
        for payment in &customer.payments {
            let out = counting::left_out(rules, payment).is_some()
                || counting::outside(&window, payment.occurred_at).is_some();
            let made = if out {
                0
            } else {
                counting::portion(rules, payment).map_or(0, |p| p.made)
            };
            if made > 0 {
                sum = sum.saturating_add(made);
                currencies.push(payment.currency);
            }
        }
        spent.push((std::cmp::Reverse(sum), &customer.id, customer));
    }
    currencies.sort_unstable();
    currencies.dedup();
    if currencies.len() > 1 {
        return None;
    }
    spent
        .into_iter()
        .min_by_key(|(sum, id, _)| (*sum, *id))
        .map(|(_, _, customer)| customer)
}

/// The referral that a coupon makes; `None` if it falls outside the campaign's time.
fn by_coupon<'a>(
    campaign: &Campaign,
    world: &World<'a>,
    customer: &'a Customer,
    coupon: &CouponClaim,
) -> Option<Claim<'a>> {
    if !belongs(campaign, coupon.at) {
        return None;
    }
    let id = ReferralId::from_coupon(&campaign.id, &customer.id);
    let kind = CaseKind::TwoCoupons;
    let case = kind.case_id(&campaign.id, &id);
    let mut promoters = coupon.promoters.iter();
    let promoter = match (promoters.next(), promoters.next()) {
        (only, None) => only,
        _ => match world.decisions.on_case(&case) {
            Some(Choice::Promoter { promoter }) => coupon.promoters.get(promoter),
            _ => None,
        },
    };
    let referral = Referral {
        id,
        campaign: campaign.id.clone(),
        promoter: promoter.cloned(),
        email: None,
        uid: None,
        stripe_customer_id: None,
        referred_at: coupon.at,
    };
    let mut claim = Claim {
        promoter: promoter.and_then(|id| world.promoters.get(id)),
        customers: vec![(customer, MatchedBy::Coupon)],
        standing: Standing::Clear,
        referral: Cow::Owned(referral),
    };
    claim.standing = if let Some(decision) = world.decisions.rejection(&claim.referral.id) {
        Standing::RejectedByAdmin {
            why: decision.reason.clone(),
        }
    } else if let Some(why) = refused(campaign, world, &claim.referral.id) {
        Standing::RejectedByAdmin { why }
    } else if promoter.is_none() {
        let names: Vec<&str> = coupon.promoters.iter().map(PromoterId::as_str).collect();
        let at = coupon.at.words();
        let detail = format!(
            "the payment at {at} carries coupons of {}",
            names.join(" and ")
        );
        Standing::Review { kind, case, detail }
    } else {
        suspicious(campaign, world, &claim).unwrap_or(Standing::Clear)
    };
    Some(claim)
}
