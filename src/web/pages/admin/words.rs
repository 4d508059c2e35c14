//! The desk in plain words: what each kind of case asks, and what each choice says.

use std::collections::BTreeMap;

use crate::domain::decision::{CaseKind, Choice};
use crate::domain::ids::PromoterId;
use crate::domain::money::Money;
use crate::domain::verdict::{MatchedBy, Reward};
use crate::store::cases::CaseState;
use crate::web::format;
use crate::web::parts::{Icon, State as Badge, Tone};

/// A kind of case in a few words.
pub(crate) const fn kind(kind: CaseKind) -> &'static str {
    match kind {
        CaseKind::DuplicateCustomers => "Several customers, one person",
        CaseKind::LinkAgainstCoupon => "Link against coupon",
        CaseKind::TwoCoupons => "Coupons of two promoters",
        CaseKind::SelfReferral => "Possible self-referral",
    }
}

/// What somebody has to decide.
pub(crate) const fn question(kind: CaseKind) -> &'static str {
    match kind {
        CaseKind::DuplicateCustomers => "Which of these customers is the person who was referred?",
        CaseKind::LinkAgainstCoupon => {
            "One promoter referred this person, and a payment carries another promoter’s coupon. \
             Who brought them?"
        }
        CaseKind::TwoCoupons => "A payment carries coupons of two promoters. Who brought them?",
        CaseKind::SelfReferral => {
            "The promoter and the invited person look like one. Are they two people?"
        }
    }
}

/// What became of a case.
pub(crate) fn state(state: CaseState) -> Badge {
    match state {
        CaseState::Open => Badge::new(Tone::Warn, Icon::Question, "Open"),
        CaseState::Resolved => Badge::new(Tone::Good, Icon::Check, "Resolved"),
        CaseState::Gone => Badge::new(Tone::Wait, Icon::Minus, "Nothing to decide"),
    }
}

/// A choice by a name that a form carries.
pub(crate) fn key(choice: &Choice) -> String {
    match choice {
        Choice::Customer { customer } => format!("customer:{customer}"),
        Choice::Promoter { promoter } => format!("promoter:{promoter}"),
        Choice::Combine => "combine".to_owned(),
        Choice::Link => "link".to_owned(),
        Choice::Coupon => "coupon".to_owned(),
        Choice::Allow => "allow".to_owned(),
        Choice::Reject => "reject".to_owned(),
    }
}

/// A choice as a person reads it.
pub(crate) fn choice(choice: &Choice, promoters: &BTreeMap<PromoterId, String>) -> String {
    match choice {
        Choice::Customer { customer } => format!("It is {customer}"),
        Choice::Combine => "All of them are this person".to_owned(),
        Choice::Link => "The referral counts".to_owned(),
        Choice::Coupon => "The coupon counts".to_owned(),
        Choice::Promoter { promoter } => {
            let name = promoters.get(promoter);
            let name = name.map_or(promoter.as_str(), String::as_str);
            format!("{name} brought them")
        }
        Choice::Allow => "They are two people".to_owned(),
        Choice::Reject => "Refuse the referral".to_owned(),
    }
}

/// What a choice means.
pub(crate) const fn meaning(choice: &Choice) -> &'static str {
    match choice {
        Choice::Customer { .. } => "Only its payments count for the referral.",
        Choice::Combine => "Their payments are added up.",
        Choice::Link => "The promoter of the referral is rewarded.",
        Choice::Coupon => "The promoter whose coupon was used is rewarded.",
        Choice::Promoter { .. } => "Only this promoter is rewarded.",
        Choice::Allow => "The campaign’s rules decide, as for everybody else.",
        Choice::Reject => "This referral earns nothing.",
    }
}

/// How a customer was found.
pub(crate) const fn found_by(by: MatchedBy) -> &'static str {
    match by {
        MatchedBy::Admin => "linked by an admin",
        MatchedBy::StripeId => "Stripe id",
        MatchedBy::Metadata => "metadata",
        MatchedBy::Email => "email",
        MatchedBy::Coupon => "a promoter’s coupon",
    }
}

/// `20.00 USD to Ana, 10.00 USD to the invited person`.
pub(crate) fn rewards(rewards: &[Reward], promoter: Option<&str>) -> String {
    if rewards.is_empty() {
        return "no reward".to_owned();
    }
    let one = |reward: &Reward| {
        let money = format::money(Money::new(reward.amount_minor, reward.currency));
        let person = format!("the {}", reward.to.person());
        let to = match reward.to {
            crate::domain::verdict::RewardTo::Promoter => promoter.unwrap_or(&person),
            crate::domain::verdict::RewardTo::Invited => &person,
        };
        format!("{money} to {to}")
    };
    let all: Vec<String> = rewards.iter().map(one).collect();
    all.join(", ")
}
