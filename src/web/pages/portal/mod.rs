//! A promoter's own pages: their links, referrals, rewards and statement. Whoever is signed in
//! is one promoter, and nothing here takes another's id from an address.
//!
//! Invited people are masked; nobody's reason, no id made from an address and no id of Stripe's
//! is in a page. So pages are counted instead of named by their last row.

pub mod referrals;
pub mod rewards;
pub mod statement;
mod words;

use std::collections::HashMap;

use crate::access::Denied;
use crate::domain::campaign::Campaign;
use crate::domain::ids::{CampaignId, ConnectionId, PromoterId, ReferralId};
use crate::domain::people::{Promoter, Referral};
use crate::http::Problem;
use crate::queue::worker::campaigns;
use crate::store::promoters::get_promoter;
use crate::store::referrals::load_referrals;
use crate::store::{StoreError, Tx};
use crate::web::input::Fields;
use crate::web::parts::Pager;
use crate::web::{View, format, url};

/// Rows of a page.
const ROWS: u32 = 25;
/// Pages that can be turned to: further back, the statement has everything.
const PAGES_MAX: u32 = 4_000;

/// The promoter who is signed in.
fn promoter_id(view: &View) -> Result<PromoterId, Problem> {
    let promoter = view.signed.promoter.clone();
    // Promoters alone have the permission, and each is bound to one.
    promoter.ok_or_else(|| Denied::SignIn.into())
}

async fn own(tx: &mut Tx, connection: &ConnectionId, id: &PromoterId) -> Result<Promoter, Problem> {
    let found = get_promoter(tx, connection, id).await?;
    let found = found.map(|stored| stored.promoter);
    found.ok_or_else(|| Problem::not_found("You are no longer registered as a promoter."))
}

/// What a promoter's rows are named by: campaigns by their names, people masked.
#[derive(Debug, Default)]
struct Names {
    campaigns: HashMap<CampaignId, Campaign>,
    people: HashMap<ReferralId, String>,
}

impl Names {
    async fn of(
        tx: &mut Tx,
        connection: &ConnectionId,
        referrals: &[ReferralId],
    ) -> Result<Self, StoreError> {
        let campaigns = campaigns(tx, connection).await?;
        let people = load_referrals(tx, connection, referrals).await?;
        Ok(Self {
            campaigns: campaigns.into_iter().map(|c| (c.id.clone(), c)).collect(),
            people: people.iter().map(|r| (r.id.clone(), masked(r))).collect(),
        })
    }

    fn campaign(&self, id: &CampaignId) -> String {
        let known = self.campaigns.get(id);
        known.map_or_else(|| id.to_string(), |campaign| campaign.name.clone())
    }

    /// The invited person, as far as a promoter may know.
    fn person(&self, referral: &ReferralId) -> String {
        let known = self.people.get(referral).cloned();
        known.unwrap_or_else(|| "Somebody with your coupon".to_owned())
    }
}

fn masked(referral: &Referral) -> String {
    if let Some(email) = &referral.email {
        return format::masked(email);
    }
    let first = referral.uid.as_deref().and_then(|uid| uid.chars().next());
    match first {
        Some(first) => format!("Somebody known as {first}***"),
        None => "Somebody known by a customer’s number".to_owned(),
    }
}

/// Which page is asked for, from 1.
fn page_number(query: &Fields) -> u32 {
    let asked = query.number("page").and_then(|n| u32::try_from(n).ok());
    asked.unwrap_or(1).clamp(1, PAGES_MAX)
}

fn pager(here: &str, number: u32, has_more: bool) -> Pager {
    let next = number.saturating_add(1).to_string();
    Pager {
        first: (number > 1).then(|| here.to_owned()),
        next: (has_more && number < PAGES_MAX).then(|| url::with(here, &[("page", &next)])),
    }
}

/// What stands on every page of a promoter who is suspended.
const SUSPENDED: &str = "Your account is suspended. Your links register nobody and open referrals \
                         do not qualify while it is. What you have earned before stays below. Ask \
                         the people who invited you about it.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::email::CanonicalEmail;

    #[test]
    fn people_are_masked_however_they_are_known() {
        let referral = |email: Option<&str>, uid: Option<&str>| Referral {
            id: "ref_1".into(),
            campaign: "spring".into(),
            promoter: None,
            email: email.and_then(CanonicalEmail::parse),
            uid: uid.map(str::to_owned),
            stripe_customer_id: Some("cus_secret".to_owned()),
            referred_at: crate::web::samples::now(),
        };
        let all = [
            masked(&referral(Some("bo@invited.example"), Some("user-77"))),
            masked(&referral(None, Some("user-77"))),
            masked(&referral(None, None)),
        ];
        assert_eq!(all[0], "b***@i***.example");
        assert_eq!(all[1], "Somebody known as u***");
        assert!(!all.concat().contains("secret"));
    }
}
