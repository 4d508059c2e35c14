//! Customer by customer: who claims it, who owns it.

use std::collections::{BTreeSet, HashMap};

use super::{Promoters, World};
use crate::domain::campaign::{Campaign, MatchKey, Prefer, Touch};
use crate::domain::counting::first_counted;
use crate::domain::decision::{CaseKind, Choice, Decisions};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CustomerId, PromoterId};
use crate::domain::payment::{Customer, Outcome};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::domain::verdict::MatchedBy;

/// Who owns a customer in a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A referral, by its position; `losers` claimed it with equal strength.
    Referral {
        /// The owner.
        referral: usize,
        /// How it matched.
        matched_by: MatchedBy,
        /// Other claimants of equal strength.
        losers: Vec<usize>,
        /// A coupon says another promoter, and nobody has decided.
        against_coupon: Option<CouponClaim>,
    },
    /// A coupon; `losers` are the referrals that it went past.
    Coupon {
        /// What the coupon says.
        coupon: CouponClaim,
        /// Referrals that claimed the customer.
        losers: Vec<usize>,
    },
    /// Nobody.
    Nobody,
}

/// What a payment with promoters' coupons says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponClaim {
    /// Whose coupons were on it; more than one is a case.
    pub promoters: BTreeSet<PromoterId>,
    /// When it happened.
    pub at: Timestamp,
}

/// Finds the owner of each customer.
pub struct Claims<'a> {
    campaign: &'a Campaign,
    referrals: &'a [Referral],
    promoters: &'a Promoters,
    decisions: &'a Decisions,
    by_stripe_id: HashMap<&'a str, Vec<usize>>,
    by_uid: HashMap<&'a str, Vec<usize>>,
    by_email: HashMap<&'a CanonicalEmail, Vec<usize>>,
    by_admin: HashMap<&'a CustomerId, Vec<usize>>,
}

impl<'a> Claims<'a> {
    /// Indexes the referrals that take part: those of the campaign's time that no admin has
    /// refused. A refused claim must not keep a customer from somebody else.
    pub fn new(campaign: &'a Campaign, world: &World<'a>) -> Self {
        let mut claims = Self {
            campaign,
            referrals: world.referrals,
            promoters: world.promoters,
            decisions: world.decisions,
            by_stripe_id: HashMap::new(),
            by_uid: HashMap::new(),
            by_email: HashMap::new(),
            by_admin: HashMap::new(),
        };
        let enabled = |key| campaign.matching.keys.contains(&key);
        for (index, referral) in world.referrals.iter().enumerate() {
            if !belongs(campaign, referral.referred_at) || is_refused(campaign, world, referral) {
                continue;
            }
            for customer in world.decisions.links_of(&referral.id) {
                claims.by_admin.entry(customer).or_default().push(index);
            }
            if enabled(MatchKey::StripeId) {
                for id in referral.stripe_customer_id.iter().chain(&referral.uid) {
                    claims
                        .by_stripe_id
                        .entry(id.as_str())
                        .or_default()
                        .push(index);
                }
            }
            if let Some(uid) = referral
                .uid
                .as_ref()
                .filter(|_| enabled(MatchKey::Metadata))
            {
                claims.by_uid.entry(uid.as_str()).or_default().push(index);
            }
            if let Some(email) = referral.email.as_ref().filter(|_| enabled(MatchKey::Email)) {
                claims.by_email.entry(email).or_default().push(index);
            }
        }
        claims
    }

    /// Who owns this customer.
    pub fn owner(&self, customer: &Customer) -> Owner {
        let coupon = self.coupon_claim(customer, None);
        let Some((matched_by, claimants)) = self.strongest(customer) else {
            return coupon.map_or(Owner::Nobody, |coupon| Owner::Coupon {
                coupon,
                losers: vec![],
            });
        };
        let Some(referral) = self.best(customer, &claimants) else {
            return Owner::Nobody;
        };
        let losers = claimants
            .iter()
            .copied()
            .filter(|index| *index != referral)
            .collect();
        let mine = self.referrals.get(referral);
        let against = self.coupon_claim(customer, mine.and_then(|r| r.promoter.as_ref()));
        let (Some(against), Some(mine)) = (against, mine) else {
            return Owner::Referral {
                referral,
                matched_by,
                losers,
                against_coupon: None,
            };
        };
        let stands = |against_coupon| Owner::Referral {
            referral,
            matched_by,
            losers,
            against_coupon,
        };
        match self.preference(mine, &against) {
            Some(Choice::Coupon) => Owner::Coupon {
                coupon: against,
                losers: claimants,
            },
            Some(_) => stands(None),
            None => stands(Some(against)),
        }
    }

