//! `/portal/statement.csv`: everything that was ever booked to a promoter, newest first. The
//! amounts of a currency sum to the balance in it.

use std::sync::Arc;

use axum::extract::State;

use super::words::moved;
use super::{Names, promoter_id};
use crate::domain::ids::{ConnectionId, PromoterId, ReferralId};
use crate::domain::ledger::Account;
use crate::shared::App;
use crate::store::StoreError;
use crate::store::ledger::{StatementFilter, Transaction, TransactionKind, list_transactions};
use crate::web::answer::Answer;
use crate::web::csv;
use crate::web::{View, Web};

/// Rows of a piece of the download.
const PIECE: u32 = 500;

const COLUMNS: [&str; 7] = [
    "booked_at",
    "what",
    "campaign",
    "person",
    "amount",
    "currency",
    "why",
];

/// `GET /portal/statement.csv`
pub(crate) async fn download(State(web): State<Arc<Web>>, view: View) -> Answer {
    let promoter = promoter_id(&view)?;
    let (app, connection) = (Arc::clone(&web.app), view.connection().clone());
    Ok(csv::paged("statement", &COLUMNS, move |after| {
        let (app, connection) = (Arc::clone(&app), connection.clone());
        let promoter = promoter.clone();
        async move { piece(&app, &connection, &promoter, after).await }
    }))
}

async fn piece(
    app: &App,
    connection: &ConnectionId,
    promoter: &PromoterId,
    after: Option<Transaction>,
) -> Result<(String, Option<Transaction>), StoreError> {
    let filter = StatementFilter {
        promoter: Some(promoter.clone()),
        ..StatementFilter::default()
    };
    let mut tx = app.db.read().await?;
    let rows = list_transactions(&mut tx, connection, &filter, after.as_ref(), PIECE).await?;
    let referrals: Vec<ReferralId> = rows.iter().map(|row| row.referral.clone()).collect();
    let names = Names::of(&mut tx, connection, &referrals).await?;
    tx.rollback().await?;
    let own = Account::Promoter(promoter.clone());
    let lines = rows.iter().flat_map(|row| lines(row, &own, &names));
    let text = lines.collect();
    let is_full = rows.len() >= PIECE as usize;
    Ok((text, rows.into_iter().next_back().filter(|_| is_full)))
}

/// The lines of one booking: one for each entry on the promoter's own account.
fn lines(row: &Transaction, own: &Account, names: &Names) -> Vec<String> {
    let what = match row.kind {
        TransactionKind::Accrual => "reward",
        TransactionKind::Reversal => "taken back",
        TransactionKind::Reinstatement => "given again",
    };
    let entries = row.entries.iter().filter(|entry| entry.account == *own);
    let line = |amount: crate::domain::money::Money| {
        csv::line([
            row.booked_at.to_string(),
            what.to_owned(),
            names.campaign(&row.campaign),
            names.person(&row.referral),
            amount.major(),
            amount.currency.to_string(),
            moved(row.kind, &row.cause).to_owned(),
        ])
    };
    entries.map(|entry| line(entry.amount)).collect()
}
