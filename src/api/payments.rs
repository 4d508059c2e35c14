//! `/payments`: money that moved or was tried, each once whatever objects report it, with the
//! Stripe objects it was read from.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::answer::{Answer, List, ok};
use super::caller::Caller;
use super::document::names;
use super::document::operation::{Operation, Resource, Takes};
use super::params::{Params, bad_cursor};
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::domain::currency::Currency;
use crate::domain::fact::{DisputeStatus, ObjectKey, ObjectKind, ObjectState, RefundStatus};
use crate::domain::ids::{ConnectionId, CouponId, CustomerId, PaymentId};
use crate::domain::money::Money;
use crate::domain::payment::{Level, Outcome, Payment};
use crate::domain::time::Timestamp;
use crate::payments::PaymentRecord;
use crate::store::json::from_json;
use crate::store::objects::{StoredObject, load_groups, load_objects};
use crate::store::payments::{StoredPayment, load_payment_groups, payment_page, payment_page_of};
use crate::store::{StoreError, Tx};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_PAYMENTS, list)
        .on(routes::API_PAYMENT, one)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "payments",
        says: "Money that moved or was tried: each payment once, whichever of charge, payment intent, invoice and Checkout session report it.",
        operations: vec![
            Operation::new(routes::API_PAYMENTS, "list_payments", "List payments")
                .says("In order of id.")
                .filter(
                    "customer",
                    Takes::Text,
                    "Of this customer, `cus_…` or `guest:<email>`.",
                )
                .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(routes::API_PAYMENT, "get_payment", "Get a payment")
                .says("By its id, or by the id of any Stripe object that is part of it.")
                .answers::<Detail>(200, "The payment, with what it was read from."),
        ],
    }
}

/// A payment as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Payment")]
pub(super) struct Shown {
    /// `<kind>:<id>` of the first Stripe object that is part of it.
    id: String,
    customer: Option<CustomerId>,
    /// None while nothing was paid or tried.
    money: Option<Moved>,
}

/// What moved.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PaymentMoney")]
struct Moved {
    /// The Stripe object that stands for it, as verdicts name it.
    payment: PaymentId,
    outcome: Outcome,
    /// When it moved, by Stripe's clock.
    occurred_at: Timestamp,
    /// Which kind of object gave the amount.
    read_from: Level,
    /// Paid through Stripe, before refunds.
    paid: Money,
    /// Paid outside Stripe, on the same invoice.
    out_of_band: Money,
    /// Refunded, with what is still on its way.
    refunded: Money,
    /// The part of `refunded` that is still on its way.
    refund_pending: Money,
    /// Held by an open dispute.
    dispute_held: Money,
    /// Taken by a dispute.
    dispute_lost: Money,
    /// Coupon ids that its objects name.
    coupons: Vec<CouponId>,
}

/// A payment with what it was read from.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PaymentDetail")]
struct Detail {
    #[serde(flatten)]
    shown: Shown,
    /// Every Stripe object that is part of it.
    objects: Vec<Part>,
    refunds: Vec<Refund>,
    disputes: Vec<Dispute>,
    invoice: Option<Invoice>,
}

/// A Stripe object that is part of a payment.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PaymentObject")]
struct Part {
    #[schemars(with = "names::ObjectKind")]
    kind: &'static str,
    id: String,
}

/// A refund of a payment.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Refund")]
struct Refund {
    id: String,
    state: RefundStatus,
    amount: Option<Money>,
    created: Option<Timestamp>,
}

/// A dispute over a payment.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Dispute")]
struct Dispute {
    id: String,
    state: DisputeStatus,
    amount: Option<Money>,
    created: Option<Timestamp>,
}

/// What a payment's invoice asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PaymentInvoice")]
struct Invoice {
    id: String,
    total: Money,
    /// Without tax and shipping.
    net: Money,
}

impl Moved {
    fn of(payment: &Payment, coupons: Vec<CouponId>) -> Self {
        let money = |minor| Money::new(minor, payment.currency);
        Self {
            payment: payment.id.clone(),
            outcome: payment.outcome,
            occurred_at: payment.occurred_at,
            read_from: payment.level,
            paid: money(payment.amount),
            out_of_band: money(payment.out_of_band),
            refunded: money(payment.refunded),
            refund_pending: money(payment.refund_pending),
            dispute_held: money(payment.dispute_held),
            dispute_lost: money(payment.dispute_lost),
            coupons,
        }
    }
}

