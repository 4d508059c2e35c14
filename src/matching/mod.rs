//! Which customers stand behind which referral. Pure: it reads assembled customers and
//! claims, and never facts, a database or a clock.
//!
//! 1. [`claims`]: for each customer, the referrals that claim it by their strongest key;
//!    one of them owns it, or a coupon makes a referral of its own.
//! 2. [`resolve`]: for each referral, the customers it owns; several of equal strength go to
//!    the campaign's policy, an admin's decision, or a case.
//! 3. [`near`]: what almost matched, for admins.

pub mod claims;
pub mod near;
pub mod resolve;
pub mod suspicion;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

pub use near::{NearMiss, near_misses};
pub use resolve::resolve;

use crate::domain::decision::{CaseKind, Decisions};
use crate::domain::ids::{CaseId, CouponId, PromoterId};
use crate::domain::payment::Customer;
use crate::domain::people::{Promoter, Referral};
use crate::domain::verdict::MatchedBy;

/// Everything that matching looks at, of one campaign's connection.
///
/// It may be a part of the whole, as long as it is closed: with a referral come all customers
/// its keys match, and with those customers all referrals of the campaign that claim them.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// Referrals of the campaign.
    pub referrals: &'a [Referral],
    /// Customers.
    pub customers: &'a [Customer],
    /// Promoters by id.
    pub promoters: &'a Promoters,
    /// Decisions in force.
    pub decisions: &'a Decisions,
}

/// Promoters, and whose each coupon is.
#[derive(Debug, Clone, Default)]
pub struct Promoters {
    by_id: BTreeMap<PromoterId, Promoter>,
    by_coupon: HashMap<CouponId, PromoterId>,
}

impl Promoters {
    /// The promoter of that id.
    pub fn get(&self, id: &PromoterId) -> Option<&Promoter> {
        self.by_id.get(id)
    }

    /// The promoter a coupon belongs to.
    pub fn of_coupon(&self, coupon: &CouponId) -> Option<&PromoterId> {
        self.by_coupon.get(coupon)
    }

    /// Adds whose further coupons are, for promoters that are not in play themselves.
    pub fn know_coupons(&mut self, coupons: impl IntoIterator<Item = (CouponId, PromoterId)>) {
        for (coupon, promoter) in coupons {
            self.by_coupon.entry(coupon).or_insert(promoter);
        }
    }

    /// Adds promoters that are not in play yet, with their coupons.
    pub fn add(&mut self, promoters: impl IntoIterator<Item = Promoter>) {
        for promoter in promoters {
            let coupons = promoter.coupons.iter().cloned();
            self.know_coupons(coupons.map(|coupon| (coupon, promoter.id.clone())));
            self.by_id.entry(promoter.id.clone()).or_insert(promoter);
        }
    }

    /// Every coupon that belongs to somebody, in no order.
    pub fn coupons(&self) -> impl Iterator<Item = &CouponId> {
        self.by_coupon.keys()
    }

    /// Every promoter, in id order.
    pub fn iter(&self) -> impl Iterator<Item = &Promoter> {
        self.by_id.values()
    }
}

impl FromIterator<Promoter> for Promoters {
    fn from_iter<I: IntoIterator<Item = Promoter>>(promoters: I) -> Self {
        let mut all = Self::default();
        for promoter in promoters {
            for coupon in &promoter.coupons {
                // A coupon belongs to one promoter; the store and `check` refuse a second.
                all.by_coupon
                    .entry(coupon.clone())
                    .or_insert_with(|| promoter.id.clone());
            }
            all.by_id.insert(promoter.id.clone(), promoter);
        }
        all
    }
}

/// A referral with the customers that stand behind it.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The referral; made on the spot for a coupon.
    pub referral: Cow<'a, Referral>,
    /// Its promoter, if known.
    pub promoter: Option<&'a Promoter>,
    /// Its customers, by id; in review, all candidates.
    pub customers: Vec<(&'a Customer, MatchedBy)>,
    /// Whether the claim itself is in doubt.
    pub standing: Standing,
}

/// Whether a claim can be judged by the rules, or is decided before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The rules decide.
    Clear,
    /// An admin refused it.
    RejectedByAdmin {
        /// In the admin's words.
        why: String,
    },
    /// Another referral has the better claim to its customers.
    ClaimedByOther,
    /// A person has to decide first.
    Review {
        /// What about.
        kind: CaseKind,
        /// Which case.
        case: CaseId,
        /// What was seen.
        detail: String,
    },
}
