//! Saving campaigns: from the editor or API with the number that was edited, and from files at
//! start.

use serde_json::json;

use crate::access::audit::{Action, note};
use crate::clock::Clock;
use crate::domain::access::{Actor, By};
use crate::domain::campaign::{Campaign, Mode};
use crate::domain::ids::{AccountId, ConnectionId};
use crate::rules::{self, RuleSet};
use crate::store::campaigns::{
    NewRevision, StoredRevision, current_campaign, put_revision, revision_by_hash,
};
use crate::store::connections::get_connection;
use crate::store::dirty::mark_campaign;
use crate::store::{Contested, Db, StoreError, Tx, retry};

use super::RegistryError;

/// What saving came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The campaign as it is now.
    pub campaign: Campaign,
    /// The number of its current revision.
    pub number: i64,
    /// Whether anything changed: the same rules again make no new revision.
    pub changed: bool,
}

/// Who saves, and why.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// A person, a key, or the program itself that takes files over.
    pub by: &'a By,
    /// Why.
    pub why: &'a str,
}

/// Saves a campaign's rules (TOML). `expected` is the number of the revision that was edited,
/// `None` for a new campaign.
pub async fn save(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    source: &str,
    expected: Option<i64>,
    author: Author<'_>,
) -> Result<Saved, RegistryError> {
    let campaign = rules::parse("the campaign", source).map_err(RegistryError::Rules)?;
    retry(|| async {
        let mut tx = db.begin().await?;
        check_scope(&mut tx, connection, &campaign).await?;
        let current = current_campaign(&mut tx, connection, &campaign.id).await?;
        if current.as_ref().map(|revision| revision.number) != expected {
            return Err(RegistryError::Stale);
        }
        let same = current.filter(|c| c.revision == campaign.revision.as_str());
        let changed = same.is_none();
        let number = if let Some(current) = same {
            current.number
        } else {
            let tx = &mut tx;
            put(tx, connection, clock, &campaign, source, expected, author).await?
        };
        tx.commit().await?;
        let campaign = campaign.clone();
        Ok(Saved {
            campaign,
            number,
            changed,
        })
    })
    .await
}

/// Refuses rules for another mode or account: test data and live data never meet.
async fn check_scope(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: &Campaign,
) -> Result<(), RegistryError> {
    let Some(here) = get_connection(tx, connection).await? else {
        return Ok(());
    };
    if campaign.mode != here.mode {
        let message = format!(
            "the rules say mode = \"{}\", and this connection is {}",
            campaign.mode.name(),
            here.mode.name()
        );
        return Err(RegistryError::invalid("mode_mismatch", "/source", message));
    }
    match (&campaign.account, &here.account) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            let message = "the rules name another account than this connection's";
            Err(RegistryError::invalid(
                "account_mismatch",
                "/source",
                message,
            ))
        }
        _ => Ok(()),
    }
}

/// What loading files came to, by campaign id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// New or changed.
    pub saved: Vec<String>,
    /// For another account or mode than this connection's.
    pub elsewhere: Vec<String>,
}

/// Takes campaign files over. A file whose rules a campaign has had before is old news: what
/// was saved in the app since then stays.
pub async fn load_files(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    (account, mode): (Option<&AccountId>, Mode),
    files: &RuleSet,
) -> Result<Loaded, StoreError> {
    // Nodes that start together read the same files.
    let loaded = retry(|| async {
        let loaded = load_in(db, connection, clock, (account, mode), files).await;
        loaded.map_err(Contested)
    });
    loaded.await.map_err(|Contested(error)| error)
}

async fn load_in(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    (account, mode): (Option<&AccountId>, Mode),
    files: &RuleSet,
) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    let mut tx = db.begin().await?;
    for campaign in &files.campaigns {
        let other = campaign
            .account
            .as_ref()
            .is_some_and(|a| account.is_some_and(|b| a != b));
        if other || campaign.mode != mode {
            loaded.elsewhere.push(campaign.id.as_str().to_owned());
            continue;
        }
        // First what is current: whoever puts one after this look is noticed when this is put.
        let current = current_campaign(&mut tx, connection, &campaign.id).await?;
        let known = revision_by_hash(&mut tx, connection, &campaign.id, &campaign.revision).await?;
        if known.is_some() {
            continue;
        }
        let expected = current.map(|revision: StoredRevision| revision.number);
        let source = files.sources.get(&campaign.id).cloned().unwrap_or_default();
        let by = By::system();
        let author = Author {
            by: &by,
            why: "campaign file",
        };
        let tx = &mut tx;
        put(tx, connection, clock, campaign, &source, expected, author).await?;
        loaded.saved.push(campaign.id.as_str().to_owned());
    }
    tx.commit().await?;
    Ok(loaded)
}

async fn put(
    tx: &mut Tx,
    connection: &ConnectionId,
    clock: &dyn Clock,
    campaign: &Campaign,
    source: &str,
    expected: Option<i64>,
    author: Author<'_>,
) -> Result<i64, StoreError> {
    let revision = NewRevision {
        campaign: campaign.id.clone(),
        revision: campaign.revision.clone(),
        source: source.to_owned(),
        created_at: clock.now(),
        created_by: match author.by.actor {
            Actor::System => "file".to_owned(),
            _ => author.by.actor.label(),
        },
        reason: author.why.to_owned(),
    };
    let before = current_campaign(tx, connection, &campaign.id).await?;
    let before = before.map(|before| before.revision);
    let number = put_revision(tx, connection, &revision, expected).await?;
    mark_campaign(tx, connection, &campaign.id, clock.now_us()).await?;
    let what = json!({
        "number": number, "revision": campaign.revision, "revision_before": before,
        "reason": author.why,
    });
    let entry = (
        Action::CampaignSaved,
        format!("campaign:{}", campaign.id),
        what,
    );
    note(tx, connection, clock.now_us(), author.by, entry).await?;
    Ok(number)
}
