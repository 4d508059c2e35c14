//! What a promoter is told of a verdict: our own sentence for each reason. The reason's own
//! detail is for the team: it may hold an admin's words, customers' ids or another's name.

use crate::domain::campaign::Campaign;
use crate::domain::money::Money;
use crate::domain::reason::ReasonCode;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reward, RewardTo, Spend, Verdict, VerdictState};
use crate::store::ledger::TransactionKind;
use crate::store::qualifications::{Qualification, QualificationState};
use crate::web::format;
use crate::web::parts::{Icon, Progress, State as Badge, Tone};

/// Where a referral has got to: its state, and why in a sentence.
pub(super) fn told(
    verdict: &Verdict,
    qualification: Option<&Qualification>,
    campaign: Option<&Campaign>,
) -> (Badge, String) {
    let is_qualified = verdict.state == VerdictState::Qualified;
    let latest = qualification.map(|q| (q, q.state));
    match latest {
        Some((q, QualificationState::Settled)) if is_qualified => {
            let badge = Badge::verdict(verdict.state, true);
            (badge, format!("{} earned.", amounts(&q.given)))
        }
        Some((_, QualificationState::Settled)) => {
            let badge = Badge::new(Tone::Bad, Icon::Back, "Being taken back");
            let why = why(verdict, campaign);
            (
                badge,
                format!("{why} The next batch takes back what it has to."),
            )
        }
        Some((_, QualificationState::Reversed)) => {
            let badge = Badge::new(Tone::Bad, Icon::Back, "Reversed");
            (badge, why(verdict, campaign))
        }
        _ => (Badge::verdict(verdict.state, false), why(verdict, campaign)),
    }
}

fn why(verdict: &Verdict, campaign: Option<&Campaign>) -> String {
    let Some(code) = verdict.code() else {
        return "It has not been looked at yet.".to_owned();
    };
    match code {
        ReasonCode::BelowThreshold => format!("{} more{}.", missing(verdict), before(verdict)),
        ReasonCode::TooFewPayments => {
            let left = verdict
                .missing
                .as_ref()
                .map_or(1, |missing| missing.payments);
            let more = format::plural(i64::from(left), "more payment");
            format!("{more}{}.", before(verdict))
        }
        ReasonCode::NoPaymentYet => {
            let needed = needed(verdict, campaign);
            format!(
                "No payment that counts yet. Needed: {needed}{}.",
                before(verdict)
            )
        }
        ReasonCode::NoCustomerYet => {
            let needed = needed(verdict, campaign);
            format!("Not a customer yet. Needed: {needed}{}.", before(verdict))
        }
        other => plain(other).to_owned(),
    }
}

/// Reasons that need no numbers.
const fn plain(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::ThresholdMet => "Every condition is met.",
        ReasonCode::Settled => "The reward is settled.",
        ReasonCode::NoCustomerYet => "Not a customer yet.",
        ReasonCode::NoPaymentYet => "No payment that counts yet.",
        ReasonCode::BelowThreshold => "Not enough was spent yet.",
        ReasonCode::TooFewPayments => "More payments are needed.",
        ReasonCode::RefundHold => "A refund is on its way. If it fails, the payment counts again.",
        ReasonCode::DisputeOpen => {
            "A payment is disputed at the bank. If the dispute is won, it counts again."
        }
        ReasonCode::AwaitingInvoice => "A payment waits for its invoice before it can count.",
        ReasonCode::WindowClosed => "The time for it is over, and not enough had come by then.",
        ReasonCode::CampaignNotStarted => "They were referred before the campaign started.",
        ReasonCode::CampaignEnded => "They were referred after the campaign had ended.",
        ReasonCode::ExistingCustomer => "They were a customer before you referred them.",
        ReasonCode::DuplicateCustomers | ReasonCode::LinkAgainstCoupon | ReasonCode::TwoCoupons => {
            "The team is looking at which payments belong to it."
        }
        ReasonCode::SelfReferral => {
            "It looks as if the invited person were yourself. The team is looking at it."
        }
        ReasonCode::ClaimedByOtherReferral => {
            "This person is attributed to another referral of the campaign."
        }
        ReasonCode::RefundedBelowThreshold => "It had sufficed, until money was refunded.",
        ReasonCode::DisputeLost => "It had sufficed, until a dispute took money back.",
        ReasonCode::PromoterLimitReached => {
            "You have reached the number of rewards this campaign gives to one promoter."
        }
        ReasonCode::BudgetExhausted => "The campaign’s budget is used up.",
        ReasonCode::PromoterSuspended => "Your account is suspended.",
        ReasonCode::RejectedByAdmin => {
            "The team did not accept it. Ask them if you think it should count."
        }
    }
}

