//! Entries one by one, in the order in which they lie.

use sqlx::FromRow;

use super::{ENTRIES, TRANSACTIONS, TransactionKind, parse_account};
use crate::domain::currency::Currency;
use crate::domain::ids::{BatchId, ConnectionId};
use crate::domain::ledger::{Account, Entry};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::json::{instant, name};
use crate::store::statement::Statement;

const SELECT: &str = "SELECT e.batch_id, e.item, e.position, e.account, e.amount_minor, e.currency,
            t.qualification_id, t.sequence, t.kind, t.booked_at
     FROM ledger_entries AS e
     JOIN ledger_transactions AS t ON t.connection_id = e.connection_id
      AND t.batch_id = e.batch_id AND t.item = e.item
     WHERE e.connection_id = $1";

// The same of people, whose accounts lead to their qualifications, and these to what was booked
// for them: in two steps, as for a statement.
const SELECT_OF_PROMOTER: &str = "WITH mine AS MATERIALIZED (
         SELECT k.batch_id, k.item
         FROM qualifications AS q CROSS JOIN ledger_transactions AS k
         WHERE q.connection_id = $1 AND q.promoter_id = $2
           AND k.connection_id = $1 AND k.qualification_id = q.qualification_id)
     SELECT e.batch_id, e.item, e.position, e.account, e.amount_minor, e.currency,
            t.qualification_id, t.sequence, t.kind, t.booked_at
     FROM mine AS m CROSS JOIN ledger_transactions AS t CROSS JOIN ledger_entries AS e
     WHERE t.connection_id = $1 AND t.batch_id = m.batch_id AND t.item = m.item
       AND e.connection_id = $1 AND e.batch_id = m.batch_id AND e.item = m.item";
const SELECT_OF_REFERRAL: &str = "WITH mine AS MATERIALIZED (
         SELECT k.batch_id, k.item
         FROM qualifications AS q CROSS JOIN ledger_transactions AS k
         WHERE q.connection_id = $1 AND q.referral_id = $2
           AND k.connection_id = $1 AND k.qualification_id = q.qualification_id)
     SELECT e.batch_id, e.item, e.position, e.account, e.amount_minor, e.currency,
            t.qualification_id, t.sequence, t.kind, t.booked_at
     FROM mine AS m CROSS JOIN ledger_transactions AS t CROSS JOIN ledger_entries AS e
     WHERE t.connection_id = $1 AND t.batch_id = m.batch_id AND t.item = m.item
       AND e.connection_id = $1 AND e.batch_id = m.batch_id AND e.item = m.item";

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
    let start = |text| Statement::new(text).bind(connection);
    let of_account = match account {
        Some(Account::Promoter(id)) => start(SELECT_OF_PROMOTER).bind(id),
        Some(Account::Invited(id)) => start(SELECT_OF_REFERRAL).bind(id),
        Some(Account::Budget(id)) => start(SELECT).push(" AND t.campaign_id = $#", id),
        Some(Account::Clearing) | None => start(SELECT),
    };
    let of_people = matches!(account, Some(Account::Promoter(_) | Account::Invited(_)));
    let account = account.map(Account::to_string);
    let mut statement = of_account.push_some(" AND e.account = $#", account);
    if let Some((batch, item, position)) = after {
        // Where entries are looked up one by one, a range of them would be looked through instead.
        let behind = if of_people {
            " AND (m.batch_id, m.item, e.position) > ($#, $#, $#)"
        } else {
            " AND (e.batch_id, e.item, e.position) > ($#, $#, $#)"
        };
        statement = statement.push_all(behind, [batch.into(), item.into(), position.into()]);
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
