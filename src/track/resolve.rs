//! Which campaign a link, a page or a lead is about: the one that is named, or the one that
//! was given its landing page first. Only campaigns that run take anybody in.

use crate::domain::campaign::Campaign;
use crate::domain::ids::ConnectionId;
use crate::domain::referral_link::ReferralLink;
use crate::domain::time::Timestamp;
use crate::queue::worker::campaigns;
use crate::store::referral_links::campaign_links;
use crate::store::{StoreError, Tx};

/// A campaign with where its links lead.
#[derive(Debug)]
pub(super) struct Target {
    pub campaign: Campaign,
    pub link: ReferralLink,
}

impl Target {
    /// Whether somebody who is referred now belongs to the campaign.
    pub fn runs(&self, now: Timestamp) -> bool {
        let campaign = &self.campaign;
        campaign.starts.is_none_or(|starts| starts <= now)
            && campaign.ends.is_none_or(|ends| now < ends)
    }
}

/// Every campaign that has a landing page, the one that had it first in front.
pub(super) async fn targets(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<Target>, StoreError> {
    let campaigns = campaigns(tx, connection).await?;
    let links = campaign_links(tx, connection).await?;
    let with_rules = links.into_iter().filter_map(|link| {
        let rules = campaigns.iter().find(|one| one.id == link.campaign)?;
        Some(Target {
            campaign: rules.clone(),
            link,
        })
    });
    Ok(with_rules.collect())
}

/// The one that is named; if none is, the first that runs, else the first of all.
pub(super) fn choose(targets: Vec<Target>, named: Option<&str>, now: Timestamp) -> Option<Target> {
    let mut left = targets;
    if let Some(named) = named {
        left.retain(|target| target.campaign.id.as_str() == named);
    }
    let running = left.iter().position(|target| target.runs(now));
    let place = running.unwrap_or(0);
    (place < left.len()).then(|| left.swap_remove(place))
}
