//! The ledger: transactions whose entries sum to zero, only ever added to.
//! What is booked is decided in `settle`; here the database holds on to it.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{instant, name, stored_names};
use super::statement::Statement;
use crate::domain::currency::Currency;
use crate::domain::ids::{
    BatchId, CampaignId, ConnectionId, PromoterId, QualificationId, ReferralId, RevisionId,
};
use crate::domain::ledger::{Account, Entry};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;

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

/// Books transactions, all or none. [`StoreError::Taken`] if a qualification has a transaction of
/// that number, or an item booked one, already; [`StoreError::Refused`] if one does not sum to
/// zero, or is an accrual and not its qualification's first.
pub async fn insert_transactions(
    tx: &mut Tx,
    connection: &ConnectionId,
    transactions: &[Transaction],
) -> Result<(), StoreError> {
    if let Some(bad) = transactions.iter().find(|t| !t.is_balanced()) {
        return Err(StoreError::Refused(format!(
            "the entries of {} do not sum to zero",
            bad.id()
        )));
    }
    Statement::new(
        "INSERT INTO ledger_transactions (connection_id, batch_id, item, qualification_id,
                                          sequence, kind, cause, campaign_id, promoter_id,
                                          referral_id, revision, booked_at)
         {rows}",
    )
    .rows(transactions.iter().map(|t| {
        [
            connection.into(),
            (&t.batch).into(),
            t.item.into(),
            (&t.qualification).into(),
            t.sequence.into(),
            t.kind.name().into(),
            (&t.cause).into(),
            (&t.campaign).into(),
            (&t.promoter).into(),
            (&t.referral).into(),
            (&t.revision).into(),
            t.booked_at.into(),
        ]
    }))
    .execute(tx)
    .await?;
    let entries = transactions
        .iter()
        .flat_map(|t| t.entries.iter().zip(0_i64..).map(move |(e, n)| (t, n, e)));
    Statement::new(
        "INSERT INTO ledger_entries (connection_id, batch_id, item, position, account,
                                     amount_minor, currency)
         {rows}",
    )
    .rows(entries.map(|(t, position, entry)| {
        [
            connection.into(),
            (&t.batch).into(),
            t.item.into(),
            position.into(),
            entry.account.to_string().into(),
            entry.amount.minor.into(),
            entry.amount.currency.code().to_owned().into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
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
        "SELECT batch_id, item, position, account, amount_minor, currency FROM ledger_entries
         WHERE connection_id = $1 AND (batch_id, item) IN ({rows})",
    )
    .bind(connection)
    .set(
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
    "SELECT batch_id, item, qualification_id, sequence, kind, cause, campaign_id, promoter_id,
            referral_id, revision, booked_at
     FROM ledger_transactions WHERE connection_id = $1";

/// What a batch has booked for people in one currency, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSum {
    /// The currency.
    pub currency: Currency,
    /// Given for the first time.
    pub accrued: i64,
    /// Taken back, as a negative amount.
    pub taken_back: i64,
    /// Given again.
    pub given_again: i64,
}

/// What some batches have booked for promoters and invited people, by batch and currency, in
/// order of currency. It reads every entry of those batches.
pub async fn sums_of_batches(
    tx: &mut Tx,
    connection: &ConnectionId,
    batches: &[BatchId],
) -> Result<BTreeMap<BatchId, Vec<BatchSum>>, StoreError> {
    let rows: Vec<(String, String, i64, i64, i64)> = Statement::new(
        "SELECT t.batch_id, e.currency,
                CAST(SUM(CASE WHEN t.kind = 'accrual' THEN e.amount_minor ELSE 0 END) AS BIGINT),
                CAST(SUM(CASE WHEN t.kind = 'reversal' THEN e.amount_minor ELSE 0 END) AS BIGINT),
                CAST(SUM(CASE WHEN t.kind = 'reinstatement' THEN e.amount_minor ELSE 0 END)
                     AS BIGINT)
         FROM ledger_transactions AS t
         JOIN ledger_entries AS e
           ON e.connection_id = t.connection_id AND e.batch_id = t.batch_id AND e.item = t.item
         WHERE t.connection_id = $1
           AND (e.account LIKE 'promoter:%' OR e.account LIKE 'invited:%')
           AND t.batch_id IN ({rows})
         GROUP BY t.batch_id, e.currency ORDER BY t.batch_id, e.currency",
    )
    .bind(connection)
    .list(batches)
    .fetch_all(tx)
    .await?;
    let mut sums: BTreeMap<BatchId, Vec<BatchSum>> = BTreeMap::new();
    for (batch, currency, accrued, taken_back, given_again) in rows {
        sums.entry(batch.into()).or_default().push(BatchSum {
            currency: name(ENTRIES, &currency, Currency::parse)?,
            accrued,
            taken_back,
            given_again,
        });
    }
    Ok(sums)
}

/// The transactions of some qualifications, in order of (qualification, sequence).
pub async fn transactions_of_qualifications(
    tx: &mut Tx,
    connection: &ConnectionId,
    qualifications: &[QualificationId],
) -> Result<Vec<Transaction>, StoreError> {
    let mut rows: Vec<Row> = Statement::new(SELECT)
        .bind(connection)
        .text(" AND qualification_id IN ({rows})")
        .list(qualifications)
        .fetch_all(tx)
        .await?;
    rows.sort_by(|a, b| (&a.qualification_id, a.sequence).cmp(&(&b.qualification_id, b.sequence)));
    read(tx, connection, rows).await
}

/// Which transactions a statement shows. Everything left out means any.
#[derive(Debug, Clone, Default)]
pub struct StatementFilter {
    /// Of this promoter.
    pub promoter: Option<PromoterId>,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Booked by this batch.
    pub batch: Option<BatchId>,
    /// Booked at or after.
    pub from: Option<Timestamp>,
    /// Booked before.
    pub until: Option<Timestamp>,
}

/// Transactions, newest first, those of one instant from the end of their plan; `after` is the
/// last one seen.
pub async fn list_transactions(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &StatementFilter,
    after: Option<&Transaction>,
    limit: u32,
) -> Result<Vec<Transaction>, StoreError> {
    let mut statement = Statement::new(SELECT)
        .bind(connection)
        .push_some(" AND promoter_id = $#", filter.promoter.as_ref())
        .push_some(" AND campaign_id = $#", filter.campaign.as_ref())
        .push_some(" AND batch_id = $#", filter.batch.as_ref())
        .push_some(" AND booked_at >= $#", filter.from)
        .push_some(" AND booked_at < $#", filter.until);
    if let Some(last) = after {
        statement = statement.push_all(
            " AND (booked_at, batch_id, item) < ($#, $#, $#)",
            [
                last.booked_at.into(),
                (&last.batch).into(),
                last.item.into(),
            ],
        );
    }
    let rows = statement
        .push(
            " ORDER BY booked_at DESC, batch_id DESC, item DESC LIMIT $#",
            limit,
        )
        .fetch_all(tx)
        .await?;
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
        .push_some(" AND batch_id = $#", batch);
    if let Some((batch, item)) = after {
        statement = statement.push_all(
            " AND (batch_id, item) > ($#, $#)",
            [batch.into(), (*item).into()],
        );
    }
    let rows = statement
        .push(" ORDER BY batch_id, item LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    read(tx, connection, rows).await
}

/// An entry with what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedEntry {
    /// The batch that booked it.
    pub batch: BatchId,
    /// The item of the batch, by its position in the plan.
    pub item: i64,
    /// Its position in its transaction, from 0.
    pub position: i64,
    /// Account and amount.
    pub entry: Entry,
    /// The transaction, `qual_….1`.
    pub transaction: String,
    /// Why that exists.
    pub kind: TransactionKind,
    /// When it was booked.
    pub booked_at: Timestamp,
}

#[derive(FromRow)]
struct EntryRow {
    batch_id: String,
    item: i64,
    position: i64,
    account: String,
    amount_minor: i64,
    currency: String,
    qualification_id: String,
    sequence: i64,
    kind: String,
    booked_at: i64,
}

/// One page of entries in the order in which they lie, after the last (batch, item, position)
/// seen; `account` narrows them down.
pub async fn entry_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    account: Option<&Account>,
    after: Option<(&BatchId, i64, i64)>,
    limit: u32,
) -> Result<Vec<BookedEntry>, StoreError> {
    let mut statement = Statement::new(
        "SELECT e.batch_id, e.item, e.position, e.account, e.amount_minor, e.currency,
                t.qualification_id, t.sequence, t.kind, t.booked_at
         FROM ledger_entries AS e
         JOIN ledger_transactions AS t ON t.connection_id = e.connection_id
          AND t.batch_id = e.batch_id AND t.item = e.item
         WHERE e.connection_id = $1",
    )
    .bind(connection)
    .push_some(" AND e.account = $#", account.map(Account::to_string));
    if let Some((batch, item, position)) = after {
        statement = statement.push_all(
            " AND (e.batch_id, e.item, e.position) > ($#, $#, $#)",
            [batch.into(), item.into(), position.into()],
        );
    }
    let rows: Vec<EntryRow> = statement
        .push(" ORDER BY e.batch_id, e.item, e.position LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    let read = |row: EntryRow| {
        Ok(BookedEntry {
            batch: row.batch_id.into(),
            item: row.item,
            position: row.position,
            entry: Entry {
                account: name(ENTRIES, &row.account, parse_account)?,
                amount: Money {
                    minor: row.amount_minor,
                    currency: name(ENTRIES, &row.currency, Currency::parse)?,
                },
            },
            transaction: format!("{}.{}", row.qualification_id, row.sequence),
            kind: name(TRANSACTIONS, &row.kind, TransactionKind::parse)?,
            booked_at: instant(TRANSACTIONS, row.booked_at)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// The balances of some accounts, by account and currency; an account without entries is absent.
pub async fn balances(
    tx: &mut Tx,
    connection: &ConnectionId,
    accounts: &[Account],
) -> Result<BTreeMap<(Account, Currency), i64>, StoreError> {
    let rows = Statement::new(
        "SELECT account, currency, CAST(SUM(amount_minor) AS BIGINT) FROM ledger_entries
         WHERE connection_id = $1 AND account IN ({rows})
         GROUP BY account, currency",
    )
    .bind(connection)
    .list(accounts.iter().map(Account::to_string))
    .fetch_all(tx)
    .await?;
    read_balances(rows)
}

/// One page of all balances, account by account; `after` is the last account seen. An account's
/// currencies are always on one page, which may thus be a little longer than `limit`.
pub async fn balance_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<&Account>,
    limit: u32,
) -> Result<BTreeMap<(Account, Currency), i64>, StoreError> {
    let rows = Statement::new(
        "SELECT account, currency, CAST(SUM(amount_minor) AS BIGINT) FROM ledger_entries
         WHERE connection_id = $1 AND account IN (
             SELECT DISTINCT account FROM ledger_entries
             WHERE connection_id = $1 AND account > $2
             ORDER BY account LIMIT $3)
         GROUP BY account, currency",
    )
    .bind(connection)
    .bind(after.map(Account::to_string).unwrap_or_default())
    .bind(limit)
    .fetch_all(tx)
    .await?;
    read_balances(rows)
}

fn read_balances(
    rows: Vec<(String, String, i64)>,
) -> Result<BTreeMap<(Account, Currency), i64>, StoreError> {
    let read = |(account, currency, sum): (String, String, i64)| {
        let account = name(ENTRIES, &account, parse_account)?;
        let currency = name(ENTRIES, &currency, Currency::parse)?;
        Ok(((account, currency), sum))
    };
    rows.into_iter().map(read).collect()
}

/// What all entries sum to in each currency: zero, or something is wrong.
pub async fn grand_total(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<BTreeMap<Currency, i64>, StoreError> {
    let rows: Vec<(String, i64)> = Statement::new(
        "SELECT currency, CAST(SUM(amount_minor) AS BIGINT) FROM ledger_entries
         WHERE connection_id = $1 GROUP BY currency",
    )
    .bind(connection)
    .fetch_all(tx)
    .await?;
    let read =
        |(currency, sum): (String, i64)| Ok((name(ENTRIES, &currency, Currency::parse)?, sum));
    rows.into_iter().map(read).collect()
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
