//! Qualifications as a whole, for `verify`.

use crate::domain::ids::{CampaignId, ConnectionId};
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::statement::Statement;

/// Persons with several active qualifications in one campaign, in order of (campaign, person):
/// the first `limit`, and how many there are in all. It reads every active qualification; as
/// long as the index that forbids this is there, in its order and without sorting.
pub async fn persons_with_several(
    tx: &mut Tx,
    connection: &ConnectionId,
    limit: usize,
) -> Result<(Vec<(CampaignId, String)>, u64), StoreError> {
    let mut first: Vec<(CampaignId, String)> = Vec::new();
    let mut count = 0;
    Statement::new(
        "SELECT campaign_id, person FROM qualifications
         WHERE connection_id = $1 AND active = 1
         GROUP BY campaign_id, person HAVING COUNT(*) > 1
         ORDER BY campaign_id, person",
    )
    .bind(connection)
    .for_each(tx, async |(campaign, person): (String, String)| {
        count += 1;
        if first.len() < limit {
            first.push((campaign.into(), person));
        }
        Ok(())
    })
    .await?;
    Ok((first, count))
}
