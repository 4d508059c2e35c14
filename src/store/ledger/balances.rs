//! Balances: kept beside the entries, a row an account and currency, changed in the transaction
//! that books. `verify` compares them with the entries.

use std::collections::BTreeMap;

use super::{ENTRIES, Transaction, parse_account};
use crate::domain::currency::Currency;
use crate::domain::ids::ConnectionId;
use crate::domain::ledger::Account;
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::json::name;
use crate::store::statement::Statement;

const BALANCES: &str = "ledger_balances";

/// Adds what these transactions book to the balances of their accounts: one row an account and
/// currency, however many entries it has among them.
pub(super) async fn add_to_balances(
    tx: &mut Tx,
    connection: &ConnectionId,
    transactions: &[Transaction],
) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(&Account, Currency), i64> = BTreeMap::new();
    for entry in transactions.iter().flat_map(|t| &t.entries) {
        let key = (&entry.account, entry.amount.currency);
        let sum = sums.entry(key).or_default();
        *sum = sum.checked_add(entry.amount.minor).ok_or_else(|| {
            StoreError::Refused(format!("the balance of {} overflows", entry.account))
        })?;
    }
    Statement::new(
        "WITH booked (account, currency, amount_minor) AS ({rows})
         INSERT INTO ledger_balances (connection_id, account, currency, amount_minor)
         SELECT $1, b.account, b.currency, b.amount_minor FROM booked AS b WHERE 1 = 1
         ON CONFLICT (connection_id, account, currency) DO UPDATE
         SET amount_minor = ledger_balances.amount_minor + excluded.amount_minor",
    )
    .bind(connection)
    .rows(sums.into_iter().map(|((account, currency), minor)| {
        [
            account.to_string().into(),
            currency.code().to_owned().into(),
            minor.into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

/// The balances of some accounts, by account and currency; an account without entries is absent.
pub async fn balances(
    tx: &mut Tx,
    connection: &ConnectionId,
    accounts: &[Account],
) -> Result<BTreeMap<(Account, Currency), i64>, StoreError> {
    let rows = Statement::new(
        "SELECT account, currency, amount_minor FROM ledger_balances
         WHERE connection_id = $1 AND account IN ({rows})",
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
        "SELECT account, currency, amount_minor FROM ledger_balances
         WHERE connection_id = $1 AND account IN (
             SELECT DISTINCT account FROM ledger_balances
             WHERE connection_id = $1 AND account > $2
             ORDER BY account LIMIT $3)",
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
        let account = name(BALANCES, &account, parse_account)?;
        let currency = name(BALANCES, &currency, Currency::parse)?;
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
