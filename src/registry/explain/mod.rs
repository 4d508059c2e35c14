//! Why a referral is where it is: the verdict judged afresh on stored facts, with its history.
//! The command line and the pages tell the same. Nothing is written.

mod events;
mod find;
mod history;
mod timeline;

use std::collections::BTreeSet;

use crate::domain::ids::{ConnectionId, CustomerId, ReferralId};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::evaluate::explain::sentence;
use crate::queue::judging::judge;
use crate::queue::neighbourhood::Seeds;
use crate::queue::transition::as_shown;
use crate::queue::worker::{in_force_last, prepare};
use crate::store::qualifications::{Qualification, qualifications_of_referrals};
use crate::store::verdicts::{VerdictKey, get_verdict};
use crate::store::{StoreError, Tx};

pub use find::{Found, NotFound, find};
pub use history::{History, history};
pub use timeline::{About, Moment, MomentKind};

/// One explained referral.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Explained {
    /// What the rules say, as people see it.
    pub verdict: Verdict,
    /// What is stored, where that is another: it waits to be judged again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<String>,
    /// What happened, oldest first.
    pub timeline: Vec<Moment>,
    /// What the queue and the ledger have of it, whatever is in force last.
    #[serde(skip)]
    pub qualifications: Vec<Qualification>,
}

/// Explains these referrals, and those that these customers are about.
pub async fn explain(
    tx: &mut Tx,
    connection: &ConnectionId,
    (referrals, customers): (&BTreeSet<ReferralId>, &BTreeSet<CustomerId>),
    now: Timestamp,
) -> Result<Vec<Explained>, StoreError> {
    let seeds = Seeds {
        referrals: referrals.clone(),
        customers: customers.clone(),
        ..Seeds::default()
    };
    let prepared = prepare(tx, connection, seeds).await?;
    let judged = judge(&prepared.neighbourhood, now).judged;
    let mut all = Vec::new();
    for (key, judged) in judged {
        let named = &judged.verdict.customers;
        let about = named.iter().any(|c| customers.contains(&c.id));
        if referrals.contains(&key.1) || about {
            all.push(one(tx, connection, &key, &judged.verdict).await?);
        }
    }
    Ok(all)
}

async fn one(
    tx: &mut Tx,
    connection: &ConnectionId,
    key: &VerdictKey,
    verdict: &Verdict,
) -> Result<Explained, StoreError> {
    let referral = std::slice::from_ref(&key.1);
    let of_referral = qualifications_of_referrals(tx, connection, referral).await?;
    let mine = of_referral.into_iter().filter(|q| q.campaign == key.0);
    let mut qualifications: Vec<Qualification> = mine.collect();
    in_force_last(&mut qualifications);
    let stored = get_verdict(tx, connection, &key.0, &key.1).await?;
    let stored = match stored {
        None => Some("no verdict is stored yet; it waits to be judged".to_owned()),
        Some(stored) if stored.verdict != *verdict => Some(format!(
            "{} (judged {}; it waits to be judged again)",
            sentence(&stored.verdict),
            stored.evaluated_at.words()
        )),
        Some(_) => None,
    };
    Ok(Explained {
        verdict: as_shown(verdict, qualifications.last()),
        stored,
        timeline: timeline::of(tx, connection, verdict, &qualifications).await?,
        qualifications,
    })
}
