//! The ledger: every transaction sums to zero and clears, every qualification has what its
//! transactions say, and balances are the sums of their entries.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};

use super::{Check, PAGE};
use crate::domain::currency::Currency;
use crate::domain::ids::{ConnectionId, ReferralId};
use crate::domain::ledger::{Account, Entry};
use crate::domain::verdict::RewardTo;
use crate::ledger::audit::unbalanced;
use crate::store::ledger::{
    Transaction, TransactionKind, accounts_without_balance, balance_page, balances,
    count_transactions, qualifications_that_are_gone, transactions_of_qualifications,
};
use crate::store::qualifications::{
    Qualification, QualificationState, qualifications_of_referrals,
};
use crate::store::{StoreError, Tx};

pub(super) const NAME: &str = "ledger";
const RESTORE: &str = "entries are never changed by the program: restore the ledger from a backup";
const RESTORE_BALANCES: &str = "if nothing else of the ledger differs, the entries are right: restore \
                                the balances, or set them to the sums of their entries";
/// Accounts that are named; of more, only the number is told.
const NAMED_MAX: usize = 100;

/// What was seen of the ledger so far: a few bytes for each promoter and campaign. Accounts of
/// invited people are as many as qualifications, and are summed page by page.
#[derive(Debug, Default)]
pub(super) struct Books {
    hasher: RandomState,
    sums: HashMap<u64, i128>,
    differing: Differing,
}

/// Accounts whose balance is not the sum of their entries.
#[derive(Debug, Default)]
struct Differing {
    named: BTreeSet<String>,
    more: u64,
}

impl Differing {
    fn add(&mut self, account: &Account) {
        let name = account.to_string();
        if self.named.len() < NAMED_MAX {
            self.named.insert(name);
        } else if !self.named.contains(&name) {
            self.more += 1;
        }
    }

    fn tell(self, check: &mut Check) {
        if self.named.is_empty() {
            return;
        }
        let rest = match self.more {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let listed = Vec::from_iter(self.named).join(", ");
        let text = format!("balances differ from their entries: {listed}{rest}");
        check.differs("ledger_balances", text, RESTORE_BALANCES);
    }
}

type Sums = BTreeMap<(Account, Currency), i128>;

/// What transactions booked for invited people.
fn of_invited(booked: &[Transaction]) -> Sums {
    let mut sums = Sums::new();
    for Entry { account, amount } in booked.iter().flat_map(|t| &t.entries) {
        if matches!(account, Account::Invited(_)) {
            let sum = sums.entry((account.clone(), amount.currency)).or_default();
            *sum += i128::from(amount.minor);
        }
    }
    sums
}

impl Books {
    /// A page of qualifications, with their transactions.
    pub(super) async fn take(
        &mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
        page: &[Qualification],
        check: &mut Check,
    ) -> Result<(), StoreError> {
        let ids: Vec<_> = page.iter().map(|one| one.id.clone()).collect();
        let booked = transactions_of_qualifications(tx, connection, &ids).await?;
        // Both come in order of id.
        let mut left = booked.as_slice();
        for qualification in page {
            let others = |t: &Transaction| t.qualification != qualification.id;
            let count = left.iter().position(others).unwrap_or(left.len());
            let (of_it, rest) = left.split_at_checked(count).unwrap_or((left, &[]));
            left = rest;
            for transaction in of_it {
                is_of(qualification, transaction, check);
            }
            history(qualification, of_it, check);
        }
        self.add(tx, connection, &booked, check).await
    }

    /// Transactions, each by itself, into the sums.
    async fn add(
        &mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
        booked: &[Transaction],
        check: &mut Check,
    ) -> Result<(), StoreError> {
        for transaction in booked {
            check.looked_at += 1;
            one(transaction, check);
            for Entry { account, amount } in &transaction.entries {
                if !matches!(account, Account::Invited(_)) {
                    let key = self.key(account, amount.currency);
                    *self.sums.entry(key).or_default() += i128::from(amount.minor);
                }
            }
        }
        // Whether they add up is seen where the balances are: here, whether there is one.
        let invited = of_invited(booked);
        let accounts: BTreeSet<&Account> = invited.keys().map(|(account, _)| account).collect();
        let accounts: Vec<Account> = accounts.into_iter().cloned().collect();
        let kept = balances(tx, connection, &accounts).await?;
        for key in invited.keys().filter(|key| !kept.contains_key(key)) {
            self.differing.add(&key.0);
        }
        Ok(())
    }

