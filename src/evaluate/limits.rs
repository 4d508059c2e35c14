//! A campaign's limits, applied in the order (`qualified_at`, id): who still fits. Pure.

use std::collections::HashMap;

use crate::domain::campaign::{Campaign, Limits};
use crate::domain::ids::{CampaignId, PromoterId};
use crate::domain::reason::ReasonCode;
use crate::domain::verdict::{Reason, Reward};

/// What a campaign's limits have been used for so far: settlements less reversals.
#[derive(Debug, Clone, Default)]
pub struct Used {
    settled: HashMap<(CampaignId, PromoterId), u32>,
    spent: HashMap<CampaignId, i64>,
}

impl Used {
    /// Records settlements that stand for a promoter in a campaign.
    pub fn add_settled(&mut self, campaign: &CampaignId, promoter: &PromoterId, count: u32) {
        let key = (campaign.clone(), promoter.clone());
        let settled = self.settled.entry(key).or_default();
        *settled = settled.saturating_add(count);
    }

    /// Records what a campaign owes, in minor units of its budget's currency.
    pub fn add_spent(&mut self, campaign: &CampaignId, minor: i64) {
        let spent = self.spent.entry(campaign.clone()).or_default();
        *spent = spent.saturating_add(minor);
    }

    /// Whether one more settlement fits; if it does, it is recorded. A smaller reward may
    /// still fit after a larger one did not.
    pub fn admit(
        &mut self,
        campaign: &Campaign,
        promoter: &PromoterId,
        rewards: &[Reward],
    ) -> Result<(), Reason> {
        let Limits {
            per_promoter_settled,
            budget,
        } = campaign.limits;
        let settled = self
            .settled
            .get(&(campaign.id.clone(), promoter.clone()))
            .copied();
        if let Some(most) = per_promoter_settled.filter(|most| settled.unwrap_or(0) >= *most) {
            let detail = format!("the campaign settles {most} for each promoter, and has");
            return Err(Reason::new(ReasonCode::PromoterLimitReached, detail));
        }
        if let Some(budget) = budget {
            let owed = rewards
                .iter()
                .filter(|reward| reward.currency == budget.currency);
            let owed = owed.fold(0_i64, |sum, reward| sum.saturating_add(reward.amount_minor));
            let spent = self.spent.get(&campaign.id).copied().unwrap_or(0);
            if spent.saturating_add(owed) > budget.minor {
                let left = crate::domain::money::Money::new(budget.minor - spent, budget.currency);
                let detail = format!("{left} left of the campaign's budget of {budget}");
                return Err(Reason::new(ReasonCode::BudgetExhausted, detail));
            }
            self.add_spent(&campaign.id, owed);
        }
        self.add_settled(&campaign.id, promoter, 1);
        Ok(())
    }
}
