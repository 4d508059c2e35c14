//! A verdict in plain words, for the command line, mails and logs: the sentence first, then
//! the evidence. Pages render the same value in HTML.

use std::fmt::Write;

use crate::domain::money::Money;
use crate::domain::reason::ReasonCode;
use crate::domain::verdict::{MatchedBy, RewardTo, Verdict, VerdictState};

/// One sentence that says the verdict: `Pending: 12.40 USD more before 2026-03-12 09:00 UTC …`.
pub fn sentence(verdict: &Verdict) -> String {
    let state = match verdict.state {
        _ if is_settled(verdict) => "Settled",
        VerdictState::Qualified => "Qualified",
        VerdictState::Pending => "Pending",
        VerdictState::Rejected => "Rejected",
        VerdictState::Review => "In review",
    };
    match verdict.reasons.first() {
        // A person's words may be still to come: a preview of what they would decide has none.
        Some(reason) if !reason.detail.is_empty() => format!("{state}: {}", reason.detail),
        _ => state.to_owned(),
    }
}

fn is_settled(verdict: &Verdict) -> bool {
    verdict.code() == Some(ReasonCode::Settled)
}

/// The whole explanation as plain text, one line a piece of evidence.
pub fn text(verdict: &Verdict) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", sentence(verdict));
    let promoter = verdict
        .promoter
        .as_ref()
        .map_or("nobody yet", |id| id.as_str());
    let _ = writeln!(
        out,
        "  referral {} by {promoter}, campaign {} ({})",
        verdict.referral,
        verdict.campaign,
        short(verdict.revision.as_str())
    );
    for reason in &verdict.reasons {
        let _ = writeln!(out, "  because  {}: {}", reason.code, reason.detail);
    }
    for customer in &verdict.customers {
        let _ = writeln!(
            out,
            "  customer {} ({})",
            customer.id,
            found_by(customer.matched_by)
        );
    }
    if let Some(window) = &verdict.window {
        let until = window
            .closes_at
            .map_or("no limit".to_owned(), crate::domain::time::Timestamp::words);
        let _ = writeln!(out, "  window   {} until {until}", window.opens_at.words());
    }
    for payment in &verdict.payments {
        let amount = Money::new(payment.amount_minor, payment.currency);
        let refunded = match payment.refunded_minor {
            0 => String::new(),
            minor => format!(", {} refunded", Money::new(minor, payment.currency)),
        };
        let why = payment
            .why
            .map_or("counts".to_owned(), |why| format!("left out: {why}"));
        let presumed = if payment.presumed_link {
            ", presumed_link"
        } else {
            ""
        };
        let at = payment.occurred_at.words();
        let _ = writeln!(
            out,
            "  payment  {at}  {amount}{refunded}  {why}{presumed}  {}",
            payment.id
        );
    }
    for reward in &verdict.rewards {
        let amount = Money::new(reward.amount_minor, reward.currency);
        let to = match reward.to {
            RewardTo::Promoter => "the promoter",
            RewardTo::Invited => "the invited person",
        };
        let _ = writeln!(out, "  reward   {amount} to {to}");
    }
    if let Some(at) = verdict.settle_after.filter(|_| !is_settled(verdict)) {
        let _ = writeln!(out, "  settles  with the first batch from {}", at.words());
    }
    out
}

fn found_by(by: MatchedBy) -> &'static str {
    match by {
        MatchedBy::Admin => "linked by an admin",
        MatchedBy::StripeId => "matched by Stripe id",
        MatchedBy::Metadata => "matched by metadata",
        MatchedBy::Email => "matched by email",
        MatchedBy::Coupon => "brought by a coupon",
    }
}

fn short(revision: &str) -> &str {
    revision.get(..19).unwrap_or(revision)
}
