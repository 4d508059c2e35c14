//! A settlement, reversal or reinstatement as balanced entries. Pure.

use crate::domain::ids::{CampaignId, PromoterId, ReferralId};
use crate::domain::ledger::{Account, Entry};
use crate::domain::money::Money;
use crate::domain::verdict::{Reward, RewardTo};

/// Entries that give `changes` (negative amounts take back): from the campaign's budget
/// through clearing to whoever is rewarded. Zero changes leave no entries.
pub fn entries(
    campaign: &CampaignId,
    promoter: &PromoterId,
    referral: &ReferralId,
    changes: &[Reward],
) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(changes.len() * 4);
    for change in changes.iter().filter(|change| change.amount_minor != 0) {
        let to = match change.to {
            RewardTo::Promoter => Account::Promoter(promoter.clone()),
            RewardTo::Invited => Account::Invited(referral.clone()),
        };
        let mut push = |account, minor| {
            let amount = Money::new(minor, change.currency);
            entries.push(Entry { account, amount });
        };
        push(Account::Budget(campaign.clone()), -change.amount_minor);
        push(Account::Clearing, change.amount_minor);
        push(Account::Clearing, -change.amount_minor);
        push(to, change.amount_minor);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::currency::Currency;
    use crate::ledger::audit::unbalanced;

    #[test]
    fn every_change_is_balanced_and_clears() {
        let jpy = Currency::parse("jpy").unwrap();
        let reward = |to, amount_minor, currency| Reward {
            to,
            amount_minor,
            currency,
        };
        let changes = [
            reward(RewardTo::Promoter, 2000, Currency::USD),
            reward(RewardTo::Invited, 0, Currency::USD),
            reward(RewardTo::Invited, -500, jpy),
        ];
        let made = entries(&"c".into(), &"p".into(), &"r".into(), &changes);
        assert_eq!(made.len(), 8, "a zero change leaves no entries");
        assert_eq!(unbalanced(&made), vec![]);
        let of = |account: &Account| -> i64 {
            made.iter()
                .filter(|e| e.account == *account)
                .map(|e| e.amount.minor)
                .sum()
        };
        assert_eq!(of(&Account::Clearing), 0);
        assert_eq!(of(&Account::Promoter("p".into())), 2000);
        assert_eq!(of(&Account::Invited("r".into())), -500);
        assert_eq!(of(&Account::Budget("c".into())), -2000 + 500);
    }
}