    /// Whether the link or the coupon decides; `None` while a person has to.
    fn preference(&self, referral: &Referral, coupon: &CouponClaim) -> Option<Choice> {
        let case = CaseKind::LinkAgainstCoupon.case_id(&self.campaign.id, &referral.id);
        if let Some(decided) = self.decisions.on_case(&case) {
            return Some(decided.clone());
        }
        match self.campaign.attribution.prefer {
            Prefer::Coupon => Some(Choice::Coupon),
            Prefer::Earliest if coupon.at < referral.referred_at => Some(Choice::Coupon),
            Prefer::Link | Prefer::Earliest => Some(Choice::Link),
            Prefer::Hold => None,
        }
    }

    /// The claimants by the strongest key that any of them has.
    fn strongest(&self, customer: &Customer) -> Option<(MatchedBy, Vec<usize>)> {
        if let Some(claimants) = self.by_admin.get(&customer.id) {
            return Some((MatchedBy::Admin, sorted(claimants.iter())));
        }
        if !customer.id.is_guest() {
            if let Some(claimants) = self.by_stripe_id.get(customer.id.as_str()) {
                return Some((MatchedBy::StripeId, sorted(claimants.iter())));
            }
            let keys = &self.campaign.matching.metadata;
            let named = customer
                .metadata
                .iter()
                .filter(|(key, _)| keys.contains(key));
            let values = named
                .map(|(_, value)| value)
                .chain(&customer.client_references);
            let claimants = sorted(
                values
                    .filter_map(|value| self.by_uid.get(value.as_str()))
                    .flatten(),
            );
            if !claimants.is_empty() {
                return Some((MatchedBy::Metadata, claimants));
            }
        }
        let emails = customer.emails.iter();
        let claimants = sorted(
            emails
                .filter_map(|email| self.by_email.get(email))
                .flatten(),
        );
        (!claimants.is_empty()).then_some((MatchedBy::Email, claimants))
    }

    /// First or last touch, among the claims made no later than the first counted payment if
    /// there are any: a claim made after the money never takes over.
    fn best(&self, customer: &Customer, claimants: &[usize]) -> Option<usize> {
        let [_, _, ..] = claimants else {
            return claimants.first().copied();
        };
        let claims = || {
            claimants
                .iter()
                .filter_map(|i| self.referrals.get(*i).map(|r| (*i, r)))
        };
        let first_money = first_counted(&self.campaign.qualify, customer);
        let in_time = |r: &Referral| first_money.is_some_and(|money| r.referred_at <= money);
        let any_in_time = claims().any(|(_, r)| in_time(r));
        let eligible = claims().filter(|(_, r)| !any_in_time || in_time(r));
        let best = match self.campaign.attribution.touch {
            Touch::First => eligible.min_by_key(|(_, r)| (r.referred_at, &r.id)),
            Touch::Last => eligible.min_by_key(|(_, r)| (std::cmp::Reverse(r.referred_at), &r.id)),
        };
        best.map(|(index, _)| index)
    }

    /// The first payment with a promoter's coupon; with `except`, the first with a coupon of
    /// anybody else. A payment that the coupon made free says who brought the person, too.
    /// Outside the campaign's time it makes no referral, and so contests none.
    fn coupon_claim(
        &self,
        customer: &Customer,
        except: Option<&PromoterId>,
    ) -> Option<CouponClaim> {
        if !self.campaign.attribution.coupons {
            return None;
        }
        let paid = customer
            .payments
            .iter()
            .filter(|p| p.outcome == Outcome::Paid);
        let first = paid.filter(|p| !p.coupons.is_empty()).find_map(|payment| {
            let owners = payment
                .coupons
                .iter()
                .filter_map(|c| self.promoters.of_coupon(c));
            let promoters: BTreeSet<PromoterId> = owners.cloned().collect();
            let others = promoters.iter().any(|promoter| Some(promoter) != except);
            others.then_some(CouponClaim {
                promoters,
                at: payment.occurred_at,
            })
        });
        first.filter(|claim| belongs(self.campaign, claim.at))
    }
}

/// Whether a referral made at this instant belongs to the campaign.
pub fn belongs(campaign: &Campaign, referred_at: Timestamp) -> bool {
    campaign.starts.is_none_or(|starts| starts <= referred_at)
        && campaign.ends.is_none_or(|ends| referred_at < ends)
}

fn is_refused(campaign: &Campaign, world: &World<'_>, referral: &Referral) -> bool {
    // The ids of cases are hashes: not worth making where nobody decided anything.
    if world.decisions.is_empty() {
        return false;
    }
    let refused_in = |kind: CaseKind| {
        let case = kind.case_id(&campaign.id, &referral.id);
        world.decisions.on_case(&case) == Some(&Choice::Reject)
    };
    world.decisions.rejection(&referral.id).is_some()
        || refused_in(CaseKind::SelfReferral)
        || refused_in(CaseKind::DuplicateCustomers)
        || refused_in(CaseKind::LinkAgainstCoupon)
}

fn sorted<'i>(indexes: impl Iterator<Item = &'i usize>) -> Vec<usize> {
    let mut indexes: Vec<usize> = indexes.copied().collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes
}