/// Payments as they are answered, each with its record.
pub(super) fn shown(stored: StoredPayment) -> Result<(Shown, PaymentRecord), StoreError> {
    let record: PaymentRecord = from_json("payments", &stored.record)?;
    let coupons = record.coupons.iter().cloned().collect();
    let payment = record.payment.as_ref();
    let shown = Shown {
        id: stored.group_id,
        customer: stored.customer_id.map(CustomerId::from),
        money: payment.map(|payment| Moved::of(payment, coupons)),
    };
    Ok((shown, record))
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["customer"])?;
    let customer: Option<CustomerId> = params.id("customer");
    let (connection, after) = (&caller.connection, page.after.as_deref());
    let mut tx = api.app.db.read().await?;
    if let Some(after) = after {
        let there = load_payment_groups(&mut tx, connection, &[after.to_owned()]).await?;
        there.first().ok_or_else(bad_cursor)?;
    }
    let rows = match &customer {
        Some(of) => payment_page_of(&mut tx, connection, of, after, page.rows()).await?,
        None => payment_page(&mut tx, connection, after, page.rows()).await?,
    };
    let rows = rows
        .into_iter()
        .map(|row| shown(row).map(|(shown, _)| shown));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    ok(&List::cut(rows, &page))
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let missing = || not_found("payment");
    let mut tx = api.app.db.read().await?;
    let found = find(&mut tx, &caller.connection, &id).await?;
    let (shown, record) = shown(found.ok_or_else(missing)?)?;
    let group = [shown.id.clone()];
    let mut objects = load_groups(&mut tx, &caller.connection, &group).await?;
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    ok(&detail(shown, &record, objects))
}

/// The payment of a group, or of an object that is part of one.
async fn find(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &str,
) -> Result<Option<StoredPayment>, StoreError> {
    let found = load_payment_groups(tx, connection, &[id.to_owned()]).await?;
    if let Some(found) = found.into_iter().next() {
        return Ok(Some(found));
    }
    let kinds = ObjectKind::ALL.into_iter();
    let kinds = kinds.filter(|kind| kind.is_part_of_a_payment());
    // The meeting point of a subscription has the subscription's id, which is no payment's.
    let kinds = kinds.filter(|kind| *kind != ObjectKind::FirstInvoice);
    let keys: Vec<ObjectKey> = kinds.map(|kind| ObjectKey::new(kind, id)).collect();
    let parts = load_objects(tx, connection, &keys).await?;
    let groups: Vec<String> = parts.into_iter().filter_map(|part| part.group).collect();
    let found = load_payment_groups(tx, connection, &groups).await?;
    Ok(found.into_iter().next())
}

fn detail(shown: Shown, record: &PaymentRecord, objects: Vec<StoredObject>) -> Detail {
    let payment = record.payment.as_ref();
    let currency = payment.map(|payment| payment.currency);
    let invoice = payment.and_then(|payment| payment.invoice.as_deref());
    let invoice = invoice.zip(currency).map(|(invoice, currency)| Invoice {
        id: invoice.id.clone(),
        total: Money::new(invoice.total, currency),
        net: Money::new(invoice.net, currency),
    });
    let money = |minor, own: Option<Currency>| Some(Money::new(minor, own.or(currency)?));
    let (mut parts, mut refunds, mut disputes) = (Vec::new(), Vec::new(), Vec::new());
    for object in objects {
        let ObjectKey { kind, id } = object.key;
        match object.state {
            // It has no object of its own at Stripe.
            ObjectState::FirstInvoice => continue,
            ObjectState::Refund(refund) => refunds.push(Refund {
                id: id.clone(),
                state: refund.status,
                amount: money(refund.amount, refund.currency),
                created: refund.created,
            }),
            ObjectState::Dispute(dispute) => disputes.push(Dispute {
                id: id.clone(),
                state: dispute.status,
                amount: money(dispute.amount, dispute.currency),
                created: dispute.created,
            }),
            _ => {}
        }
        let kind = kind.name();
        parts.push(Part { kind, id });
    }
    Detail {
        shown,
        objects: parts,
        refunds,
        disputes,
        invoice,
    }
}
