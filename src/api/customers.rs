//! `/customers`: who pays, referred or not: what is known of them, what they spent, and which
//! referrals name them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::answer::{Answer, List, ok};
use super::caller::Caller;
use super::document::operation::{Operation, Resource, Takes};
use super::params::{Page, Params, bad_cursor};
use super::payments;
use super::referral_view::{self, present};
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::domain::currency::Currency;
use crate::domain::email::CanonicalEmail;
use crate::domain::fact::{CustomerState, ObjectState};
use crate::domain::ids::{ConnectionId, CustomerId};
use crate::domain::money::Money;
use crate::domain::payment::{Customer, Outcome};
use crate::domain::time::Timestamp;
use crate::queue::customers::load_customers;
use crate::store::customer_keys::{KeyKind, find_customers};
use crate::store::objects::customer_page;
use crate::store::payments::payment_page_of;
use crate::store::verdicts::{load_verdicts, verdicts_of_customers};
use crate::store::{StoreError, Tx};

/// Payments shown with a customer.
const PAYMENTS_MAX: u32 = 25;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_CUSTOMERS, list)
        .on(routes::API_CUSTOMER, one)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "customers",
        says: "Stripe's customers, and guests who paid without one (`guest:<email>`).",
        operations: vec![
            Operation::new(routes::API_CUSTOMERS, "list_customers", "List customers")
                .says("Stripe's customers in order of id. By email, guests are among them, and everybody who ever had that address.")
                .filter("email", Takes::Text, "Who has, or had, this email address.")
                .filter("id", Takes::Text, "Of this id.")
                .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(routes::API_CUSTOMER, "get_customer", "Get a customer")
                .answers::<Detail>(200, "The customer, with spend, payments and referrals."),
        ],
    }
}

/// A customer as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Customer")]
struct Shown {
    id: CustomerId,
    /// At Stripe; the first sign of it while that is unknown.
    created: Option<Timestamp>,
    /// Every address it ever had, canonical.
    emails: Vec<CanonicalEmail>,
    /// Whether Stripe says that it was deleted.
    deleted: bool,
}

/// A customer with spend, payments and referrals.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerDetail")]
struct Detail {
    #[serde(flatten)]
    shown: Shown,
    /// Every value its metadata ever had.
    metadata: Vec<Metadata>,
    /// `client_reference_id` of its Checkout sessions.
    client_references: Vec<String>,
    /// Currency by currency.
    spend: Vec<Spent>,
    /// The first 25; the others are under `/api/v1/payments?customer=…`.
    payments: List<payments::Shown>,
    /// Referrals that name it, as far as they are judged.
    referrals: Vec<referral_view::Shown>,
}

/// One value of a customer's metadata.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerMetadata")]
struct Metadata {
    key: String,
    value: String,
}

/// What a customer spent in one currency.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerSpend")]
struct Spent {
    /// How many payments were paid.
    payments: u64,
    /// Through Stripe, before refunds.
    paid: Money,
    /// Given back.
    refunded: Money,
    /// Held or taken by disputes.
    disputed: Money,
    /// What is left.
    kept: Money,
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["email", "id"])?;
    let mut tx = api.app.db.read().await?;
    let connection = &caller.connection;
    let after: Option<CustomerId> = page.after.as_deref().map(CustomerId::from);
    if let Some(after) = &after {
        let there = load_customers(&mut tx, connection, std::slice::from_ref(after)).await?;
        there.first().ok_or_else(bad_cursor)?;
    }
    let named = match (params.text("email"), params.id::<CustomerId>("id")) {
        (None, None) => {
            let rows = customer_page(&mut tx, connection, after.as_ref(), page.rows()).await?;
            let rows = rows.into_iter().map(|row| {
                let id = CustomerId::from(row.key.id);
                brief(id, &row.state)
            });
            return ok(&List::cut(rows.collect(), &page));
        }
        (None, Some(id)) => vec![id],
        (Some(email), id) => {
            let mut found = of_email(&mut tx, connection, email).await?;
            found.retain(|one| id.as_ref().is_none_or(|id| id == one));
            found
        }
    };
    let named = behind(named, after.as_ref(), &page);
    let found = load_customers(&mut tx, connection, &named).await?;
    ok(&List::cut(found.iter().map(of_customer).collect(), &page))
}

