//! Lists of qualifications, for people who ask.

use super::{Qualification, QualificationState, SELECT, read};
use crate::domain::ids::{CampaignId, ConnectionId, PromoterId, QualificationId};
use crate::domain::time::Timestamp;
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::statement::Statement;

/// Which qualifications to list. Everything left out means any.
#[derive(Debug, Clone, Default)]
pub struct QualificationFilter {
    /// In this campaign.
    pub campaign: Option<CampaignId>,
    /// Of this promoter.
    pub promoter: Option<PromoterId>,
    /// In this state.
    pub state: Option<QualificationState>,
}

/// Qualifications in order of id, after the last one seen.
pub async fn list_qualifications(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &QualificationFilter,
    after: Option<&QualificationId>,
    limit: u32,
) -> Result<Vec<Qualification>, StoreError> {
    let rows = Statement::new(SELECT)
        .bind(connection)
        .push_some(" AND campaign_id = $#", filter.campaign.as_ref())
        .push_some(" AND promoter_id = $#", filter.promoter.as_ref())
        .push_some(
            " AND state = $#",
            filter.state.map(QualificationState::name),
        )
        .push_some(" AND qualification_id > $#", after)
        .push(" ORDER BY qualification_id LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    read(rows)
}

/// Which rewards a list shows. Everything left out means any.
#[derive(Debug, Clone, Default)]
pub struct RewardFilter {
    /// In this campaign.
    pub campaign: Option<CampaignId>,
    /// Of this promoter.
    pub promoter: Option<PromoterId>,
    /// Of qualifications in this state.
    pub state: Option<QualificationState>,
    /// That may settle by this instant.
    pub due_by: Option<Timestamp>,
    /// That may settle only after this instant.
    pub due_after: Option<Timestamp>,
}

/// Qualifications that owe something, or did: all but the withdrawn, in order of id, after the
/// last one seen.
pub async fn list_rewards(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &RewardFilter,
    after: Option<&QualificationId>,
    limit: u32,
) -> Result<Vec<Qualification>, StoreError> {
    let rows = Statement::new(SELECT)
        .bind(connection)
        .text(" AND state <> 'withdrawn'")
        .push_some(" AND campaign_id = $#", filter.campaign.as_ref())
        .push_some(" AND promoter_id = $#", filter.promoter.as_ref())
        .push_some(
            " AND state = $#",
            filter.state.map(QualificationState::name),
        )
        .push_some(" AND settle_after <= $#", filter.due_by)
        .push_some(" AND settle_after > $#", filter.due_after)
        .push_some(" AND qualification_id > $#", after)
        .push(" ORDER BY qualification_id LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    read(rows)
}
