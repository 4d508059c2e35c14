//! What a qualified referral is owed, and how much of what was given a later verdict still
//! supports. Percentages are of the spend that was counted, per currency, rounded down.

use std::collections::BTreeMap;

use super::spend::Tallies;
use crate::domain::campaign::{Campaign, RewardRule};
use crate::domain::currency::Currency;
use crate::domain::reason::ReasonCode;
use crate::domain::verdict::{Reward, RewardTo, Spend, Verdict, VerdictState};

/// A percentage in basis points is out of this many.
const BASIS_POINTS_WHOLE: i128 = 10_000;

/// Rewards, in a stable order: promoter, then invited person; by currency.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewards(Vec<Reward>);

impl Rewards {
    /// The rewards as a list.
    pub fn into_vec(self) -> Vec<Reward> {
        self.0
    }
}

/// What is owed for these sums.
pub(super) fn of(campaign: &Campaign, tallies: &Tallies) -> Rewards {
    for_sums(campaign, &tallies.counted_by_currency())
}

/// What a referral with this spend is owed if it qualifies as things stand: while somebody has
/// to decide, the most that may come of it.
pub fn at_most(campaign: &Campaign, spend: &[Spend]) -> Vec<Reward> {
    // A campaign may ask for two sums in one currency; what was spent is spent once.
    let some = spend.iter().filter(|spend| spend.counted_minor > 0);
    let sums: BTreeMap<Currency, i64> = some.map(|s| (s.currency, s.counted_minor)).collect();
    let sums: Vec<(Currency, i64)> = sums.into_iter().collect();
    for_sums(campaign, &sums).into_vec()
}

fn for_sums(campaign: &Campaign, sums: &[(Currency, i64)]) -> Rewards {
    let mut rewards = Vec::new();
    let sides = [
        (RewardTo::Promoter, campaign.reward_promoter),
        (RewardTo::Invited, campaign.reward_invited),
    ];
    for (to, rule) in sides {
        match rule {
            None => {}
            Some(RewardRule::Fixed(money)) => rewards.push(Reward {
                to,
                amount_minor: money.minor,
                currency: money.currency,
            }),
            Some(RewardRule::Percent { basis_points, cap }) => {
                for &(currency, counted) in sums {
                    let share = i128::from(counted) * i128::from(basis_points) / BASIS_POINTS_WHOLE;
                    let share = i64::try_from(share).unwrap_or(i64::MAX);
                    let cap = cap.filter(|cap| cap.currency == currency);
                    let amount_minor = cap.map_or(share, |cap| share.min(cap.minor));
                    if amount_minor > 0 {
                        rewards.push(Reward {
                            to,
                            amount_minor,
                            currency,
                        });
                    }
                }
            }
        }
    }
    Rewards(rewards)
}

/// What of `given` a new verdict still supports, reward by reward.
///
/// Settled money is never raised. A verdict that waits (a case, an open dispute, a refund on
/// its way, a late invoice) changes nothing until it is decided, and neither does suspending the
/// promoter: it keeps new rewards back. Whoever wants settled ones back rejects the referral.
pub fn supported(given: &[Reward], verdict: &Verdict) -> Vec<Reward> {
    let supports = |reward: &Reward| -> i64 {
        match verdict.state {
            VerdictState::Qualified => {
                let same = |r: &&Reward| r.to == reward.to && r.currency == reward.currency;
                verdict
                    .rewards
                    .iter()
                    .find(same)
                    .map_or(0, |r| r.amount_minor)
            }
            VerdictState::Review => reward.amount_minor,
            VerdictState::Pending if waits(verdict) => reward.amount_minor,
            VerdictState::Rejected if is_suspended(verdict) => reward.amount_minor,
            VerdictState::Pending | VerdictState::Rejected => 0,
        }
    };
    let still = |reward: &Reward| Reward {
        amount_minor: reward.amount_minor.min(supports(reward)),
        ..*reward
    };
    given.iter().map(still).collect()
}

fn is_suspended(verdict: &Verdict) -> bool {
    verdict.code() == Some(ReasonCode::PromoterSuspended)
}

fn waits(verdict: &Verdict) -> bool {
    use ReasonCode::{AwaitingInvoice, DisputeOpen, RefundHold};
    matches!(
        verdict.code(),
        Some(DisputeOpen | RefundHold | AwaitingInvoice)
    )
}