/// What a reward waits for that is earned and was left for a later batch; an instant follows.
pub(super) fn left(code: ReasonCode) -> String {
    let why = match code {
        ReasonCode::PromoterLimitReached => {
            "Waits until the campaign has room: you have as many rewards as it gives to one \
             promoter."
        }
        ReasonCode::BudgetExhausted => {
            "Waits until the campaign has money again: its budget is used up."
        }
        other => plain(other),
    };
    format!("{why} It is looked at again with the batch of")
}

/// What a reward waits for that was earned and is not certain any more.
pub(super) fn held(code: ReasonCode) -> String {
    let then = match code {
        ReasonCode::PromoterSuspended => {
            "It is not settled while your account is suspended. Ask the people who invited you."
        }
        ReasonCode::RefundHold => {
            "A refund is on its way. If it fails, the reward is due again; if not, it depends on \
             what is left of the payment."
        }
        ReasonCode::DisputeOpen => {
            "A payment is disputed at the bank. If the dispute is won, the reward is due again."
        }
        ReasonCode::AwaitingInvoice => {
            "A payment waits for its invoice. Once it is there, the reward may be due again."
        }
        other => plain(other),
    };
    then.to_owned()
}

/// Why money moved, for a statement: by the kind of booking and the code of its cause.
pub(super) fn moved(kind: TransactionKind, cause: &str) -> &'static str {
    match kind {
        TransactionKind::Accrual => "Earned",
        TransactionKind::Reinstatement => "Counts again",
        TransactionKind::Reversal => {
            let known = ReasonCode::ALL.iter().find(|code| code.code() == cause);
            match known {
                Some(ReasonCode::ThresholdMet) => "Part of the money was refunded or disputed",
                Some(ReasonCode::NoPaymentYet | ReasonCode::BelowThreshold) => {
                    "What was paid no longer suffices"
                }
                Some(code) => plain(*code),
                None => "It no longer holds",
            }
        }
    }
}

/// ` before 2026-03-12 09:00 UTC`, if there is a limit.
fn before(verdict: &Verdict) -> String {
    let until = verdict.missing.as_ref().and_then(|missing| missing.until);
    until.map_or_else(String::new, |until| format!(" before {}", until.words()))
}

/// `12.40 USD or 45.00 EUR`: any one suffices.
fn missing(verdict: &Verdict) -> String {
    either(verdict, |spend| spend.missing_minor)
}

fn needed(verdict: &Verdict, campaign: Option<&Campaign>) -> String {
    let spend = either(verdict, |spend| spend.needed_minor);
    let payments = campaign.map_or(1, |campaign| campaign.qualify.payments.max(1));
    match (spend.is_empty(), payments) {
        (true, 1) => "a payment".to_owned(),
        (true, more) => format!("{more} payments"),
        (false, 1) => spend,
        (false, more) => format!("{spend} in {more} payments"),
    }
}

fn either(verdict: &Verdict, of: fn(&Spend) -> i64) -> String {
    let needed = verdict.spend.iter().filter(|spend| spend.needed_minor > 0);
    let rows = needed.map(|spend| format::money(Money::new(of(spend), spend.currency)));
    rows.collect::<Vec<_>>().join(" or ")
}

/// How far a pending referral has come: in the currency that is nearest, or in payments.
pub(super) fn progress(verdict: &Verdict, campaign: Option<&Campaign>) -> Option<Progress> {
    if verdict.state != VerdictState::Pending {
        return None;
    }
    let needed = verdict.spend.iter().filter(|spend| spend.needed_minor > 0);
    let nearest = needed
        .max_by_key(|spend| spend.counted_minor.saturating_mul(10_000) / spend.needed_minor.max(1));
    if let Some(spend) = nearest.filter(|spend| spend.missing_minor > 0) {
        let whole = Money::new(spend.needed_minor, spend.currency);
        let done = format::amount(Money::new(spend.counted_minor, spend.currency));
        let words = format!("{done} of {}", format::money(whole));
        let bar = Progress::new("Spend", spend.counted_minor, spend.needed_minor, words);
        return Some(bar);
    }
    let whole = campaign.map(|campaign| campaign.qualify.payments)?;
    let left = verdict.missing.as_ref()?.payments;
    (whole > 1).then(|| {
        let done = whole.saturating_sub(left);
        let words = format!("{done} of {whole} payments");
        Progress::new("Payments", i64::from(done), i64::from(whole), words)
    })
}

