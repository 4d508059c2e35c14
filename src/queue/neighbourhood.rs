//! Loads the closed part of the world around what is to be judged, with a handful of
//! set-based queries: targets, their customers, whoever else claims those, and everything
//! that payments of those customers lead to.

use std::collections::BTreeSet;

use super::customers::load_customers;
use super::finder::{Finder, Links, Referrals, by_id};
use super::judging::Neighbourhood;
use crate::domain::campaign::Campaign;
use crate::domain::decision::Decisions;
use crate::domain::ids::{CaseId, ConnectionId, CouponId, CustomerId, PromoterId, ReferralId};
use crate::domain::payment::Customer;
use crate::matching::Promoters;
use crate::store::cases::cases_of_referrals;
use crate::store::customer_keys::load_customer_keys;
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
    referrals.extend(claimants(tx, &finder, &customers, true).await?);
    let targets: BTreeSet<ReferralId> = referrals.keys().cloned().collect();
    let others = referrals.values().filter(|r| !asked.contains_key(&r.id));
    let further = finder.customers_of(tx, others).await?;
    let further: BTreeSet<CustomerId> = further.difference(&customers).cloned().collect();
    referrals.extend(claimants(tx, &finder, &further, false).await?);
    customers.extend(further);

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

/// The referrals that claim some customers, and those that merely resemble a claim.
async fn claimants(
    tx: &mut Tx,
    finder: &Finder<'_>,
    customers: &BTreeSet<CustomerId>,
    with_resembling: bool,
) -> Result<Referrals, StoreError> {
    if customers.is_empty() {
        return Ok(Referrals::new());
    }
    let ids: Vec<CustomerId> = customers.iter().cloned().collect();
    let keys = load_customer_keys(tx, finder.connection, &ids).await?;
    let mut found = finder.claimants_of(tx, customers, &keys).await?;
    if with_resembling {
        found.extend(finder.resembling(tx, &keys).await?);
    }
    Ok(found)
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
