//! `/portal/rewards`: what a promoter is owed, and each reward: due at which batch, settled,
//! or taken back and why.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::words::{amounts, held, left, moved};
use super::{Names, ROWS, SUSPENDED, own, page_number, pager, promoter_id};
use crate::domain::ids::{ConnectionId, QualificationId, ReferralId};
use crate::domain::ledger::Account;
use crate::domain::money::Money;
use crate::domain::reason::ReasonCode;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::settle::schedule;
use crate::store::batch_items::reasons_left;
use crate::store::ledger::{
    Transaction, TransactionKind, balances, transactions_of_qualifications,
};
use crate::store::portal::rewards_of_promoter;
use crate::store::qualifications::{Qualification, QualificationState};
use crate::store::verdicts::load_verdicts;
use crate::store::{StoreError, Tx};
use crate::web::answer::{self, Answer};
use crate::web::input::Asked;
use crate::web::layout::Page;
use crate::web::parts::{Empty, Icon, Pager, State as Badge, Tone, When};
use crate::web::{View, Web, format};

/// `/portal/rewards`
#[derive(Debug, Template)]
#[template(path = "pages/portal/rewards.html", config = ".askama.toml")]
pub(crate) struct RewardsPage {
    pub page: Page,
    pub suspended: Option<&'static str>,
    /// One text a currency: `40.00 USD`.
    pub balance: Vec<String>,
    pub owes: bool,
    pub next: Option<When>,
    pub rows: Vec<Row>,
    pub empty: Option<Empty>,
    pub pager: Pager,
}

/// A reward's line.
#[derive(Debug)]
pub(crate) struct Row {
    pub person: String,
    pub campaign: String,
    pub state: Badge,
    pub amount: String,
    /// What happens next, or happened last, in words.
    pub words: String,
    pub at: Option<When>,
}

/// `GET /portal/rewards`
pub(crate) async fn show(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let (connection, id) = (view.connection(), promoter_id(&view)?);
    let number = page_number(&query);
    let skip = ROWS.saturating_mul(number.saturating_sub(1));
    let mut tx = web.app.db.read().await?;
    let promoter = own(&mut tx, connection, &id).await?;
    let mut stored = rewards_of_promoter(&mut tx, connection, &id, skip, ROWS + 1).await?;
    let has_more = stored.len() > ROWS as usize;
    stored.truncate(ROWS as usize);
    let referrals: Vec<ReferralId> = stored.iter().map(|one| one.referral.clone()).collect();
    let names = Names::of(&mut tx, connection, &referrals).await?;
    let ids: Vec<QualificationId> = stored.iter().map(|one| one.id.clone()).collect();
    let booked = transactions_of_qualifications(&mut tx, connection, &ids).await?;
    let waits = waits(&mut tx, connection, &stored).await?;
    let account = Account::Promoter(id);
    let balance = balances(&mut tx, connection, std::slice::from_ref(&account)).await?;
    tx.rollback().await?;
    // In order of their numbers: the last one of each is kept.
    let last: HashMap<&QualificationId, &Transaction> =
        booked.iter().map(|one| (&one.qualification, one)).collect();
    let cron = &web.app.config.settle_cron.schedule;
    let rows = stored.iter().map(|one| {
        let last = last.get(&one.id).copied();
        let waits = waits.get(&one.id).copied();
        shown(one, (last, waits), &names, (cron, view.now))
    });
    let rows: Vec<Row> = rows.collect();
    let next = schedule::next(cron, view.now);
    answer::page(&RewardsPage {
        page: view.page("Your rewards", "/portal/rewards"),
        suspended: promoter.suspended.then_some(SUSPENDED),
        owes: balance.values().any(|minor| *minor < 0),
        balance: balance
            .into_iter()
            .map(|((_, currency), minor)| format::money(Money::new(minor, currency)))
            .collect(),
        next: next.map(|at| When::new(at, view.now)),
        empty: rows.is_empty().then(empty),
        rows,
        pager: pager("/portal/rewards", number, has_more),
    })
}

