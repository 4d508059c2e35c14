//! Presumed links. Since API 2025-03-31 an invoice may carry no link to the charge or payment
//! intent that paid it; counting both would count the money twice. (semantics.md, "Money")

use super::record::PaymentRecord;
use crate::domain::ids::PaymentId;
use crate::domain::payment::{Outcome, Payment};

/// Two objects further apart than this are not presumed to be the same money.
const PRESUMED_WITHIN_SECONDS: i64 = 86_400;

/// Joins invoices without any link to payments without any invoice: same currency and amount
/// within 24 hours, nearest in time first. All records must be of one customer.
pub fn presume(records: &mut Vec<PaymentRecord>) {
    let mut joined = vec![false; records.len()];
    let mut gone = Vec::new();
    for (i, m) in candidates(records) {
        if joined.get(i).copied().unwrap_or(true) || joined.get(m).copied().unwrap_or(true) {
            continue;
        }
        for index in [i, m] {
            if let Some(flag) = joined.get_mut(index) {
                *flag = true;
            }
        }
        let invoice = records.get_mut(i).map(std::mem::take);
        if let (Some(money), Some(invoice)) = (records.get_mut(m), invoice) {
            take_over(money, invoice);
            gone.push(i);
        }
    }
    if !gone.is_empty() {
        gone.sort_unstable();
        let mut index = 0..;
        records.retain(|_| {
            index
                .next()
                .is_some_and(|i| gone.binary_search(&i).is_err())
        });
    }
}

/// Pairs (invoice, money) of record positions, nearest in time first, then by ids.
/// Only neighbours in time are compared, so that ten thousand payments stay cheap.
fn candidates(records: &[PaymentRecord]) -> Vec<(usize, usize)> {
    let bare = |wanted: fn(&PaymentRecord) -> bool| {
        let chosen = records
            .iter()
            .enumerate()
            .filter(move |(_, record)| wanted(record));
        chosen.filter_map(|(index, record)| record.payment.as_ref().map(|p| (index, p)))
    };
    let mut money: Vec<_> = bare(is_bare_money).collect();
    let order = |p: &Payment| (p.currency, p.amount, p.occurred_at);
    money.sort_unstable_by_key(|(_, p)| order(p));
    let mut pairs = Vec::new();
    for (i, invoice) in bare(is_bare_invoice) {
        let near = |seconds| {
            (
                invoice.currency,
                invoice.amount,
                invoice.occurred_at.plus_seconds(seconds),
            )
        };
        let from = money.partition_point(|(_, p)| order(p) < near(-PRESUMED_WITHIN_SECONDS));
        let to = money.partition_point(|(_, p)| order(p) <= near(PRESUMED_WITHIN_SECONDS));
        for (m, payment) in money.get(from..to).unwrap_or_default() {
            let apart = invoice
                .occurred_at
                .unix()
                .abs_diff(payment.occurred_at.unix());
            let rank: (u64, &PaymentId, &PaymentId) = (apart, &invoice.id, &payment.id);
            pairs.push((rank, i, *m));
        }
    }
    pairs.sort_unstable();
    pairs.into_iter().map(|(_, i, m)| (i, m)).collect()
}

fn paid(record: &PaymentRecord) -> Option<&Payment> {
    record
        .payment
        .as_ref()
        .filter(|p| p.outcome == Outcome::Paid && p.amount > 0)
}

fn is_bare_invoice(record: &PaymentRecord) -> bool {
    record.has_invoice && !record.has_money_object && paid(record).is_some()
}

fn is_bare_money(record: &PaymentRecord) -> bool {
    record.has_money_object && !record.has_invoice && paid(record).is_some()
}

fn take_over(money: &mut PaymentRecord, invoice: PaymentRecord) {
    money.coupons.extend(invoice.coupons);
    money.promotion_codes.extend(invoice.promotion_codes);
    money.discounts.extend(invoice.discounts);
    money.subscriptions.extend(invoice.subscriptions);
    money.client_references.extend(invoice.client_references);
    money.has_invoice = true;
    if let (Some(mine), Some(theirs)) = (&mut money.payment, invoice.payment) {
        mine.presumed_link = true;
        mine.invoice = theirs.invoice;
        // A credit note refunds the invoice it knows; that is the same money as well.
        let refunded = mine.refunded.max(theirs.refunded);
        mine.refund_pending = mine.refund_pending.max(theirs.refund_pending).min(refunded);
        mine.refunded = refunded;
        mine.out_of_band = mine.out_of_band.saturating_add(theirs.out_of_band);
    }
}
