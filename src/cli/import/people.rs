//! Promoters and referrals of a CSV, through the same commands as the API's. A promoter's own
//! Stripe customer and its suspension are no columns, so they stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Imported;
use crate::access::audit::{Action, digest, note};
use crate::app::Opened;
use crate::domain::access::By;
use crate::domain::campaign::Campaign;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CampaignId, PromoterId};
use crate::domain::people::{Promoter, Referral};
use crate::matching::Promoters;
use crate::offline::source::Source;
use crate::offline::{Notes, promoters as table, referrals};
use crate::queue::worker::campaigns;
use crate::registry::RegistryError;
use crate::registry::promoters::{PromoterInput, put};
use crate::registry::referrals::{ReferralInput, Registered, register_in};
use crate::rules::KnownCoupons;
use crate::store::leases::{Stage, enter};
use crate::store::promoters::{list_promoters, load_promoters};
use crate::store::{StoreError, Tx, retry};

/// Rows written in one transaction.
const CHUNK_ROWS: usize = 500;

/// Registers or changes promoters. `None` if the table or its coupons cannot be used.
pub(super) async fn promoters(
    opened: &Opened,
    source: Source,
    notes: &mut Notes<'_>,
) -> anyhow::Result<Option<Imported>> {
    let file = source.name.clone();
    // What events have shown of coupons is looked at when they are put.
    let read = match table::read(source, &KnownCoupons::new(), notes) {
        Ok(read) => read,
        Err(problem) => {
            notes.say(problem);
            return Ok(None);
        }
    };
    if !read.problems.is_empty() {
        for problem in &read.problems {
            notes.say(problem);
        }
        return Ok(None);
    }
    let mut imported = Imported::default();
    let by = By::command_line();
    for chunk in read.promoters.chunks(CHUNK_ROWS) {
        let wanted = changes(opened, chunk, &mut imported).await?;
        let (id, clock) = (opened.id(), opened.clock.as_ref());
        let all: Vec<PromoterInput> = wanted.iter().map(|(input, _)| input.clone()).collect();
        match put(&opened.db, id, clock, &all, &by).await {
            Ok(_) => wanted.iter().for_each(|(_, new)| imported.count(*new)),
            Err(RegistryError::Store(error)) => return Err(error.into()),
            // One of them is refused: each by itself, so that the others are not held up.
            Err(_) => {
                for (input, new) in &wanted {
                    match put(&opened.db, id, clock, std::slice::from_ref(input), &by).await {
                        Ok(_) => imported.count(*new),
                        Err(RegistryError::Store(error)) => return Err(error.into()),
                        Err(refused) => {
                            let line = read.lines.get(&PromoterId::from(input.id.as_str()));
                            notes.unusable(&file, line.copied().unwrap_or(0), refused);
                        }
                    }
                }
            }
        }
    }
    Ok(Some(imported))
}

impl Imported {
    fn count(&mut self, new: bool) {
        if new {
            self.new += 1;
        } else {
            self.changed += 1;
        }
    }
}

/// What has to be put, and whether it is new; what is there already is counted.
async fn changes(
    opened: &Opened,
    chunk: &[Promoter],
    imported: &mut Imported,
) -> Result<Vec<(PromoterInput, bool)>, StoreError> {
    let ids: Vec<PromoterId> = chunk.iter().map(|p| p.id.clone()).collect();
    let mut tx = opened.db.read().await?;
    let there = load_promoters(&mut tx, opened.id(), &ids).await?;
    tx.rollback().await?;
    let there: BTreeMap<PromoterId, Promoter> = there
        .into_iter()
        .map(|stored| (stored.promoter.id.clone(), stored.promoter))
        .collect();
    let mut wanted = Vec::new();
    for promoter in chunk {
        let before = there.get(&promoter.id);
        let new = Promoter {
            stripe_customer_id: before.and_then(|b| b.stripe_customer_id.clone()),
            suspended: before.is_some_and(|b| b.suspended),
            ..promoter.clone()
        };
        if before == Some(&new) {
            imported.unchanged += 1;
        } else {
            wanted.push((input(new), before.is_none()));
        }
    }
    Ok(wanted)
}

fn input(promoter: Promoter) -> PromoterInput {
    PromoterInput {
        id: promoter.id.as_str().to_owned(),
        name: promoter.name,
        email: promoter.email.map(|email| email.as_str().to_owned()),
        code: promoter.code,
        coupons: promoter
            .coupons
            .iter()
            .map(|c| c.as_str().to_owned())
            .collect(),
        stripe_customer_id: promoter.stripe_customer_id,
    }
}