/// What rewards wait for that are not simply due: a limit of the campaign at the last batch, or
/// a verdict that is not decided yet.
async fn waits(
    tx: &mut Tx,
    connection: &ConnectionId,
    stored: &[Qualification],
) -> Result<HashMap<QualificationId, ReasonCode>, StoreError> {
    let of = |state| stored.iter().filter(move |one| one.state == state);
    let queued: Vec<QualificationId> = of(QualificationState::Queued)
        .map(|one| one.id.clone())
        .collect();
    let left = reasons_left(tx, connection, &queued).await?;
    let known = |text: &str| ReasonCode::ALL.iter().find(|code| code.code() == text);
    let mut waits: HashMap<QualificationId, ReasonCode> = left
        .into_iter()
        .filter_map(|(id, reason)| Some((id, *known(&reason)?)))
        .collect();
    let held: Vec<&Qualification> = of(QualificationState::Withdrawn).collect();
    let keys: Vec<_> = held
        .iter()
        .map(|one| (one.campaign.clone(), one.referral.clone()))
        .collect();
    let verdicts = load_verdicts(tx, connection, &keys).await?;
    for one in held {
        let mut about = verdicts.iter().map(|stored| &stored.verdict);
        let about = about.find(|v| v.campaign == one.campaign && v.referral == one.referral);
        if let Some(code) = about.and_then(Verdict::code) {
            waits.insert(one.id.clone(), code);
        }
    }
    Ok(waits)
}

fn shown(
    one: &Qualification,
    (last, waits): (Option<&Transaction>, Option<ReasonCode>),
    names: &Names,
    (cron, now): (&cron::Schedule, Timestamp),
) -> Row {
    let booked = last.map(|last| When::new(last.booked_at, now));
    let why = |last: &Transaction| moved(last.kind, &last.cause).to_owned();
    let (state, words, at) = match one.state {
        QualificationState::Queued => {
            let due = due_at(cron, one.settle_after, now);
            let due = due.map(|due| When::new(due, now));
            match waits {
                None => {
                    let badge = Badge::new(Tone::Wait, Icon::Clock, "Pending");
                    (badge, "Due with the batch of".to_owned(), due)
                }
                Some(code) => (on_hold(), left(code), due),
            }
        }
        QualificationState::Withdrawn if waits.is_some() => {
            (on_hold(), waits.map(held).unwrap_or_default(), None)
        }
        QualificationState::Settled => {
            let badge = Badge::new(Tone::Good, Icon::Coin, "Settled");
            let partly = last.filter(|last| last.kind == TransactionKind::Reversal);
            let words = match partly {
                Some(last) => format!("Part of it was taken back: {}.", lower(&why(last))),
                None => last.map_or_else(String::new, why),
            };
            (badge, words, booked)
        }
        QualificationState::Reversed | QualificationState::Withdrawn => {
            let badge = Badge::new(Tone::Bad, Icon::Back, "Reversed");
            (badge, last.map_or_else(String::new, why), booked)
        }
    };
    let amount = match one.state {
        QualificationState::Settled => amounts(&one.given),
        _ => amounts(&one.rewards),
    };
    Row {
        person: names.person(&one.referral),
        campaign: names.campaign(&one.campaign),
        state,
        amount,
        words,
        at,
    }
}

fn on_hold() -> Badge {
    Badge::new(Tone::Warn, Icon::Clock, "On hold")
}

