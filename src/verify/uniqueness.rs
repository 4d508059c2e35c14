//! What may be there once only: a payment, an active qualification of a person. The database
//! guards most of this; here it is counted.

use std::collections::BTreeMap;

use super::Check;
use super::report::LISTED_MAX;
use crate::domain::ids::{CampaignId, ConnectionId};
use crate::payments::PaymentRecord;
use crate::store::payments::StoredPayment;
use crate::store::qualifications::{active_of_persons, persons_with_several};
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

/// Persons with more than one active qualification in a campaign.
pub(super) async fn persons(
    tx: &mut Tx,
    connection: &ConnectionId,
    check: &mut Check,
) -> Result<(), StoreError> {
    let (first, count) = persons_with_several(tx, connection, LISTED_MAX).await?;
    let mut several: BTreeMap<CampaignId, Vec<String>> = BTreeMap::new();
    for (campaign, person) in first {
        several.entry(campaign).or_default().push(person);
    }
    let mut named = 0;
    for (campaign, persons) in several {
        let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for one in active_of_persons(tx, connection, &campaign, &persons).await? {
            let of_person = ids.entry(one.person).or_default();
            of_person.push(one.id.as_str().to_owned());
        }
        for (person, mut ids) in ids {
            ids.sort_unstable();
            named += 1;
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
    check.found += count.saturating_sub(named);
    Ok(())
}