/// Registers referrals, those referred first in front. `None` if the table cannot be used.
pub(super) async fn referrals(
    opened: &Opened,
    source: Source,
    notes: &mut Notes<'_>,
) -> anyhow::Result<Option<Imported>> {
    let file = source.name.clone();
    let mut tx = opened.db.read().await?;
    let campaigns = campaigns(&mut tx, opened.id()).await?;
    let known = all_promoters(&mut tx, opened).await?;
    tx.rollback().await?;
    let ids: BTreeSet<CampaignId> = campaigns.iter().map(|c| c.id.clone()).collect();
    let mut rows = match referrals::read_rows(source, &ids, &known, notes) {
        Ok(rows) => rows,
        Err(problem) => {
            notes.say(problem);
            return Ok(None);
        }
    };
    // Who referred first has the better claim, wherever the file has it.
    rows.sort_by(|(_, a), (_, b)| (a.referred_at, &a.id).cmp(&(b.referred_at, &b.id)));
    let mut imported = Imported::default();
    for chunk in rows.chunks(CHUNK_ROWS) {
        let outcomes = retry(|| register_all(opened, &campaigns, chunk)).await?;
        for ((line, referral), outcome) in chunk.iter().zip(outcomes) {
            match outcome {
                Ok(Registered::New(_)) => imported.new += 1,
                Ok(Registered::Existing(there)) if there == *referral => imported.unchanged += 1,
                Ok(Registered::Existing(there)) => {
                    let problem = if there.id == referral.id {
                        format!(
                            "`{}` is registered with other values; those are kept",
                            there.id
                        )
                    } else {
                        format!(
                            "`{}` is already referred (kept `{}`)",
                            referral.id, there.id
                        )
                    };
                    notes.unusable(&file, *line, problem);
                }
                Err(refused) => notes.unusable(&file, *line, refused),
            }
        }
    }
    Ok(Some(imported))
}

/// Registers referrals in one transaction; what became of each, refusals included.
async fn register_all(
    opened: &Opened,
    campaigns: &[Campaign],
    chunk: &[(u64, Referral)],
) -> Result<Vec<Result<Registered, RegistryError>>, StoreError> {
    let (id, clock) = (opened.id(), opened.clock.as_ref());
    let mut outcomes = Vec::with_capacity(chunk.len());
    let mut tx = opened.db.begin().await?;
    enter(&mut tx, id, Stage::Register).await?;
    for (_, referral) in chunk {
        match register_in(&mut tx, id, clock, campaigns, &claim(referral)).await {
            Err(RegistryError::Store(error)) => return Err(error),
            outcome => outcomes.push(outcome),
        }
    }
    let new =
        |outcome: &&Result<Registered, RegistryError>| matches!(outcome, Ok(Registered::New(_)));
    let new = outcomes.iter().filter(new).count();
    if new > 0 {
        let rows: Vec<&Referral> = chunk.iter().map(|(_, referral)| referral).collect();
        let what = json!({ "referrals": new, "digest": digest(&rows) });
        let entry = (Action::ReferralsImported, "referrals".to_owned(), what);
        note(&mut tx, id, clock.now_us(), &By::command_line(), entry).await?;
    }
    tx.commit().await?;
    Ok(outcomes)
}

async fn all_promoters(tx: &mut Tx, opened: &Opened) -> Result<Promoters, StoreError> {
    let mut all = Vec::new();
    let mut after: Option<PromoterId> = None;
    loop {
        let limit = u32::try_from(CHUNK_ROWS).unwrap_or(u32::MAX);
        let page = list_promoters(tx, opened.id(), after.as_ref(), limit).await?;
        after = page.last().map(|last| last.promoter.id.clone());
        let full = page.len() >= CHUNK_ROWS;
        all.extend(page.into_iter().map(|stored| stored.promoter));
        if !full {
            return Ok(all.into_iter().collect());
        }
    }
}

fn claim(referral: &Referral) -> ReferralInput {
    let promoter = referral.promoter.as_ref().map_or("", PromoterId::as_str);
    ReferralInput {
        id: Some(referral.id.as_str().to_owned()),
        campaign: referral.campaign.as_str().to_owned(),
        promoter: promoter.to_owned(),
        email: referral.email.as_ref().map(CanonicalEmail::to_string),
        uid: referral.uid.clone(),
        stripe_customer_id: referral.stripe_customer_id.clone(),
        referred_at: Some(referral.referred_at),
    }
}
