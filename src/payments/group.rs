//! Connected objects: which Stripe objects report the same money. A union-find over links;
//! objects that are only pointed to take part, so that a link through them is not lost.

use std::collections::HashMap;
use std::hash::Hash;

use crate::domain::fact::{ObjectKey, ObjectState};

/// A group's name: its smallest object key, so that the same members give the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(String);

impl GroupId {
    /// The name of a group with these members, `kind:id`.
    pub fn of<'a>(members: impl IntoIterator<Item = &'a ObjectKey>) -> Option<Self> {
        members
            .into_iter()
            .min()
            .map(|key| Self(format!("{}:{}", key.kind.name(), key.id)))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Joins objects by their links. Only kinds that are part of a payment take part.
///
/// Each group is sorted; groups come in the order of their first member. A key that is only
/// pointed to joins others but is not listed: nothing is known of it.
pub fn groups<'a>(
    objects: impl Iterator<Item = (&'a ObjectKey, &'a ObjectState)>,
) -> Vec<Vec<&'a ObjectKey>> {
    let known: Vec<(&ObjectKey, Vec<ObjectKey>)> = objects
        .filter(|(key, _)| key.kind.is_part_of_a_payment())
        .map(|(key, state)| (key, state.links()))
        .collect();
    let mut joined = Joined::default();
    for (key, links) in &known {
        let here = joined.node(*key);
        for link in links {
            let there = joined.node(link);
            joined.join(here, there);
        }
    }
    let mut members: HashMap<usize, Vec<&'a ObjectKey>> = HashMap::new();
    for (key, _) in &known {
        let node = joined.node(*key);
        members.entry(joined.root(node)).or_default().push(key);
    }
    let mut groups: Vec<_> = members.into_values().collect();
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort_unstable();
    groups
}

/// A union-find over any keys.
#[derive(Debug)]
pub struct Joined<K> {
    index: HashMap<K, usize>,
    parent: Vec<usize>,
}

impl<K> Default for Joined<K> {
    fn default() -> Self {
        Self {
            index: HashMap::new(),
            parent: Vec::new(),
        }
    }
}

impl<K: Hash + Eq> Joined<K> {
    /// The node of a key, made if it is new.
    pub fn node(&mut self, key: K) -> usize {
        let next = self.parent.len();
        let node = *self.index.entry(key).or_insert(next);
        if node == next {
            self.parent.push(next);
        }
        node
    }

    /// Says that two nodes belong together.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(parent) = self.parent.get_mut(a.max(b)) {
            *parent = a.min(b);
        }
    }

    /// The node that stands for everything joined with this one.
    pub fn root(&mut self, node: usize) -> usize {
        let mut here = node;
        while let Some(up) = self.parent.get(here).copied().filter(|up| *up != here) {
            let above = self.parent.get(up).copied().unwrap_or(up);
            if let Some(parent) = self.parent.get_mut(here) {
                *parent = above; // halve the path, so that long chains stay cheap
            }
            here = above;
        }
        here
    }
}
