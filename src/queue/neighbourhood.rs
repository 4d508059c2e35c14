//! Loads the closed part of the world around what is to be judged, with a handful of
//! set-based queries: targets, their customers, whoever else claims those, and everything
//! that payments of those customers lead to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::judging::Neighbourhood;
use crate::domain::campaign::{Campaign, MatchKey};
use crate::domain::decision::{CaseKind, Decisions, Subject};
use crate::domain::email::CanonicalEmail;
use crate::domain::fact::{CustomerState, ObjectKey, ObjectKind, ObjectState};
use crate::domain::ids::{CaseId, ConnectionId, CouponId, CustomerId, PromoterId, ReferralId};
use crate::domain::payment::Customer;
use crate::domain::people::Referral;
use crate::matching::Promoters;
use crate::payments::{CouponBook, PaymentRecord, assemble};
use crate::store::customer_keys::{KeyKind, find_customers, load_customer_keys};
use crate::store::decisions::{decisions_of_referrals, decisions_on_cases, linking_decisions};
use crate::store::json::from_json;
use crate::store::objects::{StoredObject, load_for_customers, load_objects};
use crate::store::payments::load_payments;
use crate::store::promoters::{all_coupons, load_promoters, owners_of_coupons};
use crate::store::referrals::{
    load_referrals, referrals_by_email, referrals_by_folded_email, referrals_by_stripe_customer,
    referrals_by_uid,
};
use crate::store::{StoreError, Tx};

/// What is to be judged.
#[derive(Debug, Clone, Default)]
pub struct Seeds {
    /// Referrals by id; ids of coupon referrals stand for their customers.
    pub referrals: BTreeSet<ReferralId>,
    /// Customers, with whoever claims them.
    pub customers: BTreeSet<CustomerId>,
}

/// Loads everything around the seeds. `campaigns` are the current revisions.
pub async fn load(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaigns: Vec<Campaign>,
    mut seeds: Seeds,
) -> Result<Neighbourhood, StoreError> {
    let coupon_customers = campaigns.iter().flat_map(|campaign| {
        seeds
            .referrals
            .iter()
            .filter_map(|id| id.coupon_customer(&campaign.id))
    });
    let coupon_customers: Vec<CustomerId> = coupon_customers.collect();
    seeds.customers.extend(coupon_customers);
    let links = Links::load(tx, connection).await?;
    let mut finder = Finder {
        connection,
        campaigns: &campaigns,
        links: &links,
    };

    let ids: Vec<ReferralId> = seeds.referrals.iter().cloned().collect();
    let mut referrals = by_id(load_referrals(tx, connection, &ids).await?);
    let mut customers = seeds.customers.clone();
    customers.extend(finder.customers_of(tx, referrals.values()).await?);
    customers.extend(finder.look_alikes_of(tx, referrals.values()).await?);
    let coupon_targets = customers.clone();
    referrals.extend(finder.claimants_of(tx, &customers).await?);
    referrals.extend(finder.resembling(tx, &customers).await?);
    let targets: BTreeSet<ReferralId> = referrals.keys().cloned().collect();
    customers.extend(finder.customers_of(tx, referrals.values()).await?);
    referrals.extend(finder.claimants_of(tx, &customers).await?);

    let customers: Vec<CustomerId> = customers.into_iter().collect();
    let customers = load_customers(tx, connection, &customers).await?;
    let promoters = promoters_of(tx, connection, &referrals, &customers).await?;
    let decisions = decisions_on(tx, connection, &campaigns, &referrals, &customers, links).await?;
    Ok(Neighbourhood {
        campaigns,
        referrals: referrals.into_values().collect(),
        customers,
        promoters,
        decisions,
        targets,
        coupon_targets,
        ..Neighbourhood::default()
    })
}

fn by_id(referrals: Vec<Referral>) -> BTreeMap<ReferralId, Referral> {
    referrals
        .into_iter()
        .map(|referral| (referral.id.clone(), referral))
        .collect()
}

/// Links and refusals that admins made by hand. They are few: each took a person.
struct Links {
    decisions: Vec<crate::domain::decision::Decision>,
    by_referral: HashMap<ReferralId, Vec<CustomerId>>,
    by_customer: HashMap<CustomerId, Vec<ReferralId>>,
}

impl Links {
    async fn load(tx: &mut Tx, connection: &ConnectionId) -> Result<Self, StoreError> {
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
}

struct Finder<'a> {
    connection: &'a ConnectionId,
    campaigns: &'a [Campaign],
    links: &'a Links,
}

