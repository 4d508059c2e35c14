//! The ledger: every transaction sums to zero and clears, every qualification has what its
//! transactions say, and balances are the sums of their entries.

use std::collections::{BTreeMap, HashMap};

use super::people::People;
use super::{Check, PAGE};
use crate::domain::currency::Currency;
use crate::domain::ids::{BatchId, ConnectionId, QualificationId};
use crate::domain::ledger::{Account, Entry};
use crate::domain::verdict::RewardTo;
use crate::ledger::audit::unbalanced;
use crate::store::ledger::{Transaction, TransactionKind, balance_page, transaction_page};
use crate::store::qualifications::{Qualification, QualificationState};
use crate::store::{StoreError, Tx};

pub(super) const NAME: &str = "ledger";
const RESTORE: &str = "entries are never changed by the program: restore the ledger from a backup";

type Balances = BTreeMap<(Account, Currency), i128>;

pub(super) async fn check(
    tx: &mut Tx,
    connection: &ConnectionId,
    people: &People,
) -> Result<Check, StoreError> {
    let mut check = Check::new(NAME);
    let mut balances = Balances::new();
    let mut booked: HashMap<QualificationId, Vec<Transaction>> = HashMap::new();
    let mut after: Option<(BatchId, i64)> = None;
    loop {
        let page = transaction_page(tx, connection, None, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|last| (last.batch.clone(), last.item));
        for transaction in page {
            check.looked_at += 1;
            one(&transaction, &mut check);
            for Entry { account, amount } in &transaction.entries {
                let key = (account.clone(), amount.currency);
                *balances.entry(key).or_default() += i128::from(amount.minor);
            }
            let id = transaction.qualification.clone();
            booked.entry(id).or_default().push(transaction);
        }
        if !full {
            break;
        }
    }
    let mut all: Vec<&Qualification> = people.qualifications.values().flatten().collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    for qualification in all {
        let of_it = booked.remove(&qualification.id).unwrap_or_default();
        history(qualification, of_it, &mut check);
    }
    for id in booked.into_keys() {
        let place = format!("ledger_transactions of {id}");
        check.differs(place, "there is no such qualification", RESTORE);
    }
    summed(tx, connection, &balances, &mut check).await?;
    Ok(check)
}

/// One transaction by itself.
fn one(transaction: &Transaction, check: &mut Check) {
    let place = || format!("ledger_transactions {}", transaction.id());
    for (currency, sum) in unbalanced(&transaction.entries) {
        let seen = format!("its entries in {currency} sum to {sum}, not to zero");
        check.differs(place(), seen, RESTORE);
    }
    let clearing = transaction
        .entries
        .iter()
        .filter(|e| e.account == Account::Clearing);
    let clearing: Vec<Entry> = clearing.cloned().collect();
    for (currency, sum) in unbalanced(&clearing) {
        let seen = format!("it leaves {sum} in {currency} in clearing");
        check.differs(place(), seen, RESTORE);
    }
    let strange = transaction
        .entries
        .iter()
        .find(|entry| match &entry.account {
            Account::Promoter(id) => *id != transaction.promoter,
            Account::Invited(id) => *id != transaction.referral,
            Account::Budget(id) => *id != transaction.campaign,
            Account::Clearing => false,
        });
    if let Some(entry) = strange {
        let seen = format!("an entry is of {}, which has no part in it", entry.account);
        check.differs(place(), seen, RESTORE);
    }
}

/// A qualification and its transactions.
fn history(qualification: &Qualification, mut booked: Vec<Transaction>, check: &mut Check) {
    booked.sort_by_key(|t| t.sequence);
    let place = || format!("qualifications {}", qualification.id);
    let numbers = booked.iter().map(|t| t.sequence);
    let count = i64::try_from(booked.len()).unwrap_or(i64::MAX);
    if qualification.sequence != count || !numbers.eq(1..=count) {
        let seen = format!(
            "it counts {} transactions, there are {count}",
            qualification.sequence
        );
        check.differs(place(), seen, RESTORE);
        return;
    }
    let accruals = booked.iter().filter(|t| t.kind == TransactionKind::Accrual);
    let in_ledger = matches!(
        qualification.state,
        QualificationState::Settled | QualificationState::Reversed
    );
    if accruals.count() != usize::from(in_ledger)
        || (in_ledger
            && booked
                .first()
                .is_none_or(|t| t.kind != TransactionKind::Accrual))
    {
        let seen = format!(
            "it is {}, and its accrual does not fit",
            qualification.state.name()
        );
        check.differs(place(), seen, RESTORE);
    }
    let mut sums: BTreeMap<(RewardTo, Currency), i64> = BTreeMap::new();
    for entry in booked.iter().flat_map(|t| &t.entries) {
        let to = match entry.account {
            Account::Promoter(_) => RewardTo::Promoter,
            Account::Invited(_) => RewardTo::Invited,
            Account::Budget(_) | Account::Clearing => continue,
        };
        let sum = sums.entry((to, entry.amount.currency)).or_default();
        *sum = sum.saturating_add(entry.amount.minor);
    }
    let mut given: BTreeMap<(RewardTo, Currency), i64> = BTreeMap::new();
    for reward in &qualification.given {
        let sum = given.entry((reward.to, reward.currency)).or_default();
        *sum = sum.saturating_add(reward.amount_minor);
    }
    sums.retain(|_, minor| *minor != 0);
    given.retain(|_, minor| *minor != 0);
    if sums != given {
        let seen = format!("given is {given:?}, its entries sum to {sums:?}");
        check.differs(place(), seen, RESTORE);
    }
}

/// Balances as the database sums them, against the entries one by one.
async fn summed(
    tx: &mut Tx,
    connection: &ConnectionId,
    balances: &Balances,
    check: &mut Check,
) -> Result<(), StoreError> {
    let mut after: Option<Account> = None;
    let mut seen = Balances::new();
    loop {
        let page = balance_page(tx, connection, after.as_ref(), PAGE).await?;
        // Accounts are paged in the order of their names, not of their kinds.
        let accounts = page.keys().map(|(account, _)| account);
        let Some(last) = accounts.max_by_key(|account| Account::to_string(account)) else {
            break;
        };
        after = Some(last.clone());
        seen.extend(
            page.into_iter()
                .map(|(key, minor)| (key, i128::from(minor))),
        );
    }
    if seen != *balances {
        let differing = seen
            .iter()
            .filter(|(key, minor)| balances.get(*key) != Some(*minor));
        let names: Vec<String> = differing
            .map(|((account, _), _)| account.to_string())
            .collect();
        let text = format!("balances differ from their entries: {}", names.join(", "));
        check.differs("ledger_entries", text, RESTORE);
    }
    Ok(())
}