fn lower(words: &str) -> String {
    let mut letters = words.trim_end_matches('.').chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// The batch that settles what may settle from an instant on: the first one that is yet to
/// come and is not before it.
fn due_at(cron: &cron::Schedule, settle_after: Timestamp, now: Timestamp) -> Option<Timestamp> {
    // A batch at the instant itself takes it along.
    schedule::next(cron, now.max(settle_after.plus_seconds(-1)))
}

fn empty() -> Empty {
    let text = "A reward appears here once one of your referrals qualifies, with the batch that \
                settles it.";
    Empty::new("No rewards yet", text).step("To your referrals", "/portal")
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;
    use crate::domain::access::Role;
    use crate::domain::currency::Currency;
    use crate::domain::verdict::{Reward, RewardTo};
    use crate::web::samples::{frame, hold, now};

    fn schedule() -> cron::Schedule {
        cron::Schedule::from_str("0 0 0,12 * * *").unwrap()
    }

    fn reward(state: QualificationState) -> Qualification {
        let rewards = [RewardTo::Promoter, RewardTo::Invited].map(|to| Reward {
            to,
            amount_minor: 2_000,
            currency: Currency::USD,
        });
        Qualification {
            id: "qual_1".into(),
            campaign: "spring".into(),
            referral: "ref_1".into(),
            person: "cus_1".to_owned(),
            promoter: "prom_ana".into(),
            revision: "sha256:0".into(),
            state,
            reason: "threshold_met".to_owned(),
            qualified_at: now(),
            settle_after: now().plus_days(2),
            rewards: rewards.to_vec(),
            given: rewards.to_vec(),
            adjust_due: false,
            sequence: 1,
            created_at: now(),
            changed_at: now(),
        }
    }

    fn booked(kind: TransactionKind, cause: &str) -> Transaction {
        Transaction {
            qualification: "qual_1".into(),
            sequence: 1,
            kind,
            cause: cause.to_owned(),
            campaign: "spring".into(),
            promoter: "prom_ana".into(),
            referral: "ref_1".into(),
            batch: "batch_1".into(),
            item: 312,
            revision: "sha256:0".into(),
            booked_at: now().plus_seconds(-7_200),
            entries: Vec::new(),
        }
    }

    #[test]
    fn a_reward_is_due_with_the_first_batch_that_may_settle_it() {
        let at = |text| Timestamp::parse(text).unwrap();
        let cron = schedule();
        let noon = at("2026-03-12T12:00:00Z");
        assert_eq!(due_at(&cron, noon, now()), Some(noon));
        let later = at("2026-03-12T12:00:01Z");
        assert_eq!(
            due_at(&cron, later, now()),
            Some(at("2026-03-13T00:00:00Z"))
        );
        let long_ago = at("2026-01-01T00:00:00Z");
        assert_eq!(
            due_at(&cron, long_ago, now()),
            Some(at("2026-03-10T12:00:00Z"))
        );
    }

    #[test]
    fn rewards_by_state_and_none() {
        use QualificationState::{Queued, Reversed, Settled, Withdrawn};
        use TransactionKind::{Accrual, Reversal};
        let cron = schedule();
        let names = Names {
            people: [("ref_1".into(), "b***@i***.example".to_owned())].into(),
            ..Names::default()
        };
        let row = |state, last: Option<Transaction>| {
            let last = (last.as_ref(), None);
            shown(&reward(state), last, &names, (&cron, now()))
        };
        let waiting = |state, code| {
            let why = (None, Some(code));
            shown(&reward(state), why, &names, (&cron, now()))
        };
        let page = |rows: Vec<Row>, balance: Vec<String>, owes| RewardsPage {
            page: frame(Role::Promoter).page("Your rewards", "/portal/rewards"),
            suspended: None,
            balance,
            owes,
            next: schedule::next(&cron, now()).map(|at| When::new(at, now())),
            empty: rows.is_empty().then(empty),
            pager: pager("/portal/rewards", 2, false),
            rows,
        };
        let rows = vec![
            row(Queued, None),
            waiting(Queued, ReasonCode::BudgetExhausted),
            waiting(Queued, ReasonCode::PromoterLimitReached),
            waiting(Withdrawn, ReasonCode::RefundHold),
            row(Settled, Some(booked(Accrual, "threshold_met"))),
            row(Settled, Some(booked(Reversal, "threshold_met"))),
            row(Reversed, Some(booked(Reversal, "refunded_below_threshold"))),
        ];
        let balance = vec!["40.00 USD".to_owned(), "\u{2212}5.00 EUR".to_owned()];
        hold("portal_rewards", &page(rows, balance, true));
        hold("portal_rewards_none", &page(Vec::new(), Vec::new(), false));
    }
}
