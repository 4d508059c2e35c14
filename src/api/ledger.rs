//! `/ledger`: balances, and the transactions behind them. Only read: entries are booked by
//! batches and never changed.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::answer::{Answer, List, ok};
use super::caller::Caller;
use super::document::names;
use super::document::operation::{Operation, Resource, Takes};
use super::params::{Params, bad_cursor};
use super::refusal;
use crate::access::routes::{self, On};
use crate::domain::ids::{
    BatchId, CampaignId, ConnectionId, PromoterId, QualificationId, ReferralId, RevisionId,
};
use crate::domain::ledger::Account;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::store::ledger::{
    BookedEntry, StatementFilter, Transaction, balance_page, balances, entry_page,
    list_transactions, parse_account, transactions_of_qualifications,
};
use crate::store::{StoreError, Tx};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_ACCOUNTS, accounts)
        .on(routes::API_STATEMENT, statement)
        .on(routes::API_ENTRIES, entries)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "ledger",
        says: "Balances and the bookings behind them, in double entry. Entries are booked by batches and never changed.",
        operations: vec![
            Operation::new(routes::API_ACCOUNTS, "list_accounts", "List balances")
                .says("Accounts are `promoter:<id>`, `invited:<referral>`, `budget:<campaign>` and `clearing`. What is positive is owed to the account.")
                .filter("promoter", Takes::Text, "The account of this promoter alone.")
                .lists::<Balances>("The `id` of the last row of the page before."),
            Operation::new(routes::API_STATEMENT, "list_transactions", "List transactions")
                .says("The newest first, each with its entries, which sum to zero.")
                .filter("promoter", Takes::Text, "Of this promoter.")
                .filter("campaign", Takes::Text, "Of this campaign.")
                .filter("batch", Takes::Text, "Booked by this batch.")
                .filter("from", Takes::Instant, "Booked at or after.")
                .filter("until", Takes::Instant, "Booked before.")
                .lists::<ShownTransaction>("The `id` of the last row of the page before."),
            Operation::new(routes::API_ENTRIES, "list_entries", "List entries")
                .says("Batch by batch, in the order in which each booked them.")
                .filter("account", Takes::Text, "Of this account, such as `promoter:<id>`.")
                .lists::<EntryRow>("The `id` of the last row of the page before."),
        ],
    }
}

/// The balances of one account.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Balances")]
struct Balances {
    /// `promoter:<id>`, `invited:<referral>`, `budget:<campaign>`, `clearing`.
    id: String,
    balances: Vec<Money>,
}

async fn accounts(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["promoter"])?;
    let mut tx = api.app.db.read().await?;
    let found = if let Some(promoter) = params.id::<PromoterId>("promoter") {
        let account = [Account::Promoter(promoter)];
        balances(&mut tx, &caller.connection, &account).await?
    } else {
        let after = page.after.as_deref().map(parse_account);
        let after = after.map(|account| account.ok_or_else(bad_cursor));
        let after = after.transpose()?;
        balance_page(&mut tx, &caller.connection, after.as_ref(), page.rows()).await?
    };
    let mut rows: Vec<Balances> = Vec::new();
    for ((account, currency), minor) in found {
        let id = account.to_string();
        let amount = Money::new(minor, currency);
        match rows.iter_mut().find(|row| row.id == id) {
            Some(row) => row.balances.push(amount),
            None => rows.push(Balances {
                id,
                balances: vec![amount],
            }),
        }
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    ok(&List::cut(rows, &page))
}

