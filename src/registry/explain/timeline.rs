//! What happened to one referral, in order: referred, paid, decided, queued, settled, countered.
//! It tells what is stored and judges nothing.

use crate::domain::ids::{BatchId, CaseId, ConnectionId, EventId, QualificationId};
use crate::domain::ledger::Account;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::store::batch_items::{ItemAction, ItemState, items_of_qualification};
use crate::store::batches::get_batch;
use crate::store::cases::cases_of_referrals;
use crate::store::decisions::decisions_of_referrals;
use crate::store::ledger::{Transaction, TransactionKind, transactions_of_qualifications};
use crate::store::qualifications::{Qualification, QualificationState};
use crate::store::referrals::get_referral;
use crate::store::{StoreError, Tx};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What, in words.
    pub what: String,
    /// Of what kind.
    #[serde(skip)]
    pub kind: MomentKind,
    /// What can be looked at.
    #[serde(skip)]
    pub about: Option<About>,
}

/// What something that happened was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A stored event.
    Event(EventId),
    /// A case.
    Case(CaseId),
    /// A batch.
    Batch(BatchId),
}

/// What kind of thing happened; within one second in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MomentKind {
    /// Stripe sent an event.
    Event,
    /// Somebody was referred, or the referral was given to another promoter.
    Referred,
    /// A customer came to be at Stripe.
    Customer,
    /// Money came in.
    Paid,
    /// Money went back, or is disputed.
    Refunded,
    /// The rules said something.
    Judged,
    /// A person is asked, or has decided.
    Case,
    /// It was queued or withdrawn.
    Queue,
    /// A batch looked at it.
    Batch,
    /// It is in the ledger.
    Ledger,
}

impl MomentKind {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Referred => "referral",
            Self::Customer => "customer",
            Self::Paid => "payment",
            Self::Refunded => "refund",
            Self::Judged => "verdict",
            Self::Case => "case",
            Self::Queue => "queue",
            Self::Batch => "batch",
            Self::Ledger => "ledger",
        }
    }
}

/// Everything that happened to the referral of a verdict, oldest first.
pub(super) async fn of(
    tx: &mut Tx,
    connection: &ConnectionId,
    verdict: &Verdict,
    qualifications: &[Qualification],
) -> Result<Vec<Moment>, StoreError> {
    let mut moments = Vec::new();
    let mut add = |at, kind, what: String, about| {
        moments.push(Moment {
            at,
            what,
            kind,
            about,
        });
    };
    if let Some(referral) = get_referral(tx, connection, &verdict.referral).await? {
        let by = referral
            .promoter
            .as_ref()
            .map_or("nobody", |id| id.as_str());
        add(
            referral.referred_at,
            MomentKind::Referred,
            format!("referred by {by}"),
            None,
        );
    }
    for payment in &verdict.payments {
        let amount = Money::new(payment.amount_minor, payment.currency);
        add(
            payment.occurred_at,
            MomentKind::Paid,
            format!("{amount} paid ({})", payment.id),
            None,
        );
    }
    let referral = std::slice::from_ref(&verdict.referral);
    for case in cases_of_referrals(tx, connection, referral).await? {
        if case.campaign == verdict.campaign {
            let why = plain(case.kind.reason().code());
            let what = format!("case opened: {why} ({})", case.id);
            let about = About::Case(case.id);
            add(case.opened_at, MomentKind::Case, what, Some(about));
        }
    }
    for decision in decisions_of_referrals(tx, connection, referral).await? {
        let who = decision.actor.strip_prefix("user:");
        let who = who.unwrap_or(&decision.actor);
        let what = format!("{who} decided: {}", decision.reason);
        add(decision.decided_at, MomentKind::Case, what, None);
    }
    for qualification in qualifications {
        add(
            qualification.created_at,
            MomentKind::Queue,
            format!("queued ({})", qualification.id),
            None,
        );
        if qualification.state == QualificationState::Withdrawn {
            let why = plain(&qualification.reason);
            let what = format!("withdrawn: {why} ({})", qualification.id);
            add(qualification.changed_at, MomentKind::Queue, what, None);
        }
        // A referral has one qualification, rarely two.
        for (id, item) in items_of_qualification(tx, connection, &qualification.id).await? {
            if item.action != ItemAction::Skip && item.state == ItemState::Done {
                continue; // the ledger tells it
            }
            if let Some(batch) = get_batch(tx, connection, &id).await? {
                let did = match (item.action, item.state) {
                    (ItemAction::Skip, _) => "left for later",
                    (_, ItemState::Superseded) => "overtaken by a change",
                    _ => "planned",
                };
                let what = format!("{did} in {id}: {}", plain(&item.reason));
                add(
                    batch.planned_at,
                    MomentKind::Batch,
                    what,
                    Some(About::Batch(id)),
                );
            }
        }
    }
    let ids: Vec<QualificationId> = qualifications.iter().map(|q| q.id.clone()).collect();
    for transaction in transactions_of_qualifications(tx, connection, &ids).await? {
        add(
            transaction.booked_at,
            MomentKind::Ledger,
            booked(&transaction),
            Some(About::Batch(transaction.batch.clone())),
        );
    }
    moments.sort_by_key(|moment| moment.at);
    Ok(moments)
}

/// A stable code as words: `refund_hold` → `refund hold`.
fn plain(code: &str) -> String {
    code.replace('_', " ")
}

fn booked(transaction: &Transaction) -> String {
    let people = transaction
        .entries
        .iter()
        .filter(|entry| matches!(entry.account, Account::Promoter(_) | Account::Invited(_)));
    let amounts: Vec<String> = people
        .map(|entry| format!("{} for {}", entry.amount, entry.account))
        .collect();
    let did = match transaction.kind {
        TransactionKind::Accrual => "settled",
        TransactionKind::Reversal => "taken back",
        TransactionKind::Reinstatement => "given again",
    };
    format!(
        "{did} in {} ({}): {}",
        transaction.batch,
        plain(&transaction.cause),
        if amounts.is_empty() {
            "nothing".to_owned()
        } else {
            amounts.join(", ")
        }
    )
}
