//! Loads the closed part of the world around what is to be judged, with a handful of
//! set-based queries: targets, their customers, whoever else claims those, and everything
//! that payments of those customers lead to.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use super::customers::load_customers;
use super::finder::{Finder, Links, Referrals, by_id};
use super::judging::Neighbourhood;
use crate::domain::campaign::Campaign;
use crate::domain::decision::Decisions;
use crate::domain::ids::{CaseId, ConnectionId, CouponId, CustomerId, PromoterId, ReferralId};
use crate::domain::payment::Customer;
use crate::matching::Promoters;
use crate::store::cases::cases_of_referrals;
use crate::store::customer_keys::{CustomerKeys, KeyKind, load_customer_keys};
use crate::store::decisions::{decisions_of_referrals, decisions_on_cases};
use crate::store::promoters::{all_coupons, load_promoters, owners_of_coupons};
use crate::store::referrals::load_referrals;
use crate::store::{StoreError, Tx};

/// What is to be judged.
#[derive(Debug, Clone, Default)]
pub struct Seeds {
    /// Referrals by id; ids of coupon referrals stand for their customers.
    pub referrals: BTreeSet<ReferralId>,
    /// Customers, with whoever claims them.
    pub customers: BTreeSet<CustomerId>,
    /// Whether customers of whom no referral and no coupon speaks are left out: no verdict can
    /// come of them. Most customers of a shop are such, and their payments are most of what
    /// there is to load.
    pub without_bystanders: bool,
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
    let finder = Finder {
        connection,
        campaigns: &campaigns,
        links: &links,
    };

    let ids: Vec<ReferralId> = seeds.referrals.iter().cloned().collect();
    let asked = by_id(load_referrals(tx, connection, &ids).await?);
    let mut customers = seeds.customers;
    customers.extend(finder.customers_of(tx, asked.values()).await?);
    customers.extend(finder.look_alikes_of(tx, asked.values()).await?);
    let coupon_targets = customers.clone();

    // Whoever else claims those customers is judged with them; of the further customers of
    // those referrals only their claimants matter.
    let mut referrals = asked.clone();
    let mut keys = keys_of(tx, connection, &customers).await?;
    referrals.extend(finder.claimants_of(tx, &customers, &keys).await?);
    referrals.extend(finder.resembling(tx, &keys).await?);
    let targets: BTreeSet<ReferralId> = referrals.keys().cloned().collect();
    let others = referrals.values().filter(|r| !asked.contains_key(&r.id));
    let further = finder.customers_of(tx, others).await?;
    let further: BTreeSet<CustomerId> = further.difference(&customers).cloned().collect();
    let further_keys = keys_of(tx, connection, &further).await?;
    referrals.extend(finder.claimants_of(tx, &further, &further_keys).await?);
    customers.extend(further);
    keys.extend(further_keys);
    if seeds.without_bystanders {
        customers = concerned(customers, &keys, &referrals, &links);
    }

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

/// Everything by which some customers can be found.
async fn keys_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &BTreeSet<CustomerId>,
) -> Result<CustomerKeys, StoreError> {
    let ids: Vec<CustomerId> = customers.iter().cloned().collect();
    load_customer_keys(tx, connection, &ids).await
}

/// The customers of whom a referral may speak, by any value that both have, or a coupon. Who is
/// left out can own no claim, nearly match none, and has used no coupon.
fn concerned(
    mut customers: BTreeSet<CustomerId>,
    keys: &CustomerKeys,
    referrals: &Referrals,
    links: &Links,
) -> BTreeSet<CustomerId> {
    let mut spoken_of: HashSet<Cow<'_, str>> = HashSet::new();
    for referral in referrals.values() {
        let email = referral.email.iter();
        spoken_of.extend(email.flat_map(|e| [e.as_str().into(), e.folded().into()]));
        let ids = referral.uid.iter().chain(&referral.stripe_customer_id);
        spoken_of.extend(ids.map(|id| id.as_str().into()));
    }
    let leads_on = |(kind, value): &(KeyKind, String)| {
        kind.is_of_coupons() || spoken_of.contains(value.as_str())
    };
    customers.retain(|id| {
        spoken_of.contains(id.as_str())
            || links.name(id)
            || keys.get(id).is_some_and(|keys| keys.iter().any(leads_on))
    });
    customers
}

/// The promoters in play: of the referrals, and of every coupon that was used. Only if a
/// coupon of nobody's was used are all coupons loaded, to see whether it is a near miss.
async fn promoters_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    referrals: &Referrals,
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
/// A case is decided after it was opened, so only the cases that are there are asked for.
async fn decisions_on(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaigns: &[Campaign],
    referrals: &Referrals,
    customers: &[Customer],
    links: Links,
) -> Result<Decisions, StoreError> {
    let mut decisions = Decisions::default();
    decisions.extend(links.decisions);
    let mut ids: Vec<ReferralId> = referrals.keys().cloned().collect();
    for campaign in campaigns {
        let of_coupon = customers.iter().filter(|customer| used_a_coupon(customer));
        ids.extend(of_coupon.map(|customer| ReferralId::from_coupon(&campaign.id, &customer.id)));
    }
    let cases = cases_of_referrals(tx, connection, &ids).await?;
    let cases: Vec<CaseId> = cases.into_iter().map(|case| case.id).collect();
    decisions.extend(decisions_of_referrals(tx, connection, &ids).await?);
    decisions.extend(decisions_on_cases(tx, connection, &cases).await?);
    Ok(decisions)
}

/// Whether any payment carries a coupon: without one no coupon makes a referral.
pub(super) fn used_a_coupon(customer: &Customer) -> bool {
    let mut payments = customer.payments.iter();
    payments.any(|payment| !payment.coupons.is_empty())
}