/// A transaction as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Transaction")]
pub(super) struct ShownTransaction {
    id: String,
    /// Why it was booked.
    #[schemars(with = "names::TransactionKind")]
    kind: &'static str,
    /// What caused it: a stable code.
    cause: String,
    campaign: CampaignId,
    revision: RevisionId,
    promoter: PromoterId,
    referral: ReferralId,
    qualification: QualificationId,
    batch: BatchId,
    booked_at: Timestamp,
    entries: Vec<ShownEntry>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EntryOfTransaction")]
struct ShownEntry {
    account: String,
    #[serde(flatten)]
    amount: Money,
}

impl From<Transaction> for ShownTransaction {
    fn from(t: Transaction) -> Self {
        let id = t.id();
        let entries = t.entries.into_iter().map(|entry| ShownEntry {
            account: entry.account.to_string(),
            amount: entry.amount,
        });
        Self {
            id,
            kind: t.kind.name(),
            cause: t.cause,
            campaign: t.campaign,
            revision: t.revision,
            promoter: t.promoter,
            referral: t.referral,
            qualification: t.qualification,
            batch: t.batch,
            booked_at: t.booked_at,
            entries: entries.collect(),
        }
    }
}

async fn statement(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["promoter", "campaign", "batch", "from", "until"])?;
    let filter = StatementFilter {
        promoter: params.id("promoter"),
        campaign: params.id("campaign"),
        batch: params.id("batch"),
        from: params.instant("from")?,
        until: params.instant("until")?,
    };
    let mut tx = api.app.db.read().await?;
    let after = match &page.after {
        None => None,
        Some(id) => {
            let last = find(&mut tx, &caller.connection, id).await?;
            Some(last.ok_or_else(bad_cursor)?)
        }
    };
    let (connection, after) = (&caller.connection, after.as_ref());
    let rows = list_transactions(&mut tx, connection, &filter, after, page.rows()).await?;
    ok(&List::cut(rows, &page).map(ShownTransaction::from))
}

/// An entry by itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Entry")]
struct EntryRow {
    /// `<batch>.<item>.<position>`.
    id: String,
    account: String,
    /// What is positive is owed to the account.
    #[serde(flatten)]
    amount: Money,
    /// The transaction it belongs to.
    transaction: String,
    #[schemars(with = "names::TransactionKind")]
    kind: &'static str,
    batch: BatchId,
    booked_at: Timestamp,
}

fn entry_row(booked: BookedEntry) -> EntryRow {
    EntryRow {
        id: format!("{}.{}.{}", booked.batch, booked.item, booked.position),
        account: booked.entry.account.to_string(),
        amount: booked.entry.amount,
        transaction: booked.transaction,
        kind: booked.kind.name(),
        batch: booked.batch,
        booked_at: booked.booked_at,
    }
}

async fn entries(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["account"])?;
    let account = params.text("account").map(|text| {
        parse_account(text).ok_or_else(|| {
            let detail = "It is promoter:<id>, invited:<referral>, budget:<campaign> or clearing.";
            refusal::parameter("account", detail)
        })
    });
    let account = account.transpose()?;
    let after = page
        .after
        .as_deref()
        .map(|id| place(id).ok_or_else(bad_cursor));
    let after = after.transpose()?;
    let after = after
        .as_ref()
        .map(|(batch, item, position)| (batch, *item, *position));
    let mut tx = api.app.db.read().await?;
    let rows = entry_page(
        &mut tx,
        &caller.connection,
        account.as_ref(),
        after,
        page.rows(),
    );
    ok(&List::cut(rows.await?, &page).map(entry_row))
}

/// Where an entry lies, by its id.
fn place(id: &str) -> Option<(BatchId, i64, i64)> {
    let (rest, position) = id.rsplit_once('.')?;
    let (batch, item) = rest.rsplit_once('.')?;
    Some((batch.into(), item.parse().ok()?, position.parse().ok()?))
}

/// A transaction's id is its qualification's with a number: `qual_….1`.
async fn find(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &str,
) -> Result<Option<Transaction>, StoreError> {
    let Some((qualification, _)) = id.rsplit_once('.') else {
        return Ok(None);
    };
    let qualification = [QualificationId::from(qualification)];
    let all = transactions_of_qualifications(tx, connection, &qualification).await?;
    Ok(all.into_iter().find(|transaction| transaction.id() == id))
}
