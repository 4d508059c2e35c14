//! How much money hangs on a case, as far as what is stored tells: what would be owed if it
//! qualifies, or what is given already. What a choice does exactly is on the case's own page.

use std::collections::{BTreeMap, HashMap};

use crate::domain::campaign::Campaign;
use crate::domain::currency::Currency;
use crate::domain::ids::{ConnectionId, ReferralId};
use crate::domain::money::Money;
use crate::domain::verdict::{Reward, Spend};
use crate::evaluate::at_most;
use crate::queue::worker::{campaigns, in_force_last};
use crate::store::cases::StoredCase;
use crate::store::qualifications::{
    Qualification, QualificationState, qualifications_of_referrals,
};
use crate::store::verdicts::{VerdictKey, load_verdicts};
use crate::store::{StoreError, Tx};
use crate::web::format;

/// What is at stake in a case, in lines: rewards first, then the spend behind them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stake {
    pub rewards: String,
    pub spend: String,
}

/// What is at stake in each of some cases, by campaign and referral.
pub(crate) async fn of(
    tx: &mut Tx,
    connection: &ConnectionId,
    cases: &[StoredCase],
) -> Result<BTreeMap<VerdictKey, Stake>, StoreError> {
    let keys: Vec<VerdictKey> = cases
        .iter()
        .map(|case| (case.campaign.clone(), case.referral.clone()))
        .collect();
    let referrals: Vec<ReferralId> = keys.iter().map(|(_, id)| id.clone()).collect();
    let campaigns = campaigns(tx, connection).await?;
    let mut queue: HashMap<VerdictKey, Vec<Qualification>> = HashMap::new();
    for one in qualifications_of_referrals(tx, connection, &referrals).await? {
        let key = (one.campaign.clone(), one.referral.clone());
        queue.entry(key).or_default().push(one);
    }
    let mut stakes = BTreeMap::new();
    for stored in load_verdicts(tx, connection, &keys).await? {
        let verdict = stored.verdict;
        let campaign = campaigns.iter().find(|c| c.id == verdict.campaign);
        let key = (verdict.campaign, verdict.referral);
        let mut list = queue.remove(&key).unwrap_or_default();
        in_force_last(&mut list);
        let stake = Stake {
            rewards: rewards(list.last(), campaign, &verdict.spend),
            spend: spend(&verdict.spend),
        };
        stakes.insert(key, stake);
    }
    Ok(stakes)
}

fn rewards(last: Option<&Qualification>, campaign: Option<&Campaign>, spend: &[Spend]) -> String {
    match last.map(|q| (q.state, q)) {
        Some((QualificationState::Settled, q)) => format!("{} settled", sums(&q.given)),
        Some((QualificationState::Queued, q)) => format!("{} queued", sums(&q.rewards)),
        _ => match campaign.map(|campaign| at_most(campaign, spend)) {
            Some(rewards) if !rewards.is_empty() => format!("up to {}", sums(&rewards)),
            _ => String::new(),
        },
    }
}

/// Rewards added up, a sum for each currency.
fn sums(rewards: &[Reward]) -> String {
    let mut by_currency: BTreeMap<Currency, i64> = BTreeMap::new();
    for reward in rewards {
        let sum = by_currency.entry(reward.currency).or_default();
        *sum = sum.saturating_add(reward.amount_minor);
    }
    let sums = by_currency.into_iter();
    let sums = sums.map(|(currency, minor)| format::money(Money::new(minor, currency)));
    sums.collect::<Vec<_>>().join(" + ")
}

fn spend(spend: &[Spend]) -> String {
    let mut sums: Vec<Money> = spend
        .iter()
        .filter(|one| one.counted_minor != 0)
        .map(|one| Money::new(one.counted_minor, one.currency))
        .collect();
    sums.dedup();
    let sums: Vec<String> = sums.into_iter().map(format::money).collect();
    if sums.is_empty() {
        return "nothing spent yet".to_owned();
    }
    format!("{} spent", sums.join(" + "))
}