impl Finder<'_> {
    /// Every customer that any key of these referrals could match, in any campaign.
    async fn customers_of(
        &mut self,
        tx: &mut Tx,
        referrals: impl Iterator<Item = &Referral>,
    ) -> Result<BTreeSet<CustomerId>, StoreError> {
        let (mut emails, mut uids) = (BTreeSet::new(), BTreeSet::new());
        let mut found = BTreeSet::new();
        let mut ids = Vec::new();
        for referral in referrals {
            emails.extend(referral.email.iter().map(|email| email.as_str().to_owned()));
            uids.extend(referral.uid.iter().cloned());
            ids.extend(
                referral
                    .uid
                    .iter()
                    .chain(&referral.stripe_customer_id)
                    .cloned(),
            );
            found.extend(
                self.links
                    .by_referral
                    .get(&referral.id)
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
        }
        let emails: Vec<String> = emails.into_iter().collect();
        let uids: Vec<String> = uids.into_iter().collect();
        let by_email = find_customers(tx, self.connection, &KeyKind::Email, &emails).await?;
        found.extend(by_email.into_iter().map(|(_, customer)| customer));
        for kind in self.uid_kinds() {
            let by_uid = find_customers(tx, self.connection, &kind, &uids).await?;
            found.extend(by_uid.into_iter().map(|(_, customer)| customer));
        }
        let keys: Vec<ObjectKey> = ids
            .into_iter()
            .map(|id| ObjectKey::new(ObjectKind::Customer, id))
            .collect();
        let there = load_objects(tx, self.connection, &keys).await?;
        found.extend(
            there
                .into_iter()
                .map(|object| CustomerId::from(object.key.id)),
        );
        Ok(found)
    }

    /// Customers whose email differs from a referral's by tag or dots only: they match
    /// nobody by it, but an admin should see them.
    async fn look_alikes_of(
        &self,
        tx: &mut Tx,
        referrals: impl Iterator<Item = &Referral>,
    ) -> Result<BTreeSet<CustomerId>, StoreError> {
        let folded: BTreeSet<String> = referrals
            .filter_map(|referral| referral.email.as_ref().map(CanonicalEmail::folded))
            .collect();
        let folded: Vec<String> = folded.into_iter().collect();
        let found = find_customers(tx, self.connection, &KeyKind::FoldedEmail, &folded).await?;
        Ok(found.into_iter().map(|(_, customer)| customer).collect())
    }

    /// The same seen from the other side: referrals whose email differs from a customer's by
    /// tag or dots only.
    async fn resembling(
        &self,
        tx: &mut Tx,
        customers: &BTreeSet<CustomerId>,
    ) -> Result<BTreeMap<ReferralId, Referral>, StoreError> {
        let ids: Vec<CustomerId> = customers.iter().cloned().collect();
        let keys = load_customer_keys(tx, self.connection, &ids).await?;
        let folded: BTreeSet<String> = keys
            .into_values()
            .flatten()
            .filter(|(kind, _)| *kind == KeyKind::FoldedEmail)
            .map(|(_, value)| value)
            .collect();
        let folded: Vec<String> = folded.into_iter().collect();
        let found = referrals_by_folded_email(tx, self.connection, &folded).await?;
        Ok(by_id(found))
    }

    /// Every registered referral that could claim one of these customers.
    async fn claimants_of(
        &self,
        tx: &mut Tx,
        customers: &BTreeSet<CustomerId>,
    ) -> Result<BTreeMap<ReferralId, Referral>, StoreError> {
        let ids: Vec<CustomerId> = customers.iter().cloned().collect();
        let kinds = self.uid_kinds();
        let (mut emails, mut uids) = (BTreeSet::new(), BTreeSet::new());
        for keys in load_customer_keys(tx, self.connection, &ids)
            .await?
            .into_values()
        {
            for (kind, value) in keys {
                if kind == KeyKind::Email {
                    emails.insert(value);
                } else if kinds.contains(&kind) {
                    uids.insert(value);
                }
            }
        }
        let stripe: Vec<String> = ids.iter().map(|id| id.as_str().to_owned()).collect();
        uids.extend(stripe.iter().cloned());
        let emails: Vec<String> = emails.into_iter().collect();
        let uids: Vec<String> = uids.into_iter().collect();
        let linked = ids
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

/// Assembles customers with their payments and the coupons those used. A guest without any
/// payment left (the payment turned out to be a customer's) is nobody.
pub async fn load_customers(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[CustomerId],
) -> Result<Vec<Customer>, StoreError> {
    let mut records: HashMap<String, Vec<PaymentRecord>> = HashMap::new();
    let mut sources = BTreeSet::new();
    for payment in load_payments(tx, connection, customers).await? {
        let record: PaymentRecord = from_json("payments", &payment.record)?;
        let key = |kind, id: &String| ObjectKey::new(kind, id.clone());
        sources.extend(
            record
                .discounts
                .iter()
                .map(|id| key(ObjectKind::Discount, id)),
        );
        sources.extend(
            record
                .subscriptions
                .iter()
                .map(|id| key(ObjectKind::Subscription, id)),
        );
        sources.extend(
            record
                .promotion_codes
                .iter()
                .map(|id| key(ObjectKind::PromotionCode, id)),
        );
        if let Some(owner) = payment.customer_id {
            records.entry(owner).or_default().push(record);
        }
    }
    let own = coupon_objects(tx, connection, customers, sources).await?;
    let mut book = CouponBook::default();
    for object in &own {
        book.add(&object.key.id, &object.state);
    }
    let keys: Vec<ObjectKey> = customers
        .iter()
        .map(|id| ObjectKey::new(ObjectKind::Customer, id.as_str()))
        .collect();
    let mut states: HashMap<String, CustomerState> = HashMap::new();
    for object in load_objects(tx, connection, &keys).await? {
        if let ObjectState::Customer(state) = object.state {
            states.insert(object.key.id, state);
        }
    }
    let assembled = customers.iter().filter_map(|id| {
        let records = records.remove(id.as_str()).unwrap_or_default();
        let state = states.get(id.as_str());
        let is_nobody = state.is_none() && records.is_empty();
        (!is_nobody).then(|| assemble(id, state, records, &book))
    });
    Ok(assembled.collect())
}

/// The discounts, subscriptions and promotion codes that lead to coupons, followed to the end:
/// a subscription leads to a discount, a discount to a promotion code.
async fn coupon_objects(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[CustomerId],
    mut wanted: BTreeSet<ObjectKey>,
) -> Result<Vec<StoredObject>, StoreError> {
    let of_customers = load_for_customers(tx, connection, customers)
        .await?
        .into_iter();
    let mut found: BTreeMap<ObjectKey, StoredObject> = of_customers
        .filter(|object| crate::payments::leads_to_a_coupon(object.key.kind))
        .map(|object| (object.key.clone(), object))
        .collect();
    for object in found.values() {
        wanted.extend(leads_on(&object.state));
    }
    // Subscription, discount, promotion code: three steps at most.
    for _ in 0..3 {
        let missing: Vec<ObjectKey> = wanted
            .iter()
            .filter(|key| !found.contains_key(*key))
            .cloned()
            .collect();
        if missing.is_empty() {
            break;
        }
        wanted.clear();
        for object in load_objects(tx, connection, &missing).await? {
            wanted.extend(leads_on(&object.state));
            found.insert(object.key.clone(), object);
        }
    }
    Ok(found.into_values().collect())
}

fn leads_on(state: &ObjectState) -> Vec<ObjectKey> {
    let code = |id: &String| ObjectKey::new(ObjectKind::PromotionCode, id.clone());
    match state {
        ObjectState::Subscription(state) => {
            let discounts = state.discounts.iter();
            let discounts = discounts.map(|id| ObjectKey::new(ObjectKind::Discount, id.clone()));
            discounts
                .chain(state.promotion_codes.iter().map(code))
                .collect()
        }
        ObjectState::Discount(state) => state.promotion_code.iter().map(code).collect(),
        _ => Vec::new(),
    }
}

/// The promoters in play: of the referrals, and of every coupon that was used. Only if a
/// coupon of nobody's was used are all coupons loaded, to see whether it is a near miss.
async fn promoters_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    referrals: &BTreeMap<ReferralId, Referral>,
    customers: &[Customer],
) -> Result<Promoters, StoreError> {
    let payments = customers.iter().flat_map(|customer| &customer.payments);
    let used: BTreeSet<CouponId> = payments.flat_map(|p| p.coupons.iter().cloned()).collect();
    let used: Vec<CouponId> = used.into_iter().collect();
    let owners = owners_of_coupons(tx, connection, &used).await?;
    let mut ids: BTreeSet<PromoterId> = referrals
        .values()
        .filter_map(|referral| referral.promoter.clone())
        .collect();
    ids.extend(owners.iter().map(|(_, promoter)| promoter.clone()));
    let ids: Vec<PromoterId> = ids.into_iter().collect();
    let loaded = load_promoters(tx, connection, &ids).await?;
    let mut promoters: Promoters = loaded.into_iter().map(|stored| stored.promoter).collect();
    if owners.len() < used.len() {
        promoters.know_coupons(all_coupons(tx, connection).await?);
    }
    Ok(promoters)
}

/// The decisions that bear on these referrals and on the coupon referrals of these customers.
async fn decisions_on(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaigns: &[Campaign],
    referrals: &BTreeMap<ReferralId, Referral>,
    customers: &[Customer],
    links: Links,
) -> Result<Decisions, StoreError> {
    let mut decisions = Decisions::default();
    decisions.extend(links.decisions);
    let mut ids: Vec<ReferralId> = referrals.keys().cloned().collect();
    let mut cases: BTreeSet<CaseId> = BTreeSet::new();
    for campaign in campaigns {
        let mine = referrals
            .values()
            .filter(|referral| referral.campaign == campaign.id);
        let by_link = mine.map(|referral| referral.id.clone());
        let by_coupon: Vec<ReferralId> = customers
            .iter()
            .map(|customer| ReferralId::from_coupon(&campaign.id, &customer.id))
            .collect();
        for id in by_link.chain(by_coupon.iter().cloned()) {
            cases.extend(
                CaseKind::ALL
                    .iter()
                    .map(|kind| kind.case_id(&campaign.id, &id)),
            );
        }
        ids.extend(by_coupon);
    }
    let cases: Vec<CaseId> = cases.into_iter().collect();
    decisions.extend(decisions_of_referrals(tx, connection, &ids).await?);
    decisions.extend(decisions_on_cases(tx, connection, &cases).await?);
    Ok(decisions)
}
