//! Customers: created, what they are called and were called, deleted.

use std::collections::BTreeMap;

use super::reader::{Outcome, Path, Reader, filled, flag, id, metadata, time};
use crate::domain::fact::{CustomerState, ObjectState, Seen};
use crate::domain::ids::CustomerId;
use crate::stripe::wire::{Customer, Reference, Scalar};

impl Reader<'_> {
    /// A customer object, also in its short form `{id, deleted: true}`.
    pub fn customer(&mut self, wire: &Customer<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(None);
        };
        let created = time(&wire.created, &path.field("created"))?;
        let deleted = flag(&wire.deleted, &path.field("deleted"))? == Some(true)
            || (path.is_root() && self.event_type == "customer.deleted");
        let mut values = BTreeMap::<String, Seen>::new();
        for (key, value) in metadata(&wire.metadata, &path.field("metadata"))? {
            values.insert(key, Seen::once(value, self.stamp.clone()));
        }
        let state = CustomerState {
            created,
            first_seen: Some(created.unwrap_or(self.at())),
            email: self.shown(&wire.email, deleted, &path.field("email"))?,
            name: self.shown(&wire.name, deleted, &path.field("name"))?,
            metadata: values,
            deleted,
            ..CustomerState::default()
        };
        self.own_discount(&wire.discount, &path.field("discount"))?;
        self.push(id.as_str(), ObjectState::Customer(state));
        Ok(Some(id))
    }

    /// A text field whose blank says something too, unless the object is a mere stump.
    fn shown(&self, value: &Scalar<'_>, deleted: bool, path: &Path<'_>) -> Outcome<Seen> {
        Ok(match filled(value, path)? {
            None if deleted => Seen::default(),
            text => Seen::once(text.unwrap_or_default(), self.stamp.clone()),
        })
    }

    /// The customer behind a reference.
    pub fn customer_of(
        &mut self,
        reference: &Reference<'_, Customer<'_>>,
        path: &Path<'_>,
    ) -> Outcome<Option<CustomerId>> {
        let id = self.refer(reference, &path.field("customer"), Self::customer)?;
        Ok(id.map(CustomerId::from))
    }
}
