//! Which customers may belong to which referrals, and what follows: nearly always one customer
//! stands alone with its referrals and was rightly judged by itself; the others hang together
//! and are judged again, together.

use super::rows::NO_TAG;
use crate::domain::ids::CustomerId;

/// What one reader saw: persons with the referrals that may claim them.
#[derive(Debug, Default)]
pub struct Touches {
    ids: String,
    persons: Vec<(u32, usize)>,
    /// (person by position, referral).
    edges: Vec<(u32, u32)>,
}

impl Touches {
    /// Notes a person of a shard with the referrals that may claim it: at least one.
    pub fn add(&mut self, shard: usize, id: &CustomerId, referrals: &[u32]) {
        let person = u32::try_from(self.persons.len()).unwrap_or(u32::MAX);
        self.ids.push_str(id.as_str());
        let shard = u32::try_from(shard).unwrap_or(u32::MAX);
        self.persons.push((shard, self.ids.len()));
        self.edges
            .extend(referrals.iter().map(|referral| (person, *referral)));
    }

    fn person(&self, position: u32) -> Option<(usize, CustomerId)> {
        let position = usize::try_from(position).ok()?;
        let (shard, end) = *self.persons.get(position)?;
        let before = position.checked_sub(1).and_then(|at| self.persons.get(at));
        let id = self.ids.get(before.map_or(0, |(_, end)| *end)..end)?;
        Some((usize::try_from(shard).ok()?, CustomerId::from(id)))
    }

    /// The edges person by person.
    fn by_person(&self) -> impl Iterator<Item = &[(u32, u32)]> {
        self.edges.chunk_by(|a, b| a.0 == b.0)
    }
}

/// Referrals joined by the customers they may share.
#[derive(Debug)]
pub struct Components {
    /// Union-find over referrals.
    parent: Vec<u32>,
    /// How many persons a component has, at its root.
    persons: Vec<u32>,
}

/// Customers and referrals that have to be judged together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// (shard, customer).
    pub persons: Vec<(usize, CustomerId)>,
    /// The referrals.
    pub referrals: Vec<u32>,
}

impl Components {
    /// Joins what the readers saw.
    pub fn new(referrals: usize, touches: &[Touches]) -> Self {
        let all = u32::try_from(referrals).unwrap_or(u32::MAX);
        let mut joined = Self {
            parent: (0..all).collect(),
            persons: vec![0; referrals],
        };
        let each = || touches.iter().flat_map(Touches::by_person);
        for edges in each() {
            for pair in edges.windows(2) {
                if let [(_, a), (_, b)] = pair {
                    joined.join(*a, *b);
                }
            }
        }
        for edges in each() {
            if let Some((_, referral)) = edges.first() {
                let root = joined.root(*referral);
                if let Some(count) = at_mut(&mut joined.persons, root) {
                    *count = count.saturating_add(1);
                }
            }
        }
        joined
    }

    /// Whether a referral hangs together with more than one person.
    pub fn is_shared(&self, referral: u32) -> bool {
        at(&self.persons, self.root(referral)) > 1
    }

    /// Whether what was said of one customer alone, with this tag, was said too early.
    pub fn strikes_out(&self, tag: u32) -> bool {
        tag != NO_TAG && self.is_shared(tag)
    }

    /// The referrals that no customer has anything to do with.
    pub fn alone(&self) -> Vec<u32> {
        let all = 0..u32::try_from(self.parent.len()).unwrap_or(u32::MAX);
        all.filter(|referral| at(&self.persons, self.root(*referral)) == 0)
            .collect()
    }

    /// What has to be judged together.
    pub fn groups(&self, touches: &[Touches]) -> Vec<Group> {
        let mut edges = Vec::new();
        for (reader, touches) in touches.iter().enumerate() {
            let shared = touches.edges.iter().filter(|(_, r)| self.is_shared(*r));
            edges.extend(shared.map(|(person, r)| (self.root(*r), reader, *person, *r)));
        }
        edges.sort_unstable();
        let parts = edges.chunk_by(|a, b| a.0 == b.0);
        let groups = parts.map(|edges| {
            let persons = edges.chunk_by(|a, b| (a.1, a.2) == (b.1, b.2));
            let persons = persons.filter_map(|edges| {
                let (_, reader, person, _) = edges.first()?;
                touches.get(*reader)?.person(*person)
            });
            let mut referrals: Vec<u32> = edges.iter().map(|edge| edge.3).collect();
            referrals.sort_unstable();
            referrals.dedup();
            Group {
                persons: persons.collect(),
                referrals,
            }
        });
        groups.collect()
    }

    fn root(&self, referral: u32) -> u32 {
        let mut here = referral;
        loop {
            let up = at(&self.parent, here);
            if up == here {
                return here;
            }
            here = up;
        }
    }

    /// Joins two, the smaller number above, and shortens the way for those who ask later.
    fn join(&mut self, a: u32, b: u32) {
        let (root_a, root_b) = (self.root(a), self.root(b));
        let root = root_a.min(root_b);
        for from in [a, b, root_a, root_b] {
            if let Some(parent) = at_mut(&mut self.parent, from) {
                *parent = root;
            }
        }
    }
}

fn at(numbers: &[u32], position: u32) -> u32 {
    let position = usize::try_from(position).ok();
    position
        .and_then(|at| numbers.get(at))
        .copied()
        .unwrap_or(0)
}

fn at_mut(numbers: &mut [u32], position: u32) -> Option<&mut u32> {
    numbers.get_mut(usize::try_from(position).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_shares_a_referral_is_judged_together() {
        let (mut a, mut b) = (Touches::default(), Touches::default());
        let id = |text: &str| CustomerId::from(text);
        a.add(0, &id("cus_alone"), &[0]);
        a.add(0, &id("cus_x"), &[2, 3]);
        b.add(1, &id("cus_y"), &[3, 5]);
        b.add(2, &id("cus_z"), &[6, 5]);
        b.add(2, &id("cus_two"), &[7, 8]);
        let touches = [a, b];
        let joined = Components::new(9, &touches);
        let shared: Vec<u32> = (0..9).filter(|r| joined.is_shared(*r)).collect();
        assert_eq!(shared, [2, 3, 5, 6]);
        assert_eq!(joined.alone(), [1, 4]);
        let group = Group {
            persons: vec![(0, id("cus_x")), (1, id("cus_y")), (2, id("cus_z"))],
            referrals: vec![2, 3, 5, 6],
        };
        assert_eq!(joined.groups(&touches), [group]);
    }
}
