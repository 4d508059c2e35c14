//! Who belongs to whom: the customers that referrals lead to, and the referrals that customers
//! lead to, with one query for each kind of key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::campaign::{Campaign, MatchKey};
use crate::domain::decision::{Decision, Subject};
use crate::domain::email::CanonicalEmail;
use crate::domain::fact::ObjectKind;
use crate::domain::ids::{ConnectionId, CustomerId, ReferralId};
use crate::domain::people::Referral;
use crate::store::customer_keys::{CustomerKeys, KeyKind, find_by_keys};
use crate::store::decisions::linking_decisions;
use crate::store::objects::known_objects;
use crate::store::referrals::{
    load_referrals, referrals_by_email, referrals_by_folded_email, referrals_by_stripe_customer,
    referrals_by_uid,
};
use crate::store::{StoreError, Tx};

/// Referrals by id.
pub(super) type Referrals = BTreeMap<ReferralId, Referral>;

/// The same referrals by id.
pub(super) fn by_id(referrals: Vec<Referral>) -> Referrals {
    let keyed = referrals.into_iter();
    keyed
        .map(|referral| (referral.id.clone(), referral))
        .collect()
}

/// Links and refusals that admins made by hand. They are few: each took a person.
pub(super) struct Links {
    /// The decisions themselves.
    pub(super) decisions: Vec<Decision>,
    by_referral: HashMap<ReferralId, Vec<CustomerId>>,
    by_customer: HashMap<CustomerId, Vec<ReferralId>>,
}

impl Links {
    pub(super) async fn load(tx: &mut Tx, connection: &ConnectionId) -> Result<Self, StoreError> {
        let decisions = linking_decisions(tx, connection).await?;
        let mut links = Self {
            decisions,
            by_referral: HashMap::new(),
            by_customer: HashMap::new(),
        };
        for decision in &links.decisions {
            if let Subject::Match { referral, customer } = &decision.subject {
                links
                    .by_referral
                    .entry(referral.clone())
                    .or_default()
                    .push(customer.clone());
                links
                    .by_customer
                    .entry(customer.clone())
                    .or_default()
                    .push(referral.clone());
            }
        }
        Ok(links)
    }

    /// Whether a decision names this customer.
    pub(super) fn name(&self, customer: &CustomerId) -> bool {
        self.by_customer.contains_key(customer)
    }
}

/// Looks for customers and referrals of one connection.
pub(super) struct Finder<'a> {
    pub(super) connection: &'a ConnectionId,
    pub(super) campaigns: &'a [Campaign],
    pub(super) links: &'a Links,
}

impl Finder<'_> {
    /// Every customer that any key of these referrals could match, in any campaign.
    pub(super) async fn customers_of(
        &self,
        tx: &mut Tx,
        referrals: impl Iterator<Item = &Referral>,
    ) -> Result<BTreeSet<CustomerId>, StoreError> {
        let uid_kinds = self.uid_kinds();
        let (mut keys, mut ids) = (BTreeSet::new(), BTreeSet::new());
        let mut found = BTreeSet::new();
        for referral in referrals {
            let email = referral.email.iter();
            keys.extend(email.map(|email| (KeyKind::Email, email.as_str().to_owned())));
            if let Some(uid) = &referral.uid {
                keys.extend(uid_kinds.iter().map(|kind| (kind.clone(), uid.clone())));
            }
            ids.extend(
                referral
                    .uid
                    .iter()
                    .chain(&referral.stripe_customer_id)
                    .cloned(),
            );
            let linked = self.links.by_referral.get(&referral.id);
            found.extend(linked.into_iter().flatten().cloned());
        }
        let by_key = find_by_keys(tx, self.connection, &keys).await?;
        found.extend(by_key.into_iter().map(|(_, _, customer)| customer));
        let ids: Vec<String> = ids.into_iter().collect();
        let there = known_objects(tx, self.connection, ObjectKind::Customer, &ids).await?;
        found.extend(there.into_iter().map(CustomerId::from));
        Ok(found)
    }

    /// Customers whose email differs from a referral's by tag or dots only: they match
    /// nobody by it, but an admin should see them.
    pub(super) async fn look_alikes_of(
        &self,
        tx: &mut Tx,
        referrals: impl Iterator<Item = &Referral>,
    ) -> Result<BTreeSet<CustomerId>, StoreError> {
        let keys: BTreeSet<(KeyKind, String)> = referrals
            .filter_map(|referral| referral.email.as_ref().map(CanonicalEmail::folded))
            .flat_map(KeyKind::of_folded)
            .collect();
        let found = find_by_keys(tx, self.connection, &keys).await?;
        Ok(found.into_iter().map(|(_, _, customer)| customer).collect())
    }

    /// The same seen from the other side: referrals whose email differs by tag or dots only
    /// from that of a customer with one of these keys.
    pub(super) async fn resembling(
        &self,
        tx: &mut Tx,
        keys: &CustomerKeys,
    ) -> Result<Referrals, StoreError> {
        let all = keys.values().flatten();
        let folded: BTreeSet<&String> = all
            .filter(|(kind, _)| kind.may_be_folded())
            .map(|(_, value)| value)
            .collect();
        let folded: Vec<String> = folded.into_iter().cloned().collect();
        let found = referrals_by_folded_email(tx, self.connection, &folded).await?;
        Ok(by_id(found))
    }

    /// Every registered referral that could claim one of these customers, whose keys these are.
    pub(super) async fn claimants_of(
        &self,
        tx: &mut Tx,
        customers: &BTreeSet<CustomerId>,
        keys: &CustomerKeys,
    ) -> Result<Referrals, StoreError> {
        let kinds = self.uid_kinds();
        let (mut emails, mut uids) = (BTreeSet::new(), BTreeSet::new());
        for (kind, value) in keys.values().flatten() {
            if *kind == KeyKind::Email {
                emails.insert(value.clone());
            } else if kinds.contains(kind) {
                uids.insert(value.clone());
            }
        }
        let stripe: Vec<String> = customers.iter().map(|id| id.as_str().to_owned()).collect();
        uids.extend(stripe.iter().cloned());
        let emails: Vec<String> = emails.into_iter().collect();
        let uids: Vec<String> = uids.into_iter().collect();
        let linked = customers
            .iter()
            .filter_map(|id| self.links.by_customer.get(id))
            .flatten();
        let linked: Vec<ReferralId> = linked.cloned().collect();
        let mut found = by_id(referrals_by_email(tx, self.connection, &emails).await?);
        found.extend(by_id(referrals_by_uid(tx, self.connection, &uids).await?));
        found.extend(by_id(
            referrals_by_stripe_customer(tx, self.connection, &stripe).await?,
        ));
        found.extend(by_id(load_referrals(tx, self.connection, &linked).await?));
        Ok(found)
    }

    /// The kinds of keys that are compared with a uid in any campaign: a handful.
    fn uid_kinds(&self) -> BTreeSet<KeyKind> {
        let matching = self.campaigns.iter().map(|campaign| &campaign.matching);
        let by_metadata = matching.filter(|m| m.keys.contains(&MatchKey::Metadata));
        let names = by_metadata.flat_map(|m| m.metadata.iter().cloned());
        names
            .map(KeyKind::Metadata)
            .chain([KeyKind::Reference])
            .collect()
    }
}