    fn key(&self, account: &Account, currency: Currency) -> u64 {
        self.hasher.hash_one((account.to_string(), currency.code()))
    }

    /// What no qualification led to, and the balances.
    pub(super) async fn check(
        mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
        check: &mut Check,
    ) -> Result<(), StoreError> {
        if count_transactions(tx, connection).await? != check.looked_at {
            let gone = qualifications_that_are_gone(tx, connection).await?;
            for ids in gone.chunks(PAGE as usize) {
                let booked = transactions_of_qualifications(tx, connection, ids).await?;
                self.add(tx, connection, &booked, check).await?;
            }
            for id in gone {
                let place = format!("ledger_transactions of {id}");
                check.differs(place, "there is no such qualification", RESTORE);
            }
        }
        self.balances(tx, connection).await?;
        self.differing.tell(check);
        Ok(())
    }

    /// The balances that are kept, against the entries one by one.
    async fn balances(&mut self, tx: &mut Tx, connection: &ConnectionId) -> Result<(), StoreError> {
        let mut after: Option<Account> = None;
        loop {
            let page = balance_page(tx, connection, after.as_ref(), PAGE).await?;
            // Accounts are paged in the order of their names, not of their kinds.
            let accounts = page.keys().map(|(account, _)| account);
            let Some(last) = accounts.max_by_key(|account| Account::to_string(account)) else {
                break;
            };
            after = Some(last.clone());
            let invited = booked_for_invited(tx, connection, &page).await?;
            for ((account, currency), minor) in page {
                let sum = match account {
                    Account::Invited(_) => invited.get(&(account.clone(), currency)).copied(),
                    _ => self.sums.remove(&self.key(&account, currency)),
                };
                if sum != Some(i128::from(minor)) {
                    self.differing.add(&account);
                }
            }
        }
        if !self.sums.is_empty() {
            for account in accounts_without_balance(tx, connection, PAGE).await? {
                self.differing.add(&account);
            }
        }
        Ok(())
    }
}

/// What the invited people of a page of balances have entries for.
async fn booked_for_invited(
    tx: &mut Tx,
    connection: &ConnectionId,
    page: &BTreeMap<(Account, Currency), i64>,
) -> Result<Sums, StoreError> {
    let referrals: BTreeSet<&ReferralId> = page
        .keys()
        .filter_map(|(account, _)| match account {
            Account::Invited(id) => Some(id),
            _ => None,
        })
        .collect();
    let referrals: Vec<ReferralId> = referrals.into_iter().cloned().collect();
    let of = qualifications_of_referrals(tx, connection, &referrals).await?;
    let mut sums = Sums::new();
    for some in of.chunks(PAGE as usize) {
        let ids: Vec<_> = some.iter().map(|one| one.id.clone()).collect();
        let booked = transactions_of_qualifications(tx, connection, &ids).await?;
        for (key, minor) in of_invited(&booked) {
            *sums.entry(key).or_default() += minor;
        }
    }
    Ok(sums)
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

/// What is somebody's is found by qualifications: a transaction is of whom its qualification is.
fn is_of(qualification: &Qualification, transaction: &Transaction, check: &mut Check) {
    let (is, was) = (transaction, qualification);
    let seen = (&is.campaign, &is.promoter, &is.referral);
    let wanted = (&was.campaign, &was.promoter, &was.referral);
    if seen != wanted {
        let place = format!("ledger_transactions {}", transaction.id());
        let seen = format!(
            "it is of {} {} {}, its qualification of {} {} {}",
            seen.0, seen.1, seen.2, wanted.0, wanted.1, wanted.2
        );
        check.differs(place, seen, RESTORE);
    }
}

/// A qualification and its transactions.
fn history(qualification: &Qualification, booked: &[Transaction], check: &mut Check) {
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
