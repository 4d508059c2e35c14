//! Promoters, and the referrals they claim.

use serde::{Deserialize, Serialize};

use super::email::CanonicalEmail;
use super::ids::{CampaignId, CouponId, PromoterId, ReferralId};
use super::time::Timestamp;

/// The person who refers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promoter {
    /// Its id.
    pub id: PromoterId,
    /// What people call it.
    pub name: String,
    /// Its email, canonical.
    pub email: Option<CanonicalEmail>,
    /// The code in its referral link.
    pub code: Option<String>,
    /// The coupon ids that attribute a payment to it, in order.
    pub coupons: Vec<CouponId>,
    /// Its own Stripe customer id, if it is a customer too.
    pub stripe_customer_id: Option<String>,
    /// Whether an admin has suspended it.
    pub suspended: bool,
}

/// The claim that a promoter brought a person into a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// Its id.
    pub id: ReferralId,
    /// The campaign it belongs to.
    pub campaign: CampaignId,
    /// Who claims it; `None` for a coupon referral whose coupons name two promoters.
    pub promoter: Option<PromoterId>,
    /// The person's email, canonical.
    pub email: Option<CanonicalEmail>,
    /// The person's id in the referring product, compared with customer metadata.
    pub uid: Option<String>,
    /// The person's Stripe customer id.
    pub stripe_customer_id: Option<String>,
    /// When the person was referred; for a coupon referral, the first payment with the coupon.
    pub referred_at: Timestamp,
}

impl Referral {
    /// Whether a coupon made this referral: nobody registered the person.
    pub fn is_from_coupon(&self) -> bool {
        self.id.as_str().starts_with("coupon:")
    }
}
