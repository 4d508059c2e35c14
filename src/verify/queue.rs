//! What was earned and what became of it, in two walks: along the verdicts, and along the
//! qualifications with their transactions. Of each, a page is in memory at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Books;
use super::people::{Waiting, by_key};
use super::verdicts::{Anew, compare};
use super::{Check, PAGE, Watch, qualifications, uniqueness};
use crate::domain::ids::{CampaignId, ConnectionId, ReferralId};
use crate::domain::time::Timestamp;
use crate::store::qualifications::{
    Qualification, QualificationFilter, active_of_persons, list_qualifications,
    qualifications_of_referrals,
};
use crate::store::verdicts::{
    StoredVerdict, VerdictFilter, VerdictKey, keys_with_verdict, list_verdicts,
};
use crate::store::{StoreError, Tx};

/// What both walks are told.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) connection: &'a ConnectionId,
    pub(super) waiting: &'a Waiting,
    pub(super) now: Timestamp,
    pub(super) watch: &'a dyn Watch,
}

/// What the walk along the verdicts found.
pub(super) struct Judged {
    pub(super) verdicts: Check,
    pub(super) qualifications: Check,
}

/// Every verdict against what it is judged anew, if it is, and against its qualifications.
pub(super) async fn along_verdicts(
    tx: &mut Tx,
    ask: Ask<'_>,
    anew: Option<Anew>,
) -> Result<Judged, StoreError> {
    let mut found = Judged {
        verdicts: Check::new(super::verdicts::NAME),
        qualifications: Check::new(qualifications::NAME),
    };
    let is_judged = anew.is_some();
    let mut anew = anew.unwrap_or_default().into_iter().peekable();
    let filter = VerdictFilter::default();
    let mut after: Option<VerdictKey> = None;
    let mut walked = 0;
    loop {
        let page = list_verdicts(tx, ask.connection, &filter, after.as_ref(), PAGE).await?;
        for stored in page.iter().filter(|_| is_judged) {
            let key = key_of(stored);
            let check = &mut found.verdicts;
            while let Some((key, is)) = anew.next_if(|(next, _)| *next < key) {
                compare(&key, Some(&is), None, ask.waiting, check)?;
            }
            let is = anew.next_if(|(next, _)| *next == key).map(|(_, is)| is);
            compare(&key, is.as_ref(), Some(stored), ask.waiting, check)?;
        }
        queue_follows(tx, ask, &page, &mut found.qualifications).await?;
        walked += page.len() as u64;
        ask.watch.looked_at("verdicts", walked);
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => after = Some(key_of(last)),
            _ => break,
        }
    }
    for (key, is) in anew {
        compare(&key, Some(&is), None, ask.waiting, &mut found.verdicts)?;
    }
    Ok(found)
}

fn key_of(stored: &StoredVerdict) -> VerdictKey {
    let verdict = &stored.verdict;
    (verdict.campaign.clone(), verdict.referral.clone())
}

/// A page of verdicts, each against its qualifications.
async fn queue_follows(
    tx: &mut Tx,
    ask: Ask<'_>,
    page: &[StoredVerdict],
    check: &mut Check,
) -> Result<(), StoreError> {
    let referrals: BTreeSet<ReferralId> = page.iter().map(|v| v.verdict.referral.clone()).collect();
    let referrals: Vec<ReferralId> = referrals.into_iter().collect();
    let queue = by_key(qualifications_of_referrals(tx, ask.connection, &referrals).await?);
    let mut wanted: BTreeMap<CampaignId, Vec<(VerdictKey, String)>> = BTreeMap::new();
    for stored in page {
        let key = key_of(stored);
        let list = queue.get(&key).map_or(&[][..], Vec::as_slice);
        let terms = (ask.waiting, ask.now);
        if let Some(new) = qualifications::follows(&key, stored, list, terms, check) {
            let of_campaign = wanted.entry(new.campaign).or_default();
            of_campaign.push((key, new.person));
        }
    }
    // One look for each campaign on the page in which anybody seems to be left out.
    for (campaign, wanted) in wanted {
        let persons: Vec<String> = wanted.iter().map(|(_, person)| person.clone()).collect();
        let active = active_of_persons(tx, ask.connection, &campaign, &persons).await?;
        let active: BTreeSet<String> = active.into_iter().map(|one| one.person).collect();
        // The others have had their reward by another referral of the campaign.
        for (key, _) in wanted.iter().filter(|(_, person)| !active.contains(person)) {
            let list = queue.get(key).map_or(&[][..], Vec::as_slice);
            qualifications::is_missing(key, list, check);
        }
    }
    Ok(())
}

/// What the walk along the qualifications goes into.
pub(super) struct Checks<'c> {
    pub(super) qualifications: &'c mut Check,
    pub(super) uniqueness: &'c mut Check,
    /// The ledger's, until something of it does not read back.
    pub(super) ledger: Result<Check, StoreError>,
}

/// Every qualification against the verdicts there are, the other ones, and the ledger.
pub(super) async fn along_qualifications(
    tx: &mut Tx,
    ask: Ask<'_>,
    checks: &mut Checks<'_>,
) -> Result<(), StoreError> {
    let mut books = Books::default();
    let filter = QualificationFilter::default();
    let mut after = None;
    loop {
        let page = list_qualifications(tx, ask.connection, &filter, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|last| last.id.clone());
        let count = page.len() as u64;
        checks.qualifications.looked_at += count;
        checks.uniqueness.looked_at += count;
        strays(tx, ask, &page, checks.qualifications).await?;
        if let Ok(check) = &mut checks.ledger
            && let Err(error) = books.take(tx, ask.connection, &page, check).await
        {
            checks.ledger = Err(error);
        }
        let walked = checks.qualifications.looked_at;
        ask.watch.looked_at("qualifications", walked);
        if !full {
            break;
        }
    }
    uniqueness::persons(tx, ask.connection, checks.uniqueness).await?;
    if let Ok(check) = &mut checks.ledger
        && let Err(error) = books.check(tx, ask.connection, check).await
    {
        checks.ledger = Err(error);
    }
    Ok(())
}

/// Those of a page whose claim is no more; each claim is told of by what is in force last.
async fn strays(
    tx: &mut Tx,
    ask: Ask<'_>,
    page: &[Qualification],
    check: &mut Check,
) -> Result<(), StoreError> {
    let keys: BTreeSet<VerdictKey> = page
        .iter()
        .map(|one| (one.campaign.clone(), one.referral.clone()))
        .collect();
    let all: Vec<VerdictKey> = keys.iter().cloned().collect();
    let with_verdict = keys_with_verdict(tx, ask.connection, &all).await?;
    let without: BTreeSet<&VerdictKey> = keys.difference(&with_verdict).collect();
    if without.is_empty() {
        return Ok(());
    }
    let referrals: BTreeSet<ReferralId> = without.iter().map(|key| key.1.clone()).collect();
    let referrals: Vec<ReferralId> = referrals.into_iter().collect();
    let queue = by_key(qualifications_of_referrals(tx, ask.connection, &referrals).await?);
    for key in without {
        let list = queue.get(key).map_or(&[][..], Vec::as_slice);
        let is_here = |last: &Qualification| page.iter().any(|one| one.id == last.id);
        if list.last().is_some_and(is_here) {
            qualifications::is_stray(key, list, check);
        }
    }
    Ok(())
}
