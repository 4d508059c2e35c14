//! Booking transactions. What is the same for all of them is sent once, and of entries only
//! what tells them apart: on SQLite a value costs about as much to send as to store.

use super::{Transaction, balances};
use crate::domain::ids::ConnectionId;
use crate::domain::ledger::{Account, Entry};
use crate::domain::money::Money;
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::statement::Statement;

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
    let alike = |a: &Transaction, b: &Transaction| {
        a.batch == b.batch && a.booked_at == b.booked_at && has_flows(a) == has_flows(b)
    };
    for some in transactions.chunk_by(alike) {
        insert_alike(tx, connection, some).await?;
    }
    balances::add_to_balances(tx, connection, transactions).await
}

/// Transactions of one batch and instant, whose entries are all flows or none.
async fn insert_alike(
    tx: &mut Tx,
    connection: &ConnectionId,
    transactions: &[Transaction],
) -> Result<(), StoreError> {
    let Some(first) = transactions.first() else {
        return Ok(());
    };
    Statement::new(
        "WITH booked (item, qualification_id, sequence, kind, cause, campaign_id, promoter_id,
                      referral_id, revision) AS ({rows})
         INSERT INTO ledger_transactions (connection_id, batch_id, item, qualification_id,
                                          sequence, kind, cause, campaign_id, promoter_id,
                                          referral_id, revision, booked_at)
         SELECT $1, $2, b.item, b.qualification_id, b.sequence, b.kind, b.cause, b.campaign_id,
                b.promoter_id, b.referral_id, b.revision, $3
         FROM booked AS b",
    )
    .bind(connection)
    .bind(&first.batch)
    .bind(first.booked_at)
    .rows(transactions.iter().map(|t| {
        [
            t.item.into(),
            (&t.qualification).into(),
            t.sequence.into(),
            t.kind.name().into(),
            (&t.cause).into(),
            (&t.campaign).into(),
            (&t.promoter).into(),
            (&t.referral).into(),
            (&t.revision).into(),
        ]
    }))
    .execute(tx)
    .await?;
    if has_flows(first) {
        insert_flows(tx, connection, first, transactions).await
    } else {
        insert_entries(tx, connection, first, transactions).await
    }
}

/// Money on its way from a budget through clearing to whoever it is for: four entries.
struct Flow<'t> {
    budget: &'t Account,
    to: &'t Account,
    amount: Money,
}

/// Four entries, if they are a flow and nothing else.
fn flow(entries: &[Entry]) -> Option<Flow<'_>> {
    let [from, cleared, left, to] = entries else {
        return None;
    };
    let amount = to.amount;
    let back = Money {
        minor: amount.minor.checked_neg()?,
        ..amount
    };
    let accounts = matches!(from.account, Account::Budget(_))
        && cleared.account == Account::Clearing
        && left.account == Account::Clearing;
    let amounts = from.amount == back && cleared.amount == amount && left.amount == back;
    (accounts && amounts).then_some(Flow {
        budget: &from.account,
        to: &to.account,
        amount,
    })
}

fn has_flows(transaction: &Transaction) -> bool {
    let mut fours = transaction.entries.chunks(FLOW_ENTRIES);
    fours.all(|four| flow(four).is_some())
}

const FLOW_ENTRIES: usize = 4;

async fn insert_flows(
    tx: &mut Tx,
    connection: &ConnectionId,
    first: &Transaction,
    transactions: &[Transaction],
) -> Result<(), StoreError> {
    let flows = transactions.iter().flat_map(|t| {
        let fours = t
            .entries
            .chunks(FLOW_ENTRIES)
            .zip((0_i64..).step_by(FLOW_ENTRIES));
        fours.filter_map(move |(four, position)| Some((t.item, position, flow(four)?)))
    });
    Statement::new(
        "WITH flow (item, position, budget, account, amount_minor, currency) AS ({rows}),
              side (number, sign) AS (VALUES (0, -1), (1, 1), (2, -1), (3, 1))
         INSERT INTO ledger_entries (connection_id, batch_id, item, position, account,
                                     amount_minor, currency)
         SELECT $1, $2, f.item, f.position + s.number,
                CASE s.number WHEN 0 THEN f.budget WHEN 3 THEN f.account ELSE 'clearing' END,
                s.sign * f.amount_minor, f.currency
         FROM flow AS f CROSS JOIN side AS s",
    )
    .bind(connection)
    .bind(&first.batch)
    .rows(flows.map(|(item, position, flow)| {
        [
            item.into(),
            position.into(),
            flow.budget.to_string().into(),
            flow.to.to_string().into(),
            flow.amount.minor.into(),
            flow.amount.currency.code().to_owned().into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

/// Entries of any other shape, one by one.
async fn insert_entries(
    tx: &mut Tx,
    connection: &ConnectionId,
    first: &Transaction,
    transactions: &[Transaction],
) -> Result<(), StoreError> {
    let entries = transactions
        .iter()
        .flat_map(|t| t.entries.iter().zip(0_i64..).map(move |(e, n)| (t, n, e)));
    Statement::new(
        "WITH entry (item, position, account, amount_minor, currency) AS ({rows})
         INSERT INTO ledger_entries (connection_id, batch_id, item, position, account,
                                     amount_minor, currency)
         SELECT $1, $2, e.item, e.position, e.account, e.amount_minor, e.currency
         FROM entry AS e",
    )
    .bind(connection)
    .bind(&first.batch)
    .rows(entries.map(|(t, position, entry)| {
        [
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