/// Who has an email, in order of id.
async fn of_email(
    tx: &mut Tx,
    connection: &ConnectionId,
    email: &str,
) -> Result<Vec<CustomerId>, StoreError> {
    let emails: Vec<String> = CanonicalEmail::parse(email)
        .iter()
        .map(|email| email.as_str().to_owned())
        .collect();
    let found = find_customers(tx, connection, &KeyKind::Email, &emails).await?;
    Ok(found.into_iter().map(|(_, customer)| customer).collect())
}

/// As many of these ids as a page has, and one.
fn behind(ids: Vec<CustomerId>, after: Option<&CustomerId>, page: &Page) -> Vec<CustomerId> {
    let rows = usize::try_from(page.rows()).unwrap_or(usize::MAX);
    let behind = |id: &CustomerId| after.is_none_or(|after| id > after);
    ids.into_iter().filter(behind).take(rows).collect()
}

fn brief(id: CustomerId, state: &ObjectState) -> Shown {
    let unknown = CustomerState::default();
    let state = match state {
        ObjectState::Customer(state) => state,
        _ => &unknown,
    };
    let mut emails: Vec<_> = state.emails().filter_map(CanonicalEmail::parse).collect();
    emails.sort();
    emails.dedup();
    Shown {
        id,
        created: state.created.or(state.first_seen),
        emails,
        deleted: state.deleted,
    }
}

fn of_customer(customer: &Customer) -> Shown {
    Shown {
        id: customer.id.clone(),
        created: customer.created,
        emails: customer.emails.clone(),
        deleted: customer.deleted,
    }
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let (id, connection) = ([CustomerId::from(id)], &caller.connection);
    let mut tx = api.app.db.read().await?;
    let found = load_customers(&mut tx, connection, &id).await?;
    let customer = found.into_iter().next();
    let customer = customer.ok_or_else(|| not_found("customer"))?;
    let of = &customer.id;
    let rows = payment_page_of(&mut tx, connection, of, None, PAYMENTS_MAX + 1).await?;
    let rows = rows
        .into_iter()
        .map(|row| payments::shown(row).map(|(shown, _)| shown));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let first = Page {
        limit: PAYMENTS_MAX,
        after: None,
    };
    let verdicts = verdicts_of_customers(&mut tx, connection, &id).await?;
    let verdicts = load_verdicts(&mut tx, connection, &verdicts).await?;
    ok(&Detail {
        shown: of_customer(&customer),
        spend: spend(&customer),
        payments: List::cut(rows, &first),
        referrals: present(&mut tx, connection, verdicts).await?,
        metadata: customer
            .metadata
            .into_iter()
            .map(|(key, value)| Metadata { key, value })
            .collect(),
        client_references: customer.client_references,
    })
}

/// What was paid and what is left of it, currency by currency.
fn spend(customer: &Customer) -> Vec<Spent> {
    let mut sums: BTreeMap<Currency, Spent> = BTreeMap::new();
    let paid = customer.payments.iter();
    for payment in paid.filter(|payment| payment.outcome == Outcome::Paid) {
        let nothing = Money::new(0, payment.currency);
        let sum = sums.entry(payment.currency).or_insert(Spent {
            payments: 0,
            paid: nothing,
            refunded: nothing,
            disputed: nothing,
            kept: nothing,
        });
        let add = |to: &mut Money, minor: i64| to.minor = to.minor.saturating_add(minor);
        let disputed = payment.dispute_held.saturating_add(payment.dispute_lost);
        let taken = payment.refunded.saturating_add(disputed);
        sum.payments = sum.payments.saturating_add(1);
        add(&mut sum.paid, payment.amount);
        add(&mut sum.refunded, payment.refunded);
        add(&mut sum.disputed, disputed);
        add(&mut sum.kept, payment.amount.saturating_sub(taken));
    }
    sums.into_values().collect()
}
