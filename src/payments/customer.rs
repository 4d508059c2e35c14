//! A customer with its payments, ready to be matched and judged.

use std::collections::BTreeSet;

use super::coupons::CouponBook;
use super::presume::presume;
use super::record::PaymentRecord;
use crate::domain::email::CanonicalEmail;
use crate::domain::fact::CustomerState;
use crate::domain::ids::CustomerId;
use crate::domain::payment::{Customer, Payment};

/// Gathers what is known of one customer. `records` are those whose owner it is, in any
/// order; `state` is missing for guests and for customers that no event has shown yet.
pub fn assemble(
    id: &CustomerId,
    state: Option<&CustomerState>,
    mut records: Vec<PaymentRecord>,
    coupons: &CouponBook<'_>,
) -> Customer {
    let mut emails: BTreeSet<CanonicalEmail> = records
        .iter()
        .flat_map(|record| record.guest_emails.iter().cloned())
        .collect();
    presume(&mut records);
    let mut payments: Vec<Payment> = records
        .iter_mut()
        .filter_map(|record| {
            let mut payment = record.payment.take()?;
            payment.coupons = coupons.resolve(id, record, payment.occurred_at);
            Some(payment)
        })
        .collect();
    payments.sort_unstable_by(|a, b| (a.occurred_at, &a.id).cmp(&(b.occurred_at, &b.id)));
    let first_payment = payments.first().map(|payment| payment.occurred_at);
    let Some(state) = state else {
        return Customer {
            id: id.clone(),
            created: first_payment,
            emails: emails.into_iter().collect(),
            metadata: Vec::new(),
            client_references: Vec::new(),
            deleted: false,
            payments,
        };
    };
    emails.extend(state.emails().filter_map(CanonicalEmail::parse));
    let metadata = state.metadata.iter().flat_map(|(key, seen)| {
        seen.values()
            .map(move |value| (key.clone(), value.to_owned()))
    });
    Customer {
        id: id.clone(),
        created: state.created.or(state.first_seen).or(first_payment),
        emails: emails.into_iter().collect(),
        metadata: metadata.collect(),
        client_references: state.client_references.iter().cloned().collect(),
        deleted: state.deleted,
        payments,
    }
}
