//! Customers. Fields only; what they mean is in `normalize/`.

#![allow(missing_docs, reason = "the fields are Stripe's own, documented there")]

use serde::Deserialize;

use super::Discount;
use super::value::{Metadata, Reference, Scalar};
/// `customer`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Customer<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub deleted: Scalar<'a>,
    pub created: Scalar<'a>,
    pub email: Scalar<'a>,
    pub name: Scalar<'a>,
    /// The customer's own.
    pub discount: Reference<'a, Discount<'a>>,
    pub metadata: Metadata<'a>,
}
