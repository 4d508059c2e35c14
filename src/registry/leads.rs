//! Leads: people who came by a promoter's link, registered by the page they came to. Nobody
//! vouches for what a browser says, so it is bounded, and whoever sends it learns nothing.

use std::collections::BTreeSet;

use serde_json::json;

use super::RegistryError;
use super::referrals::{ReferralInput, Registered, register_in};
use crate::access::audit::{Action, digest, note};
use crate::clock::{Clock, SECOND_US};
use crate::domain::access::By;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CampaignId, ConnectionId, ID_BYTES_MAX};
use crate::domain::people::Promoter;
use crate::queue::neighbourhood::Seeds;
use crate::queue::worker::{campaigns, rejudge};
use crate::store::leases::{Stage, enter};
use crate::store::limits::{Rate, take_piece};
use crate::store::promoters::promoters_by_code;
use crate::store::{Db, StoreError, Tx, retry};

/// Leads of one promoter, over all nodes: a hundred at once, then ten a minute.
pub const OF_A_PROMOTER: Rate = Rate {
    every_us: 6 * SECOND_US,
    burst: 100,
};

/// A lead as a page sends it, not yet looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadInput {
    /// The promoter's code.
    pub code: String,
    /// The person's email.
    pub email: Option<String>,
    /// The person's id in the referring product.
    pub uid: Option<String>,
}

/// A lead that can be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    code: String,
    email: Option<CanonicalEmail>,
    uid: Option<String>,
}

/// What became of a lead. The sender is told none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is a new referral.
    New,
    /// The promoter had referred this person before.
    Known,
    /// Somebody else had, and the first one counts.
    Claimed,
    /// The code is nobody's, or its promoter is suspended.
    NoPromoter,
    /// The promoter has had too many; so many microseconds until the next one.
    TooMany(i64),
}

/// Looks a lead over, without the database: what is refused here is refused for everybody.
pub fn check(input: &LeadInput) -> Result<Lead, RegistryError> {
    let given = |text: &Option<String>| {
        let text = text.as_deref().map(str::trim);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let email = given(&input.email).map(|text| {
        let email = CanonicalEmail::parse(&text).filter(CanonicalEmail::is_mailbox);
        email.ok_or_else(|| {
            let message = "this is not an email address; write it like ana@example.com";
            RegistryError::invalid("email_invalid", "/email", message)
        })
    });
    let uid = given(&input.uid).map(|uid| match uid {
        // What equals a Stripe customer's id matches strongest: not on a browser's word.
        uid if uid.starts_with("cus_") || uid.starts_with("guest:") => {
            let message = "a uid is your own product's id of the person, not Stripe's";
            Err(RegistryError::invalid("uid_invalid", "/uid", message))
        }
        uid => super::referrals::plain(&uid, "/uid"),
    });
    let (email, uid) = (email.transpose()?, uid.transpose()?);
    if email.is_none() && uid.is_none() {
        let message = "give at least one of email, uid";
        return Err(RegistryError::invalid("person_missing", "", message));
    }
    Ok(Lead {
        code: input.code.trim().to_owned(),
        email,
        uid,
    })
}

/// The promoter behind a code: one, who is not suspended. A code that several promoters have
/// is nobody's, because nothing is guessed.
pub async fn promoter_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    code: &str,
) -> Result<Option<Promoter>, StoreError> {
    if code.is_empty() || code.len() > ID_BYTES_MAX || code.chars().any(char::is_control) {
        return Ok(None);
    }
    let mut found = promoters_by_code(tx, connection, code).await?;
    Ok(match (found.pop(), found.is_empty()) {
        (Some(only), true) => Some(only.promoter),
        _ => None,
    })
}

/// Registers a lead in a campaign, as referred now, and judges it at once. The same again
/// changes nothing. Whether it counts is decided by the rules.
pub async fn register_lead(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    campaign: &CampaignId,
    lead: &Lead,
    by: &By,
) -> Result<Outcome, RegistryError> {
    retry(|| async {
        let mut tx = db.begin().await?;
        enter(&mut tx, connection, Stage::Register).await?;
        let found = promoter_of(&mut tx, connection, &lead.code).await?;
        let Some(promoter) = found.filter(|promoter| !promoter.suspended) else {
            return Ok(Outcome::NoPromoter);
        };
        let bucket = format!("leads:{}", promoter.id);
        let now_us = clock.now_us();
        let taken = take_piece(&mut tx, connection, &bucket, OF_A_PROMOTER, now_us).await?;
        if let Err(wait_us) = taken {
            return Ok(Outcome::TooMany(wait_us));
        }
        let input = ReferralInput {
            campaign: campaign.as_str().to_owned(),
            promoter: promoter.id.as_str().to_owned(),
            email: lead.email.as_ref().map(|email| email.as_str().to_owned()),
            uid: lead.uid.clone(),
            ..ReferralInput::default()
        };
        let outcome = put(&mut tx, connection, clock, &input, by).await?;
        tx.commit().await?;
        Ok(outcome)
    })
    .await
}

async fn put(
    tx: &mut Tx,
    connection: &ConnectionId,
    clock: &dyn Clock,
    input: &ReferralInput,
    by: &By,
) -> Result<Outcome, RegistryError> {
    let campaigns = campaigns(tx, connection).await?;
    let referral = match register_in(tx, connection, clock, &campaigns, input).await {
        Ok(Registered::New(referral)) => referral,
        Ok(Registered::Existing(_)) => return Ok(Outcome::Known),
        Err(RegistryError::Conflict { .. }) => return Ok(Outcome::Claimed),
        Err(other) => return Err(other),
    };
    let seeds = Seeds {
        referrals: BTreeSet::from([referral.id.clone()]),
        ..Seeds::default()
    };
    rejudge(tx, connection, seeds, clock.now()).await?;
    let what = json!({
        "campaign": referral.campaign, "promoter": referral.promoter, "source": "tracked_link",
        "digest": digest(&referral),
    });
    let entry = (
        Action::ReferralRegistered,
        format!("referral:{}", referral.id),
        what,
    );
    note(tx, connection, clock.now_us(), by, entry).await?;
    Ok(Outcome::New)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_has_a_person_and_no_stripe_id() {
        let lead = |email: &str, uid: &str| {
            let some = |text: &str| Some(text.to_owned());
            check(&LeadInput {
                code: " ANA10 ".to_owned(),
                email: some(email),
                uid: some(uid),
            })
        };
        let good = lead(" Bo@Invited.example ", "").unwrap();
        assert_eq!(good.code, "ANA10");
        assert_eq!(good.email.unwrap().as_str(), "bo@invited.example");
        assert_eq!(lead("", "u_1").unwrap().uid.as_deref(), Some("u_1"));
        let long = "x".repeat(256);
        for (email, uid, code) in [
            ("", " ", "person_missing"),
            ("bo(at)x", "u_1", "email_invalid"),
            ("bo@localhost", "", "email_invalid"),
            ("", "cus_1", "uid_invalid"),
            ("", "guest:bo@x.example", "uid_invalid"),
            ("", "a\u{7}b", "id_invalid"),
            ("", &long, "id_invalid"),
        ] {
            match lead(email, uid) {
                Err(RegistryError::Invalid { code: found, .. }) => assert_eq!(found, code),
                other => panic!("{email} {uid}: {other:?}"),
            }
        }
    }
}
