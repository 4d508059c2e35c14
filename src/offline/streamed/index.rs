//! Which referrals may claim a customer, found by 64-bit hashes of their keys. It may find too
//! many (keys that a campaign does not use, equal hashes), never too few: who owns whom is
//! `matching`'s word alone.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use super::book::ReferralBook;
use crate::domain::campaign::{Campaign, MatchKey};
use crate::domain::decision::Decisions;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::ReferralId;
use crate::domain::payment::Customer;

/// The end of a chain.
const END: u32 = u32::MAX;

/// What kind of text a key is, so that an email never meets an id.
#[derive(Clone, Copy, Hash)]
enum Kind {
    Customer,
    Uid,
    Email,
}

/// Referrals by the hashes of their keys.
#[derive(Debug, Default)]
pub struct KeyIndex {
    metadata: BTreeSet<String>,
    first: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    /// (referral, the next entry of the same hash).
    entries: Vec<(u32, u32)>,
}

impl KeyIndex {
    /// Indexes all referrals by the keys that any of the campaigns uses.
    pub fn new<'c>(
        book: &ReferralBook,
        decisions: &Decisions,
        campaigns: impl Iterator<Item = &'c Campaign>,
    ) -> Self {
        let mut index = Self::default();
        let mut used: BTreeSet<MatchKey> = BTreeSet::new();
        for campaign in campaigns {
            used.extend(&campaign.matching.keys);
            let names = campaign.matching.metadata.iter().cloned();
            index.metadata.extend(names);
        }
        let in_use = |key: MatchKey| used.contains(&key);
        for number in book.numbers() {
            let Some(entry) = book.entry(number) else {
                continue;
            };
            if in_use(MatchKey::StripeId) {
                for id in entry.stripe_customer_id.iter().chain(&entry.uid) {
                    index.add(hash(Kind::Customer, id), number);
                }
            }
            if let Some(uid) = entry.uid.filter(|_| in_use(MatchKey::Metadata)) {
                index.add(hash(Kind::Uid, uid), number);
            }
            if let Some(email) = entry.email.filter(|_| in_use(MatchKey::Email)) {
                index.add(hash(Kind::Email, email), number);
            }
            if !decisions.is_empty() {
                for customer in decisions.links_of(&ReferralId::from(entry.id)) {
                    index.add(hash(Kind::Customer, customer.as_str()), number);
                }
            }
        }
        index
    }

    /// Adds the referrals that may claim a customer to `found`.
    pub fn claimants(&self, customer: &Customer, found: &mut Vec<u32>) {
        self.find(hash(Kind::Customer, customer.id.as_str()), found);
        let named = customer.metadata.iter();
        let named = named.filter(|(name, _)| self.metadata.contains(name));
        let uids = named.map(|(_, value)| value);
        for uid in uids.chain(&customer.client_references) {
            self.find(hash(Kind::Uid, uid), found);
        }
        for email in customer.emails.iter().map(CanonicalEmail::as_str) {
            self.find(hash(Kind::Email, email), found);
        }
    }

    fn add(&mut self, hash: u64, referral: u32) {
        let entry = u32::try_from(self.entries.len()).unwrap_or(END);
        let next = self.first.insert(hash, entry).unwrap_or(END);
        self.entries.push((referral, next));
    }

    fn find(&self, hash: u64, found: &mut Vec<u32>) {
        let mut next = self.first.get(&hash).copied().unwrap_or(END);
        while let Some((referral, after)) = usize::try_from(next)
            .ok()
            .and_then(|at| self.entries.get(at))
        {
            found.push(*referral);
            next = *after;
        }
    }
}

fn hash(kind: Kind, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, text).hash(&mut hasher);
    hasher.finish()
}

/// For keys that are hashes already.
#[derive(Debug, Default, Clone, Copy)]
pub struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