/// `23 days left`, while time can still run out.
pub(super) fn time_left(verdict: &Verdict, now: Timestamp) -> Option<String> {
    let until = verdict.missing.as_ref().and_then(|missing| missing.until);
    let until = until.filter(|until| *until > now && verdict.state == VerdictState::Pending)?;
    let left = format::relative(until, now);
    Some(format!("{} left", left.trim_start_matches("in ")))
}

/// What of some rewards is the promoter's: `20.00 USD`.
pub(super) fn amounts(rewards: &[Reward]) -> String {
    let own = rewards
        .iter()
        .filter(|reward| reward.to == RewardTo::Promoter);
    let rows = own.map(|reward| format::money(Money::new(reward.amount_minor, reward.currency)));
    let rows: Vec<String> = rows.collect();
    if rows.is_empty() {
        "Nothing".to_owned()
    } else {
        rows.join(" + ")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::currency::Currency;
    use crate::domain::time::Window;
    use crate::domain::verdict::{Missing, Reason};
    use crate::web::samples::now;

    /// A verdict on 37.60 of 50.00 USD, with a detail that no promoter may read.
    pub fn verdict(state: VerdictState, code: ReasonCode) -> Verdict {
        let until = Timestamp::parse("2026-03-12T09:00:00Z");
        let pending = state == VerdictState::Pending;
        Verdict {
            campaign: "spring".into(),
            revision: "sha256:0".into(),
            referral: "ref_1".into(),
            promoter: Some("prom_ana".into()),
            state,
            reasons: vec![Reason::new(code, "SECRET cus_1 is Ben's")],
            customers: Vec::new(),
            spend: vec![Spend {
                currency: Currency::USD,
                counted_minor: 3_760,
                needed_minor: 5_000,
                missing_minor: 1_240,
            }],
            payments: Vec::new(),
            window: until.map(|until| Window {
                opens_at: now(),
                closes_at: Some(until),
            }),
            qualified_at: None,
            settle_after: None,
            rewards: Vec::new(),
            missing: pending.then_some(Missing { payments: 1, until }),
            case: None,
        }
    }

    #[test]
    fn every_reason_has_a_sentence_of_ours_and_none_repeats_a_detail() {
        use VerdictState::{Pending, Rejected};
        for code in ReasonCode::ALL {
            for state in [Pending, Rejected] {
                let (_, words) = told(&verdict(state, *code), None, None);
                assert!(words.ends_with('.') && !words.contains("SECRET"), "{words}");
                assert!(!words.contains('_'), "{words}");
            }
        }
        let below = verdict(Pending, ReasonCode::BelowThreshold);
        let (badge, words) = told(&below, None, None);
        assert_eq!(badge.word, "Pending");
        assert_eq!(words, "12.40 USD more before 2026-03-12 09:00 UTC.");
        assert_eq!(time_left(&below, now()).as_deref(), Some("2 days left"));
        let bar = progress(&below, None).unwrap().to_string();
        assert!(bar.contains("37.60 of 50.00 USD"), "{bar}");
        let none = verdict(Pending, ReasonCode::NoCustomerYet);
        let (_, words) = told(&none, None, None);
        assert_eq!(
            words,
            "Not a customer yet. Needed: 50.00 USD before 2026-03-12 09:00 UTC."
        );
        assert!(progress(&verdict(Rejected, ReasonCode::WindowClosed), None).is_none());
    }

    #[test]
    fn what_moved_is_said_without_codes() {
        for code in ReasonCode::ALL {
            let words = moved(TransactionKind::Reversal, code.code());
            assert!(!words.contains('_') && !words.is_empty(), "{words}");
        }
        assert_eq!(moved(TransactionKind::Accrual, "threshold_met"), "Earned");
        assert_eq!(
            moved(TransactionKind::Reversal, "no_such"),
            "It no longer holds"
        );
    }
}
