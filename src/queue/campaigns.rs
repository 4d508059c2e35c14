//! The campaigns that judge. Their files are parsed once for each text, not once a batch.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::domain::campaign::Campaign;
use crate::domain::ids::ConnectionId;
use crate::rules;
use crate::store::campaigns::current_campaigns;
use crate::store::{StoreError, Tx};

/// Texts whose campaigns are kept, at most: more than one running server has.
const KEPT_MAX: usize = 512;

/// Campaigns by the text they are parsed from, which says everything about them.
static PARSED: LazyLock<Mutex<HashMap<String, Campaign>>> = LazyLock::new(Mutex::default);

/// The campaigns of a connection, in their current revisions.
pub async fn campaigns(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<Campaign>, StoreError> {
    let stored = current_campaigns(tx, connection).await?;
    stored
        .iter()
        .map(|revision| parse(&revision.campaign_id, &revision.source))
        .collect()
}

/// A stored revision was checked when it was saved; one that no longer parses is a defect.
pub(super) fn parse(campaign: &str, source: &str) -> Result<Campaign, StoreError> {
    let kept = || PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(campaign) = kept().get(source) {
        return Ok(campaign.clone());
    }
    let parsed = rules::parse(campaign, source).map_err(|problems| {
        let first = problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        StoreError::Refused(format!(
            "the stored revision of {campaign} cannot be read: {first}"
        ))
    })?;
    let mut kept = kept();
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
    kept.insert(source.to_owned(), parsed.clone());
    Ok(parsed)
}
