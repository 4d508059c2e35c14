//! The duty to settle: one node of many has it at a time, by a lease that ends by itself. Every
//! transaction that plans or executes is fenced with the lease's epoch, so that a node that
//! froze and wakes after another has taken over writes nothing.
//!
//! Clocks only decide who tries. One that jumps makes two nodes take the lease from each other,
//! or none take it for a while; what is written stays right, because a fence looks at no clock,
//! and because constraints refuse what would be booked twice.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::clock::{Clock, SECOND_US};
use crate::domain::ids::{ConnectionId, NodeId};
use crate::store::leases::{FENCED, Lease, fence_until, give_back, take_lease};
use crate::store::{Db, StoreError, Tx, retry};

/// How long a node that is heard of no more keeps the duty: much longer than a transaction, much
/// shorter than a slot. Each transaction puts the end off.
pub const LEASE_SECONDS: i64 = 30;

/// Two duties of one process are two holders, or the second would work beside the first.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// The duty, as one node has it.
#[derive(Debug)]
pub struct Duty<'d> {
    /// The database.
    pub db: &'d Db,
    /// The connection that is settled.
    pub connection: &'d ConnectionId,
    /// The clock.
    pub clock: &'d dyn Clock,
    /// The node that has it.
    pub node: NodeId,
    lease: Lease,
    renewed_at_us: AtomicI64,
}

impl<'d> Duty<'d> {
    /// Takes the duty; `None` while another has it.
    pub async fn take(
        db: &'d Db,
        connection: &'d ConnectionId,
        node: &NodeId,
        clock: &'d dyn Clock,
    ) -> Result<Option<Self>, StoreError> {
        let name = format!("settle:{connection}");
        let holder = format!("{node}.{}", TAKEN.fetch_add(1, Ordering::Relaxed));
        let now_us = clock.now_us();
        let lease = retry(async || {
            let mut tx = db.begin().await?;
            let lease = take_lease(&mut tx, &name, &holder, now_us, end(now_us)).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(lease)
        });
        Ok(lease.await?.map(|lease| Self {
            db,
            connection,
            clock,
            node: node.clone(),
            lease,
            renewed_at_us: AtomicI64::new(now_us),
        }))
    }

    /// Starts a transaction that only whoever has the duty can commit, and puts its end off.
    /// An error for which [`is_lost`] holds if another has it by now.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let now_us = self.clock.now_us();
        let mut tx = self.db.begin().await?;
        fence_until(&mut tx, &self.lease, end(now_us)).await?;
        self.renewed_at_us.store(now_us, Ordering::Relaxed);
        Ok(tx)
    }

    /// Puts the end off if a third of the time is over: for work that is none of the duty's
    /// transactions.
    pub async fn keep(&self) -> Result<(), StoreError> {
        let passed = self.clock.now_us() - self.renewed_at_us.load(Ordering::Relaxed);
        if passed.abs() < LEASE_SECONDS * SECOND_US / 3 {
            return Ok(());
        }
        retry(async || self.begin().await?.commit().await).await
    }

    /// Gives the duty back, so that the next one need not wait for its end.
    pub async fn give_back(self) -> Result<(), StoreError> {
        let give = async || {
            let mut tx = self.db.begin().await?;
            give_back(&mut tx, &self.lease).await?;
            tx.commit().await
        };
        retry(give).await
    }
}

/// Whether another node has taken over.
pub fn is_lost(error: &StoreError) -> bool {
    matches!(error, StoreError::Stale { what, .. } if *what == FENCED)
}

const fn end(now_us: i64) -> i64 {
    now_us.saturating_add(LEASE_SECONDS * SECOND_US)
}
