//! The evidence on a referral's page: progress, payments, what the queue has of it.

use crate::domain::email::CanonicalEmail;
use crate::domain::money::Money;
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{MatchedBy, PaymentEvidence, Spend, Verdict, VerdictState};
use crate::store::qualifications::{Qualification, QualificationState};
use crate::web::format;
use crate::web::parts::{Icon, Progress, State as Badge, Tone, When};

/// A payment as the verdict saw it.
#[derive(Debug)]
pub(crate) struct PaymentRow {
    pub id: String,
    pub at: When,
    pub amount: String,
    pub refunded: String,
    pub counts: Badge,
    pub presumed: bool,
}

/// What the queue and the ledger have of it.
#[derive(Debug)]
pub(crate) struct QueueRow {
    pub id: String,
    pub state: Badge,
    pub because: String,
    pub changed: When,
}

/// How far a pending one is, a bar for each threshold.
pub(super) fn progress(verdict: &Verdict) -> Vec<Progress> {
    if verdict.state != VerdictState::Pending {
        return Vec::new();
    }
    let bar = |spend: &Spend| {
        let money = |minor| format::money(Money::new(minor, spend.currency));
        let words = format!(
            "{} of {}",
            money(spend.counted_minor),
            money(spend.needed_minor)
        );
        let label = format!("Spend in {}", spend.currency);
        Progress::new(label, spend.counted_minor, spend.needed_minor, words)
    };
    verdict.spend.iter().map(bar).collect()
}

/// What a registered one was registered with.
pub(super) fn about(claim: Option<&Referral>) -> Vec<(&'static str, String)> {
    let Some(claim) = claim else {
        return vec![(
            "Made by",
            "a coupon; nobody registered the person".to_owned(),
        )];
    };
    let email = claim.email.as_ref().map(CanonicalEmail::as_str);
    let known = [
        ("Email", email),
        ("Uid", claim.uid.as_deref()),
        ("Stripe customer", claim.stripe_customer_id.as_deref()),
    ];
    let rows = known.into_iter();
    rows.filter_map(|(what, text)| Some((what, text?.to_owned())))
        .collect()
}

/// How a customer was found, in words.
pub(super) const fn found_by(by: MatchedBy) -> &'static str {
    match by {
        MatchedBy::Admin => "linked by an admin",
        MatchedBy::StripeId => "matched by Stripe id",
        MatchedBy::Metadata => "matched by metadata",
        MatchedBy::Email => "matched by email",
        MatchedBy::Coupon => "brought by a coupon",
    }
}

/// A payment as a line.
pub(super) fn payment(payment: &PaymentEvidence, now: Timestamp) -> PaymentRow {
    let money = |minor| format::money(Money::new(minor, payment.currency));
    let counts = match payment.why {
        None => Badge::new(Tone::Good, Icon::Check, "Counts"),
        Some(why) if payment.counted => {
            let words = format!("In part: {}", format::code_words(why.code()).to_lowercase());
            Badge::new(Tone::Warn, Icon::Check, words)
        }
        Some(why) => Badge::new(Tone::Wait, Icon::Minus, format::code_words(why.code())),
    };
    PaymentRow {
        id: payment.id.to_string(),
        at: When::new(payment.occurred_at, now),
        amount: money(payment.amount_minor),
        refunded: match payment.refunded_minor {
            0 => String::new(),
            minor => money(minor),
        },
        counts,
        presumed: payment.presumed_link,
    }
}

/// How a qualification is shown.
pub(crate) fn queue_state(state: QualificationState) -> Badge {
    match state {
        QualificationState::Queued => Badge::new(Tone::Wait, Icon::Clock, "Queued"),
        QualificationState::Withdrawn => Badge::new(Tone::Warn, Icon::Minus, "Withdrawn"),
        QualificationState::Settled => Badge::new(Tone::Good, Icon::Coin, "Settled"),
        QualificationState::Reversed => Badge::new(Tone::Bad, Icon::Back, "Reversed"),
    }
}

/// A qualification as a line.
pub(super) fn queued(qualification: &Qualification, now: Timestamp) -> QueueRow {
    QueueRow {
        id: qualification.id.to_string(),
        state: queue_state(qualification.state),
        because: format::code_words(&qualification.reason),
        changed: When::new(qualification.changed_at, now),
    }
}
