//! `/ledger`: balances, and the transactions behind them. Only read: entries are booked by
//! batches and never changed.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use serde::Serialize;

use super::Api;
use super::answer::{Answer, List, ok};
use super::caller::Caller;
use super::params::{Params, bad_cursor};
use crate::access::routes::{self, On};
use crate::domain::ids::{
    BatchId, CampaignId, ConnectionId, PromoterId, QualificationId, ReferralId, RevisionId,
};
use crate::domain::ledger::Account;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::store::ledger::{
    StatementFilter, Transaction, balance_page, balances, list_transactions, parse_account,
    transactions_of_qualifications,
};
use crate::store::{StoreError, Tx};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_ACCOUNTS, accounts)
        .on(routes::API_STATEMENT, statement)
}

/// The balances of one account.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
pub(super) struct ShownTransaction {
    id: String,
    kind: &'static str,
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

#[derive(Debug, Serialize)]
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
