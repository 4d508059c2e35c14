//! Where referrals have got to, campaign by campaign: the funnel.

use std::collections::BTreeMap;

use crate::domain::ids::ConnectionId;
use crate::store::reports::{matched_by_campaign, qualifications_by_campaign};
use crate::store::verdicts::count_verdicts;
use crate::store::{StoreError, Tx};

/// Counts of one campaign, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub referrals: i64,
    pub matched: i64,
    pub pending: i64,
    pub review: i64,
    pub rejected: i64,
    pub qualified: i64,
    pub settled: i64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.referrals += other.referrals;
        self.matched += other.matched;
        self.pending += other.pending;
        self.review += other.review;
        self.rejected += other.rejected;
        self.qualified += other.qualified;
        self.settled += other.settled;
    }
}

/// The tally of every campaign that has one.
pub(crate) async fn by_campaign(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<BTreeMap<String, Tally>, StoreError> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for (campaign, state, _, count) in count_verdicts(tx, connection, None).await? {
        let tally = tallies.entry(campaign).or_default();
        tally.referrals += count;
        match state.as_str() {
            "qualified" => tally.qualified += count,
            "pending" => tally.pending += count,
            "review" => tally.review += count,
            _ => tally.rejected += count,
        }
    }
    for (campaign, count) in matched_by_campaign(tx, connection).await? {
        tallies.entry(campaign.to_string()).or_default().matched = count;
    }
    for (campaign, state, count) in qualifications_by_campaign(tx, connection).await? {
        if state == "settled" {
            tallies.entry(campaign).or_default().settled = count;
        }
    }
    Ok(tallies)
}

/// All of them together.
pub(crate) fn all<'t>(tallies: impl IntoIterator<Item = &'t Tally>) -> Tally {
    let mut sum = Tally::default();
    for tally in tallies {
        sum.add(tally);
    }
    sum
}

/// `87 % of referrals`; nothing of nothing.
pub(crate) fn share(part: i64, whole: i64, of: &str) -> String {
    match part.saturating_mul(100).checked_div(whole) {
        Some(percent) => format!("{percent} % of {of}"),
        None => format!("of no {of}"),
    }
}
