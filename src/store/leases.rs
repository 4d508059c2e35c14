//! Leases for duties that one node of many has, with an epoch that fences a node that froze.
//! A lease only saves work: uniqueness constraints are what keeps things from happening twice.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::ConnectionId;

/// A lease as held.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Lease {
    /// The duty.
    pub name: String,
    /// The node that has it.
    pub holder: String,
    /// One more with every change of holder.
    pub epoch: i64,
    /// When it may be taken by another, unix microseconds.
    pub expires_at_us: i64,
}

/// Takes a lease that is free or expired, or renews one's own; `None` if another node has it.
/// An expired lease gets a new epoch even if the same node takes it again.
pub async fn take_lease(
    tx: &mut Tx,
    name: &str,
    holder: &str,
    now_us: i64,
    expires_at_us: i64,
) -> Result<Option<Lease>, StoreError> {
    Statement::new(
        "INSERT INTO leases (name, holder, epoch, expires_at_us)
         VALUES ($1, $2, 1, $4)
         ON CONFLICT (name) DO UPDATE
         SET holder = excluded.holder, expires_at_us = excluded.expires_at_us,
             epoch = CASE WHEN leases.expires_at_us > $3 THEN leases.epoch ELSE leases.epoch + 1 END
         WHERE leases.holder = excluded.holder OR leases.expires_at_us <= $3
         RETURNING name, holder, epoch, expires_at_us",
    )
    .bind(name)
    .bind(holder)
    .bind(now_us)
    .bind(expires_at_us)
    .fetch_optional(tx)
    .await
}

/// What a write under a lease is called in [`StoreError::Stale`] once the lease is another's.
pub const FENCED: &str = "writing under a lease";

/// Fails with [`StoreError::Stale`] unless the lease is still in this epoch, holds on to it until
/// the transaction ends (whatever is written with it is written by the holder alone), and puts its
/// end off. One that has ended and that nobody has taken is held on to: its end only tells others
/// when they may take it.
pub async fn fence_until(tx: &mut Tx, lease: &Lease, expires_at_us: i64) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE leases SET expires_at_us = $4 WHERE name = $1 AND holder = $2 AND epoch = $3",
    )
    .bind(&lease.name)
    .bind(&lease.holder)
    .bind(lease.epoch)
    .bind(expires_at_us)
    .execute_exactly(FENCED, 1, tx)
    .await
}

/// A stage that reads what is stored and writes it back merged: one transaction at a time for
/// each connection, or an update made between the read and the write would be lost.
///
/// What it means for many nodes: taking events in and answering the API scale with them, and so
/// do different connections; folding and judging one connection do not, they only move to
/// another node when one fails. It is not finer because neither stage knows beforehand which
/// rows it will merge: objects are linked by events of the same batch (a charge to its intent,
/// invoice and session), and a neighbourhood is found by loading it. Locking what is found along
/// the way would deadlock and start over about as often as it would save a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Facts merged into objects, and payments regrouped.
    Fold,
    /// Verdicts and qualifications made from facts.
    Judge,
    /// Promoters and referrals, compared with those that are there. Entered before
    /// [`Self::Judge`] by whoever enters both.
    Register,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Fold => "stage:fold:",
            Self::Judge => "stage:judge:",
            Self::Register => "stage:register:",
        }
    }
}

/// Waits until no other transaction is in this stage of the connection, and keeps others out
/// until this one ends. On SQLite a transaction that writes is alone already.
///
/// Answers how often the stage was entered, this time included: whoever looked before at
/// [`times_entered`] can tell whether anybody was here meanwhile.
pub async fn enter(
    tx: &mut Tx,
    connection: &ConnectionId,
    stage: Stage,
) -> Result<i64, StoreError> {
    let (epoch,) = Statement::new(
        "INSERT INTO leases (name, holder, epoch, expires_at_us)
         VALUES ($1, 'stage', 1, 0)
         ON CONFLICT (name) DO UPDATE SET epoch = leases.epoch + 1
         RETURNING epoch",
    )
    .bind(format!("{}{connection}", stage.name()))
    .fetch_one(tx)
    .await?;
    Ok(epoch)
}

/// How often a stage of the connection was entered, as this transaction sees it.
pub async fn times_entered(
    tx: &mut Tx,
    connection: &ConnectionId,
    stage: Stage,
) -> Result<i64, StoreError> {
    let found: Option<(i64,)> = Statement::new("SELECT epoch FROM leases WHERE name = $1")
        .bind(format!("{}{connection}", stage.name()))
        .fetch_optional(tx)
        .await?;
    Ok(found.map_or(0, |(epoch,)| epoch))
}

/// Gives a lease back early; nothing happens if it has moved on.
pub async fn give_back(tx: &mut Tx, lease: &Lease) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE leases SET expires_at_us = 0 WHERE name = $1 AND holder = $2 AND epoch = $3",
    )
    .bind(&lease.name)
    .bind(&lease.holder)
    .bind(lease.epoch)
    .execute(tx)
    .await?;
    Ok(())
}
