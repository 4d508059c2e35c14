//! What is known of a Stripe customer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::merge::{Merge, Seen, greatest, smallest};
use crate::domain::time::Timestamp;

/// A Stripe customer as every event together shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomerState {
    /// The customer object's own `created`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The earliest sign of this customer on any event: stands in while `created` is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// The customer object's email, every value ever seen.
    #[serde(skip_serializing_if = "Seen::is_empty")]
    pub email: Seen,
    /// Emails that invoices and Checkout sessions gave for this customer.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub other_emails: BTreeSet<String>,
    /// The customer object's name, every value ever seen.
    #[serde(skip_serializing_if = "Seen::is_empty")]
    pub name: Seen,
    /// The customer object's metadata, every value ever seen, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Seen>,
    /// `client_reference_id` of Checkout sessions of this customer.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub client_references: BTreeSet<String>,
    /// Final once seen.
    pub deleted: bool,
}

impl Merge for CustomerState {
    fn merge(&mut self, other: Self) {
        smallest(&mut self.created, other.created);
        smallest(&mut self.first_seen, other.first_seen);
        self.email.merge(other.email);
        self.other_emails.merge(other.other_emails);
        self.name.merge(other.name);
        for (key, seen) in other.metadata {
            self.metadata.entry(key).or_default().merge(seen);
        }
        self.client_references.merge(other.client_references);
        greatest(&mut self.deleted, other.deleted);
    }
}

impl CustomerState {
    /// Every email ever seen on this customer, as written.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        self.email
            .values()
            .chain(self.other_emails.iter().map(String::as_str))
    }
}
