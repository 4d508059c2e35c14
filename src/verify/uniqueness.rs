//! What may be there once only: a payment, an active qualification of a person. The database
//! guards most of this; here it is counted.

use std::collections::BTreeMap;

use super::Check;
use super::people::People;
use crate::payments::PaymentRecord;
use crate::store::payments::StoredPayment;
use crate::store::qualifications::QualificationState;

pub(super) fn check(payments: &[StoredPayment], people: &People) -> Check {
    let mut check = Check::new("uniqueness");
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
    let mut persons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for one in people.qualifications.values().flatten() {
        check.looked_at += 1;
        if matches!(
            one.state,
            QualificationState::Queued | QualificationState::Settled
        ) {
            let person = (one.campaign.as_str(), one.person.as_str());
            persons.entry(person).or_default().push(one.id.as_str());
        }
    }
    for ((campaign, person), ids) in persons.into_iter().filter(|(_, ids)| ids.len() > 1) {
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
    check
}
