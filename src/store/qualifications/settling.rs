//! What batches read and write of qualifications.

use std::collections::BTreeMap;

use super::{Qualification, SELECT, TABLE, read};
use crate::domain::ids::{CampaignId, ConnectionId, PromoterId, QualificationId};
use crate::domain::time::Timestamp;
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::json::to_json;
use crate::store::statement::Statement;

/// Settles queued qualifications: state, `given`, `sequence` and `changed_at` become those of
/// `settled`, the rest is not looked at. [`StoreError::Stale`] if any of them is not queued.
///
/// A statement of its own because of what it leaves alone: of seven indexes only the one on what
/// is due has to be written. The state stands in an expression, so that nobody thinks of that
/// index as a way to the rows: PostgreSQL would read all that is queued, for every page.
pub async fn settle_qualifications(
    tx: &mut Tx,
    connection: &ConnectionId,
    settled: &[Qualification],
) -> Result<(), StoreError> {
    let alike = |a: &Qualification, b: &Qualification| {
        let of = |one: &Qualification| (is_given_whole(one), one.sequence, one.changed_at);
        of(a) == of(b)
    };
    for some in settled.chunk_by(alike) {
        settle_alike(tx, connection, some).await?;
    }
    Ok(())
}

/// Whether it is given what it owed, which is stored beside it.
fn is_given_whole(settled: &Qualification) -> bool {
    settled.given == settled.rewards
}

async fn settle_alike(
    tx: &mut Tx,
    connection: &ConnectionId,
    settled: &[Qualification],
) -> Result<(), StoreError> {
    const WHAT: &str = "settling qualifications";
    let Some(first) = settled.first() else {
        return Ok(());
    };
    let expected = u64::try_from(settled.len()).unwrap_or(u64::MAX);
    if is_given_whole(first) {
        return Statement::new(
            "UPDATE qualifications
             SET state = 'settled', given = rewards, sequence = $2, changed_at = $3
             WHERE connection_id = $1 AND state || '' = 'queued' AND qualification_id IN ({rows})",
        )
        .bind(connection)
        .bind(first.sequence)
        .bind(first.changed_at)
        .list(settled.iter().map(|one| &one.id))
        .execute_exactly(WHAT, expected, tx)
        .await;
    }
    let given = settled
        .iter()
        .map(|q| to_json(TABLE, &q.given))
        .collect::<Result<Vec<_>, StoreError>>()?;
    Statement::new(
        "WITH settled (qualification_id, given) AS ({rows})
         UPDATE qualifications
         SET state = 'settled', given = settled.given, sequence = $2, changed_at = $3
         FROM settled
         WHERE qualifications.connection_id = $1
           AND qualifications.qualification_id = settled.qualification_id
           AND qualifications.state || '' = 'queued'",
    )
    .bind(connection)
    .bind(first.sequence)
    .bind(first.changed_at)
    .set(
        settled
            .iter()
            .zip(given)
            .map(|(one, given)| [(&one.id).into(), given.into()]),
    )
    .execute_exactly(WHAT, expected, tx)
    .await
}

/// One page of what is due for settlement by `cut_off`, in the order in which limits go to them,
/// (`qualified_at`, id); `after` is that of the last one seen.
pub async fn due_qualifications(
    tx: &mut Tx,
    connection: &ConnectionId,
    cut_off: Timestamp,
    after: Option<&(Timestamp, QualificationId)>,
    limit: u32,
) -> Result<Vec<Qualification>, StoreError> {
    let mut statement = Statement::new(SELECT)
        .bind(connection)
        .push(" AND state = 'queued' AND settle_after <= $#", cut_off)
        // Nothing settles before it qualifies: where the index need not be read any further.
        .push(" AND qualified_at <= $#", cut_off);
    if let Some((at, id)) = after {
        statement = statement.push_all(
            " AND (qualified_at, qualification_id) > ($#, $#)",
            [(*at).into(), id.into()],
        );
    }
    let rows = statement
        .push(" ORDER BY qualified_at, qualification_id LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    read(rows)
}

/// One page of the settled or reversed ones whose verdict has changed since, those that changed
/// first in front; `after` is (`changed_at`, id) of the last one seen.
pub async fn qualifications_to_adjust(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<&(Timestamp, QualificationId)>,
    limit: u32,
) -> Result<Vec<Qualification>, StoreError> {
    let mut statement = Statement::new(SELECT)
        .bind(connection)
        .text(" AND adjust_due = 1");
    if let Some((at, id)) = after {
        statement = statement.push_all(
            " AND (changed_at, qualification_id) > ($#, $#)",
            [(*at).into(), id.into()],
        );
    }
    let rows = statement
        .push(" ORDER BY changed_at, qualification_id LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    read(rows)
}

/// How many settlements stand of some promoters in one campaign, by promoter: what a limit is held
/// against. A promoter without any is absent.
pub async fn settled_counts(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: &CampaignId,
    promoters: &[PromoterId],
) -> Result<BTreeMap<PromoterId, i64>, StoreError> {
    let rows: Vec<(String, i64)> = Statement::new(
        "SELECT promoter_id, COUNT(*) FROM qualifications
         WHERE connection_id = $1 AND campaign_id = $2 AND state = 'settled'
           AND promoter_id IN ({rows})
         GROUP BY promoter_id",
    )
    .bind(connection)
    .bind(campaign)
    .list(promoters)
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(promoter, count)| (promoter.into(), count))
        .collect())
}
