//! Every value by which a customer can be found: emails, ids in metadata, coupons.
//! Which value is a match, and how strong, is decided by `matching`.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::{ConnectionId, CustomerId};

/// What kind of value finds a customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// A canonical email.
    Email,
    /// A folded email that is not the email itself: a hint, never an identity.
    FoldedEmail,
    /// The value of a metadata key.
    Metadata(String),
    /// A `client_reference_id`.
    Reference,
    /// A coupon used on a payment.
    Coupon,
    /// A discount whose coupon is not known yet.
    Discount,
    /// A promotion code whose coupon is not known yet.
    PromotionCode,
}

impl KeyKind {
    /// The stable name: `email`, `folded_email`, `meta:<key>`, …
    pub fn name(&self) -> String {
        match self {
            Self::Email => "email".to_owned(),
            Self::FoldedEmail => "folded_email".to_owned(),
            Self::Metadata(key) => format!("meta:{key}"),
            Self::Reference => "reference".to_owned(),
            Self::Coupon => "coupon".to_owned(),
            Self::Discount => "discount".to_owned(),
            Self::PromotionCode => "promotion_code".to_owned(),
        }
    }

    /// The keys of all customers whose email folds to this one: those who have it, and those who
    /// have another one.
    pub fn of_folded(folded: String) -> [(Self, String); 2] {
        [(Self::Email, folded.clone()), (Self::FoldedEmail, folded)]
    }

    /// Whether its values may be folded emails. A folded email folds to itself, so an email that
    /// is not folded equals none.
    pub const fn may_be_folded(&self) -> bool {
        matches!(self, Self::Email | Self::FoldedEmail)
    }

    /// Whether it says that a coupon was used, known or not yet known by its id.
    pub const fn is_of_coupons(&self) -> bool {
        matches!(self, Self::Coupon | Self::Discount | Self::PromotionCode)
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "email" => Self::Email,
            "folded_email" => Self::FoldedEmail,
            "reference" => Self::Reference,
            "coupon" => Self::Coupon,
            "discount" => Self::Discount,
            "promotion_code" => Self::PromotionCode,
            other => Self::Metadata(other.strip_prefix("meta:")?.to_owned()),
        })
    }
}

/// The keys of some customers, all of them for each.
pub type CustomerKeys = BTreeMap<CustomerId, BTreeSet<(KeyKind, String)>>;

#[derive(FromRow)]
struct Row {
    key_kind: String,
    key_value: String,
    customer_id: String,
}

/// The keys of some customers.
pub async fn load_customer_keys(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[CustomerId],
) -> Result<CustomerKeys, StoreError> {
    let rows: Vec<Row> = Statement::new(
        "SELECT key_kind, key_value, customer_id FROM customer_keys
         WHERE connection_id = $1 AND customer_id IN ({rows})",
    )
    .bind(connection)
    .list(customers)
    .fetch_all(tx)
    .await?;
    let mut keys = CustomerKeys::new();
    for row in rows {
        let kind = super::json::name("customer_keys", &row.key_kind, KeyKind::parse)?;
        keys.entry(CustomerId::new(row.customer_id))
            .or_default()
            .insert((kind, row.key_value));
    }
    Ok(keys)
}

/// The customers that some values lead to: (value, customer), sorted.
pub async fn find_customers(
    tx: &mut Tx,
    connection: &ConnectionId,
    kind: &KeyKind,
    values: &[String],
) -> Result<Vec<(String, CustomerId)>, StoreError> {
    let rows: Vec<(String, String)> = Statement::new(
        "SELECT key_value, customer_id FROM customer_keys
         WHERE connection_id = $1 AND key_kind = $2 AND key_value IN ({rows})",
    )
    .bind(connection)
    .bind(kind.name())
    .list(values)
    .fetch_all(tx)
    .await?;
    let found: BTreeSet<_> = rows
        .into_iter()
        .map(|(value, customer)| (value, CustomerId::new(customer)))
        .collect();
    Ok(found.into_iter().collect())
}

/// The customers that some keys of any kinds lead to, sorted: each key that leads to somebody
/// with whom it leads to.
pub async fn find_by_keys(
    tx: &mut Tx,
    connection: &ConnectionId,
    keys: &BTreeSet<(KeyKind, String)>,
) -> Result<BTreeSet<(KeyKind, String, CustomerId)>, StoreError> {
    let rows: Vec<Row> = Statement::new(
        "SELECT key_kind, key_value, customer_id FROM customer_keys
         WHERE connection_id = $1 AND (key_kind, key_value) IN ({rows})",
    )
    .bind(connection)
    .set(
        keys.iter()
            .map(|(kind, value)| [kind.name().into(), value.into()]),
    )
    .fetch_all(tx)
    .await?;
    let read = |row: Row| {
        let kind = super::json::name("customer_keys", &row.key_kind, KeyKind::parse)?;
        Ok((kind, row.key_value, CustomerId::new(row.customer_id)))
    };
    rows.into_iter().map(read).collect()
}

/// Adds keys to what is there. Keys are only ever added while facts are folded: facts grow,
/// and a key that no longer leads anywhere costs a look, never a verdict.
pub async fn add_customer_keys(
    tx: &mut Tx,
    connection: &ConnectionId,
    keys: &CustomerKeys,
) -> Result<(), StoreError> {
    let rows = keys.iter().flat_map(|(customer, keys)| {
        keys.iter().map(move |(kind, value)| {
            [
                connection.into(),
                kind.name().into(),
                value.into(),
                customer.into(),
            ]
        })
    });
    Statement::new(
        "INSERT INTO customer_keys (connection_id, key_kind, key_value, customer_id)
         {rows}
         ON CONFLICT (connection_id, key_kind, key_value, customer_id) DO NOTHING",
    )
    .rows(rows)
    .execute(tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_back_from_their_names() {
        let all = [
            KeyKind::Email,
            KeyKind::FoldedEmail,
            KeyKind::Metadata("fp_uid".to_owned()),
            KeyKind::Metadata("meta:email".to_owned()),
            KeyKind::Reference,
            KeyKind::Coupon,
            KeyKind::Discount,
            KeyKind::PromotionCode,
        ];
        for kind in all {
            assert_eq!(KeyKind::parse(&kind.name()), Some(kind));
        }
        assert_eq!(KeyKind::parse("phone"), None);
    }
}
