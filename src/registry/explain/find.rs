//! Who is meant: a referral by id or uid, a person by email, a customer by id. What is not
//! found is looked for again with one typing error.

use std::collections::BTreeSet;

use crate::domain::email::CanonicalEmail;
use crate::domain::fact::{ObjectKey, ObjectKind};
use crate::domain::ids::{ConnectionId, CustomerId, ReferralId};
use crate::domain::people::Referral;
use crate::store::customer_keys::{KeyKind, find_by_keys, find_customers};
use crate::store::objects::load_objects;
use crate::store::referrals::{
    get_referral, referral_page, referrals_by_email, referrals_by_folded_email,
    referrals_by_stripe_customer, referrals_by_uid,
};
use crate::store::verdicts::{VerdictFilter, list_verdicts, verdicts_of_customers};
use crate::store::{StoreError, Tx};

/// Near misses that are told.
const NEAR_MAX: usize = 10;
/// Referrals looked at per page.
const PAGE: u32 = 500;

/// Who is meant.
#[derive(Debug, Default)]
pub struct Found {
    /// These referrals.
    pub referrals: BTreeSet<ReferralId>,
    /// These customers.
    pub customers: BTreeSet<CustomerId>,
    /// How they were found, in words.
    pub how: Vec<String>,
}

/// Nobody is meant.
#[derive(Debug, Default)]
pub struct NotFound {
    /// Under what it was looked for.
    pub tried: Vec<String>,
    /// What is almost that.
    pub near: Vec<String>,
}

impl Found {
    fn add(&mut self, how: &str, referrals: Vec<Referral>) {
        if !referrals.is_empty() {
            self.how.push(format!("{} by {how}", referrals.len()));
            self.referrals.extend(referrals.into_iter().map(|r| r.id));
        }
    }
}

/// Looks for `who` under everything it can be. For what is almost that, `pages` pages of
/// referrals are looked through at most.
pub async fn find(
    tx: &mut Tx,
    connection: &ConnectionId,
    who: &str,
    pages: usize,
) -> Result<Result<Found, NotFound>, StoreError> {
    let mut found = Found::default();
    let text = [who.to_owned()];
    let id = ReferralId::from(who);
    let by_id = get_referral(tx, connection, &id).await?;
    found.add("id", by_id.into_iter().collect());
    if found.referrals.is_empty() {
        // Referrals that a coupon made have verdicts only.
        let filter = VerdictFilter {
            referral: Some(id.clone()),
            ..VerdictFilter::default()
        };
        if !list_verdicts(tx, connection, &filter, None, 1)
            .await?
            .is_empty()
        {
            found.how.push("1 by id".to_owned());
            found.referrals.insert(id);
        }
    }
    found.add("uid", referrals_by_uid(tx, connection, &text).await?);
    let by_customer = referrals_by_stripe_customer(tx, connection, &text).await?;
    found.add("Stripe customer", by_customer);
    let mut customers = BTreeSet::from([CustomerId::from(who)]);
    let email = CanonicalEmail::parse(who);
    if let Some(email) = &email {
        let text = [email.as_str().to_owned()];
        found.add("email", referrals_by_email(tx, connection, &text).await?);
        let by_email = find_customers(tx, connection, &KeyKind::Email, &text).await?;
        customers.extend(by_email.into_iter().map(|(_, customer)| customer));
    }
    let customers: Vec<CustomerId> = customers.into_iter().collect();
    let judged = verdicts_of_customers(tx, connection, &customers).await?;
    if !judged.is_empty() {
        found.how.push(format!("{} by its customer", judged.len()));
        found
            .referrals
            .extend(judged.into_iter().map(|(_, referral)| referral));
        found.customers.extend(customers.iter().cloned());
    }
    if !found.referrals.is_empty() {
        return Ok(Ok(found));
    }
    let mut tried = vec![
        "a referral's id".to_owned(),
        "a referral's uid".to_owned(),
        "a Stripe customer's id".to_owned(),
    ];
    match &email {
        Some(email) => tried.push(format!("the email {email}")),
        None => tried.push("an email (it is none)".to_owned()),
    }
    let mut near = of_nobody(tx, connection, &customers).await?;
    near.extend(near_misses(tx, connection, (who, email.as_ref()), pages).await?);
    near.truncate(NEAR_MAX);
    Ok(Err(NotFound { tried, near }))
}

/// Customers that are known, and that no referral claims.
async fn of_nobody(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[CustomerId],
) -> Result<Vec<String>, StoreError> {
    let keys: Vec<ObjectKey> = customers
        .iter()
        .map(|id| ObjectKey::new(ObjectKind::Customer, id.as_str()))
        .collect();
    let there = load_objects(tx, connection, &keys).await?;
    let known = there.into_iter().map(|object| object.key.id);
    Ok(known
        .map(|id| format!("the customer {id} is known, and no referral or coupon claims it"))
        .collect())
}

async fn near_misses(
    tx: &mut Tx,
    connection: &ConnectionId,
    (who, email): (&str, Option<&CanonicalEmail>),
    pages: usize,
) -> Result<Vec<String>, StoreError> {
    let mut near = Vec::new();
    if let Some(email) = email {
        let folded = [email.folded()];
        for referral in referrals_by_folded_email(tx, connection, &folded).await? {
            let its = referral.email.as_ref().map_or("", CanonicalEmail::as_str);
            near.push(format!(
                "referral {} has the similar email {its}",
                referral.id
            ));
        }
        let [folded] = folded;
        let keys = BTreeSet::from(KeyKind::of_folded(folded));
        let customers = find_by_keys(tx, connection, &keys).await?;
        let customers: BTreeSet<_> = customers.into_iter().map(|(_, _, id)| id).collect();
        near.extend(
            customers
                .iter()
                .map(|id| format!("customer {id} has a similar email")),
        );
    }
    // As it would be stored, so that capitals count as no edit.
    let who = email.map_or(who, CanonicalEmail::as_str);
    let mut after: Option<ReferralId> = None;
    for _ in 0..pages {
        if near.len() >= NEAR_MAX {
            break;
        }
        let page = referral_page(tx, connection, after.as_ref(), PAGE).await?;
        for referral in &page {
            let told = [
                ("id", Some(referral.id.as_str())),
                ("uid", referral.uid.as_deref()),
                ("Stripe customer", referral.stripe_customer_id.as_deref()),
                ("email", referral.email.as_ref().map(CanonicalEmail::as_str)),
            ];
            let like = told
                .into_iter()
                .find(|(_, text)| text.is_some_and(|t| one_edit(t, who)));
            if let Some((what, Some(text))) = like {
                near.push(format!("referral {} has the {what} {text}", referral.id));
            }
        }
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => after = Some(last.id.clone()),
            _ => break,
        }
    }
    Ok(near)
}

fn one_edit(text: &str, who: &str) -> bool {
    // Lengths first: the distance is quadratic, and most texts are far from each other.
    text.len().abs_diff(who.len()) <= 4
        && (text.eq_ignore_ascii_case(who) || strsim::osa_distance(text, who) == 1)
}
