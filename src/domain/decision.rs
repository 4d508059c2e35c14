//! Cases, and the decisions that admins take. A decision is a fact: who, what, when, why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::{CampaignId, CaseId, CustomerId, DecisionId, PromoterId, ReferralId};
use super::reason::ReasonCode;
use super::time::Timestamp;

/// What a case is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// Several customers match one referral with equal strength.
    DuplicateCustomers,
    /// A referral says one promoter, a coupon another.
    LinkAgainstCoupon,
    /// One payment carries two promoters' coupons.
    TwoCoupons,
    /// The promoter and the invited person look like one.
    SelfReferral,
}

impl CaseKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::DuplicateCustomers,
        Self::LinkAgainstCoupon,
        Self::TwoCoupons,
        Self::SelfReferral,
    ];

    /// The verdict's reason for a case of this kind.
    pub const fn reason(self) -> ReasonCode {
        match self {
            Self::DuplicateCustomers => ReasonCode::DuplicateCustomers,
            Self::LinkAgainstCoupon => ReasonCode::LinkAgainstCoupon,
            Self::TwoCoupons => ReasonCode::TwoCoupons,
            Self::SelfReferral => ReasonCode::SelfReferral,
        }
    }

    /// The kind whose reason has this code, by which it is stored and named in addresses.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.reason().code() == code)
    }

    /// The id of the case of this kind about this referral: the same facts always name the
    /// same case, whoever finds it and in whatever order.
    pub fn case_id(self, campaign: &CampaignId, referral: &ReferralId) -> CaseId {
        let mut hash = Sha256::new();
        hash.update(self.reason().code());
        hash.update([0]);
        hash.update(campaign.as_str());
        hash.update([0]);
        hash.update(referral.as_str());
        let digest = hex::encode(hash.finalize());
        CaseId::new(format!("case_{}", digest.get(..20).unwrap_or(&digest)))
    }
}

/// One way to resolve a case.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(tag = "choose", rename_all = "snake_case")]
pub enum Choice {
    /// This customer is the invited person.
    Customer {
        /// The customer.
        customer: CustomerId,
    },
    /// All of them are the invited person.
    Combine,
    /// The referral stands.
    Link,
    /// The coupon decides.
    Coupon,
    /// This promoter brought the person.
    Promoter {
        /// The promoter.
        promoter: PromoterId,
    },
    /// The suspicion is unfounded.
    Allow,
    /// The referral is refused.
    Reject,
}

/// What a decision is about.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Subject {
    /// A case.
    Case {
        /// The case.
        case: CaseId,
    },
    /// A referral as a whole (`Choice::Reject`).
    Referral {
        /// The referral.
        referral: ReferralId,
    },
    /// That a customer is the person of a referral (`Choice::Allow`), or is not, however much
    /// it looks like it (`Choice::Reject`).
    Match {
        /// The referral.
        referral: ReferralId,
        /// The customer.
        customer: CustomerId,
    },
}

/// An admin's decision, or its undoing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Its id; ties between decisions of one second fall to the greater id.
    pub id: DecisionId,
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// What was decided; `None` takes back what was decided before.
    pub choice: Option<Choice>,
    /// Who decided.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub decided_at: Timestamp,
}

/// The decisions in force: per subject the one with the greatest (`decided_at`, id).
#[derive(Debug, Clone, Default)]
pub struct Decisions(std::collections::BTreeMap<Subject, Decision>);

impl Decisions {
    /// Takes in one decision, in any order.
    pub fn fold(&mut self, decision: Decision) {
        match self.0.get(&decision.subject) {
            Some(mine) if (mine.decided_at, &mine.id) >= (decision.decided_at, &decision.id) => {}
            _ => {
                self.0.insert(decision.subject.clone(), decision);
            }
        }
    }

    /// The decision in force on a subject.
    pub fn on(&self, subject: &Subject) -> Option<&Decision> {
        self.0
            .get(subject)
            .filter(|decision| decision.choice.is_some())
    }

    /// The choice in force on a case.
    pub fn on_case(&self, case: &CaseId) -> Option<&Choice> {
        self.on(&Subject::Case { case: case.clone() })
            .and_then(|d| d.choice.as_ref())
    }

    /// Whether a referral was refused as a whole, and by which decision.
    pub fn rejection(&self, referral: &ReferralId) -> Option<&Decision> {
        self.on(&Subject::Referral {
            referral: referral.clone(),
        })
        .filter(|d| d.choice == Some(Choice::Reject))
    }

    /// The customers that admins linked to a referral by hand.
    pub fn links_of(&self, referral: &ReferralId) -> impl Iterator<Item = &CustomerId> {
        let first = Subject::Match {
            referral: referral.clone(),
            customer: CustomerId::from(""),
        };
        let about = self.0.range(first..).map_while({
            let referral = referral.clone();
            move |(subject, decision)| match subject {
                Subject::Match {
                    referral: r,
                    customer,
                } if *r == referral => Some((customer, &decision.choice)),
                _ => None,
            }
        });
        about.filter_map(|(customer, choice)| (*choice == Some(Choice::Allow)).then_some(customer))
    }

    /// Whether an admin said that this customer is not the person of this referral.
    pub fn are_apart(&self, referral: &ReferralId, customer: &CustomerId) -> bool {
        let subject = || Subject::Match {
            referral: referral.clone(),
            customer: customer.clone(),
        };
        // Nearly always nobody has decided anything.
        !self.0.is_empty()
            && self
                .on(&subject())
                .is_some_and(|decision| decision.choice == Some(Choice::Reject))
    }

    /// Every decision in force, in order of its subject.
    pub fn in_force(&self) -> impl Iterator<Item = &Decision> {
        let all = self.0.values();
        all.filter(|decision| decision.choice.is_some())
    }

    /// Whether nobody decided anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<Decision> for Decisions {
    fn extend<I: IntoIterator<Item = Decision>>(&mut self, decisions: I) {
        decisions
            .into_iter()
            .for_each(|decision| self.fold(decision));
    }
}
