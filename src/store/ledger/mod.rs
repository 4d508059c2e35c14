//! The ledger: transactions whose entries sum to zero, only ever added to.
//! What is booked is decided in `settle`; here the database holds on to it.
//!
//! A transaction lies where the item that booked it stands in its plan, and nothing of it is in
//! an index by account or promoter: each item of a page would dirty pages of its own there. Sums
//! are kept in [`mod@balances`], a row an account; what is a promoter's is found by its
//! qualifications, whose promoter never changes once they are settled.

mod balances;
mod batch_sums;
mod entries;
mod insert;
mod statement;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;

use crate::domain::currency::Currency;
use crate::domain::ids::{
    BatchId, CampaignId, ConnectionId, PromoterId, QualificationId, ReferralId, RevisionId,
};
use crate::domain::ledger::{Account, Entry};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::json::{instant, name, stored_names};
use crate::store::statement::Statement;

pub use balances::{balance_page, balances, grand_total};
pub use batch_sums::{BatchSum, sums_of_batches};
pub use entries::{BookedEntry, entry_page};
pub use insert::insert_transactions;
pub use statement::{StatementFilter, list_transactions};
pub use whole::{
    Booking, accounts_without_balance, bookings_of_batch, count_transactions,
    qualifications_that_are_gone,
};

const TRANSACTIONS: &str = "ledger_transactions";
const ENTRIES: &str = "ledger_entries";

stored_names! {
    /// Why a transaction exists.
    TransactionKind {
        /// A settlement.
        Accrual => "accrual",
        /// What a settlement gave is taken back, in whole or in part.
        Reversal => "reversal",
        /// What was taken back is given again.
        Reinstatement => "reinstatement",
    }
}

/// A transaction with its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The qualification it is for.
    pub qualification: QualificationId,
    /// Its number among that qualification's transactions, from 1.
    pub sequence: i64,
    /// Why it exists.
    pub kind: TransactionKind,
    /// What caused it: a stable code.
    pub cause: String,
    /// The campaign.
    pub campaign: CampaignId,
    /// The promoter.
    pub promoter: PromoterId,
    /// The referral.
    pub referral: ReferralId,
    /// The batch that booked it.
    pub batch: BatchId,
    /// The item of the batch that booked it, by its position in the plan: with the batch it is
    /// the key, so that what a batch books lies in the order in which it is booked.
    pub item: i64,
    /// The campaign's revision that it rests on.
    pub revision: RevisionId,
    /// When it was booked.
    pub booked_at: Timestamp,
    /// Its entries, in order.
    pub entries: Vec<Entry>,
}

impl Transaction {
    /// Its id: the qualification's with a number, `qual_….1`.
    pub fn id(&self) -> String {
        format!("{}.{}", self.qualification, self.sequence)
    }

    /// Whether its entries sum to zero in each currency.
    pub fn is_balanced(&self) -> bool {
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        for entry in &self.entries {
            *sums.entry(entry.amount.currency).or_default() += i128::from(entry.amount.minor);
        }
        sums.values().all(|sum| *sum == 0)
    }
}

#[derive(FromRow)]
struct Row {
    batch_id: String,
    item: i64,
    qualification_id: String,
    sequence: i64,
    kind: String,
    cause: String,
    campaign_id: String,
    promoter_id: String,
    referral_id: String,
    revision: String,
    booked_at: i64,
}

/// Rows in their order, each with its entries.
async fn read(
    tx: &mut Tx,
    connection: &ConnectionId,
    rows: Vec<Row>,
) -> Result<Vec<Transaction>, StoreError> {
    let mut found: Vec<(String, i64, i64, String, i64, String)> = Statement::new(
        "WITH booked (batch_id, item) AS ({rows})
         SELECT e.batch_id, e.item, e.position, e.account, e.amount_minor, e.currency
         FROM booked AS b CROSS JOIN ledger_entries AS e
         WHERE e.connection_id = $1 AND e.batch_id = b.batch_id AND e.item = b.item",
    )
    .bind(connection)
    .rows(
        rows.iter()
            .map(|row| [(&row.batch_id).into(), row.item.into()]),
    )
    .fetch_all(tx)
    .await?;
    found.sort();
    let mut entries: BTreeMap<(String, i64), Vec<Entry>> = BTreeMap::new();
    for (batch, item, _, account, minor, currency) in found {
        entries.entry((batch, item)).or_default().push(Entry {
            account: name(ENTRIES, &account, parse_account)?,
            amount: Money {
                minor,
                currency: name(ENTRIES, &currency, Currency::parse)?,
            },
        });
    }
    let mut read = |row: Row| {
        let key = (row.batch_id, row.item);
        let entries = entries.remove(&key).unwrap_or_default();
        let (batch, item) = key;
        Ok(Transaction {
            entries,
            qualification: row.qualification_id.into(),
            sequence: row.sequence,
            kind: name(TRANSACTIONS, &row.kind, TransactionKind::parse)?,
            cause: row.cause,
            campaign: row.campaign_id.into(),
            promoter: row.promoter_id.into(),
            referral: row.referral_id.into(),
            batch: batch.into(),
            item,
            revision: row.revision.into(),
            booked_at: instant(TRANSACTIONS, row.booked_at)?,
        })
    };
    rows.into_iter().map(&mut read).collect()
}

