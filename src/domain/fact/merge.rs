//! The few ways in which two sightings of one field become one value.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;

/// When something was said: Stripe's `created`, then the event's id. A total order; its
/// first part has one-second resolution and is no proof of order within a second.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// The event's `created`.
    pub at: Timestamp,
    /// The event's id.
    pub event: EventId,
}

/// Commutative, associative, idempotent.
pub trait Merge {
    /// Takes over what the other sighting says.
    fn merge(&mut self, other: Self);
}

impl<T: Ord> Merge for BTreeSet<T> {
    fn merge(&mut self, other: Self) {
        self.extend(other);
    }
}

/// Keeps the greater: statuses in their monotone order, cumulative amounts, flags.
pub fn greatest<T: Ord>(mine: &mut T, other: T) {
    if other > *mine {
        *mine = other;
    }
}

/// Keeps the smaller of those that are known: creation times, and ids that never change
/// (the smaller one only so that contradicting sightings still fold to one value).
pub fn smallest<T: Ord>(mine: &mut Option<T>, other: Option<T>) {
    match (mine.as_ref(), other) {
        (Some(a), Some(b)) if b < *a => *mine = Some(b),
        (None, Some(b)) => *mine = Some(b),
        _ => {}
    }
}

/// Every value seen of a text field, with the latest stamp each was seen at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seen(BTreeMap<String, Stamp>);

impl Seen {
    /// One sighting; an empty text says that the field was blank.
    pub fn once(value: impl Into<String>, stamp: Stamp) -> Self {
        Self(BTreeMap::from([(value.into(), stamp)]))
    }

    /// The value with the greatest stamp; `None` if that is blank or nothing was seen.
    pub fn current(&self) -> Option<&str> {
        let newest = self
            .0
            .iter()
            .max_by(|a, b| a.1.cmp(b.1).then_with(|| a.0.cmp(b.0)));
        newest
            .map(|(value, _)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Every value that was not blank, in order of text.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0
            .keys()
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Merge for Seen {
    fn merge(&mut self, other: Self) {
        for (value, stamp) in other.0 {
            match self.0.get_mut(&value) {
                Some(mine) => greatest(mine, stamp),
                None => {
                    self.0.insert(value, stamp);
                }
            }
        }
    }
}

/// A value that belongs to a status: the furthest status speaks, then the latest stamp,
/// then (only so that contradictions fold to one) the greater value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ranked<R, T> {
    /// How far the object was when it said this.
    pub rank: R,
    /// When it said it.
    pub stamp: Stamp,
    /// What it said.
    pub value: T,
}

impl<R: Ord, T: Ord> Merge for Option<Ranked<R, T>> {
    fn merge(&mut self, other: Self) {
        if other > *self {
            *self = other;
        }
    }
}
