//! What may be there once only: a payment, an active qualification of a person. The database
//! guards most of this; here it is counted.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use super::Check;
use crate::domain::ids::{CampaignId, ConnectionId};
use crate::payments::PaymentRecord;
use crate::store::payments::StoredPayment;
use crate::store::qualifications::{Qualification, active_of_persons};
use crate::store::{StoreError, Tx};

/// Payments, each in one group.
pub(super) fn payments(payments: &[StoredPayment], check: &mut Check) {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for stored in payments {
        check.looked_at += 1;
        // One that does not read back is told by the check of payments.
        let record: Option<PaymentRecord> = serde_json::from_str(&stored.record).ok();
        if let Some(payment) = record.and_then(|record| record.payment) {
            let id = payment.id.as_str().to_owned();
            groups.entry(id).or_default().push(&stored.group_id);
        }
    }
    for (payment, groups) in groups.into_iter().filter(|(_, g)| g.len() > 1) {
        check.differs(
            format!("payments {payment}"),
            format!(
                "it is counted in {} groups: {}",
                groups.len(),
                groups.join(", ")
            ),
            "run `qualify replay --state done`: payments are derived again",
        );
    }
}

/// The persons with an active qualification, a few bytes each, and those that may have two.
#[derive(Debug, Default)]
pub(super) struct Persons {
    hasher: RandomState,
    seen: HashSet<u64>,
    again: BTreeSet<(CampaignId, String)>,
}

impl Persons {
    /// Adds one that is stored.
    pub(super) fn take(&mut self, one: &Qualification) {
        let person = (&one.campaign, &one.person);
        if one.state.is_active() && !self.seen.insert(self.hasher.hash_one(person)) {
            self.again
                .insert((one.campaign.clone(), one.person.clone()));
        }
    }

    /// Looks at the persons that came again: each once, in order.
    pub(super) async fn check(
        self,
        tx: &mut Tx,
        connection: &ConnectionId,
        check: &mut Check,
    ) -> Result<(), StoreError> {
        let mut again: BTreeMap<CampaignId, Vec<String>> = BTreeMap::new();
        for (campaign, person) in self.again {
            again.entry(campaign).or_default().push(person);
        }
        for (campaign, persons) in again {
            let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for one in active_of_persons(tx, connection, &campaign, &persons).await? {
                let of_person = ids.entry(one.person).or_default();
                of_person.push(one.id.as_str().to_owned());
            }
            for (person, mut ids) in ids.into_iter().filter(|(_, ids)| ids.len() > 1) {
                ids.sort_unstable();
                check.differs(
                    format!("qualifications {campaign} {person}"),
                    format!(
                        "one person has {} active ones: {}",
                        ids.len(),
                        ids.join(", ")
                    ),
                    "restore the unique index `qualifications_one_per_person`, and withdraw all but one",
                );
            }
        }
        Ok(())
    }
}