/// The account of that name, as [`Account`] displays it.
pub fn parse_account(text: &str) -> Option<Account> {
    match text.split_once(':') {
        None => (text == "clearing").then_some(Account::Clearing),
        Some(("promoter", id)) => Some(Account::Promoter(id.into())),
        Some(("invited", id)) => Some(Account::Invited(id.into())),
        Some(("budget", id)) => Some(Account::Budget(id.into())),
        Some(_) => None,
    }
}

const SELECT: &str =
    "SELECT t.batch_id, t.item, t.qualification_id, t.sequence, t.kind, t.cause, t.campaign_id,
            t.promoter_id, t.referral_id, t.revision, t.booked_at
     FROM ledger_transactions AS t WHERE t.connection_id = $1";

/// The same of some qualifications. For a set of keys to look for, SQLite would rather read the
/// ledger from end to end: the order of a CROSS JOIN it keeps, and a number makes the index
/// the better of the two for it.
const SELECT_OF_QUALIFICATIONS: &str = "WITH wanted (qualification_id) AS ({rows})
     SELECT t.batch_id, t.item, t.qualification_id, t.sequence, t.kind, t.cause, t.campaign_id,
            t.promoter_id, t.referral_id, t.revision, t.booked_at
     FROM wanted AS w CROSS JOIN ledger_transactions AS t
     WHERE t.connection_id = $1 AND t.qualification_id = w.qualification_id AND t.sequence > 0";

/// The transactions of some qualifications, in order of (qualification, sequence).
pub async fn transactions_of_qualifications(
    tx: &mut Tx,
    connection: &ConnectionId,
    qualifications: &[QualificationId],
) -> Result<Vec<Transaction>, StoreError> {
    let wanted: BTreeSet<&QualificationId> = qualifications.iter().collect();
    let mut rows: Vec<Row> = Statement::new(SELECT_OF_QUALIFICATIONS)
        .bind(connection)
        .rows(wanted.into_iter().map(|id| [id.into()]))
        .fetch_all(tx)
        .await?;
    rows.sort_by(|a, b| (&a.qualification_id, a.sequence).cmp(&(&b.qualification_id, b.sequence)));
    read(tx, connection, rows).await
}

/// One page of all transactions in the order in which they lie, by (batch, item) after the last
/// one seen: for `verify`. `batch` narrows it down.
pub async fn transaction_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: Option<&BatchId>,
    after: Option<&(BatchId, i64)>,
    limit: u32,
) -> Result<Vec<Transaction>, StoreError> {
    let mut statement = Statement::new(SELECT)
        .bind(connection)
        .push_some(" AND t.batch_id = $#", batch);
    if let Some((batch, item)) = after {
        statement = statement.push_all(
            " AND (t.batch_id, t.item) > ($#, $#)",
            [batch.into(), (*item).into()],
        );
    }
    let rows = statement
        .push(" ORDER BY t.batch_id, t.item LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    read(tx, connection, rows).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_read_back_from_their_names() {
        for account in [
            Account::Promoter("prom:1".into()),
            Account::Invited("coupon:spring:cus_1".into()),
            Account::Budget("spring".into()),
            Account::Clearing,
        ] {
            assert_eq!(parse_account(&account.to_string()), Some(account));
        }
        assert_eq!(parse_account("nobody:1"), None);
        assert_eq!(parse_account("promoter"), None);
    }
}
