//! `/campaigns`: every campaign with where it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::owed;
use super::tally::{Tally, by_campaign};
use crate::domain::access::Permission;
use crate::domain::campaign::Campaign;
use crate::domain::ids::ConnectionId;
use crate::domain::time::Timestamp;
use crate::rules;
use crate::store::campaigns::{StoredRevision, current_campaigns};
use crate::store::reports::{RewardFilter, RewardSum, rewards_by_campaign};
use crate::store::{StoreError, Tx};
use crate::web::answer::Answer;
use crate::web::layout::Page;
use crate::web::parts::{Empty, Icon, Link, State as Badge, Tone, When};
use crate::web::{View, Web, answer, format, url};

/// `/campaigns`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/campaigns.html", config = ".askama.toml")]
pub(crate) struct CampaignsPage {
    pub page: Page,
    pub empty: Option<Empty>,
    pub rows: Vec<CampaignRow>,
    pub can_add: bool,
}

/// A campaign's line.
#[derive(Debug)]
pub(crate) struct CampaignRow {
    pub link: Link,
    pub id: String,
    pub state: Badge,
    pub tally: Tally,
    pub owed: Vec<String>,
    pub number: i64,
    pub saved: When,
    pub saved_by: String,
}

/// `GET /campaigns`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View) -> Answer {
    let connection = view.connection();
    let mut tx = web.app.db.read().await?;
    let stored = current_campaigns(&mut tx, connection).await?;
    let tallies = by_campaign(&mut tx, connection).await?;
    let sums = rewards_by_campaign(&mut tx, connection, &RewardFilter::default()).await?;
    tx.rollback().await?;
    let mut money: BTreeMap<String, Vec<RewardSum>> = BTreeMap::new();
    for (campaign, sum) in sums {
        money.entry(campaign.to_string()).or_default().push(sum);
    }
    let row = |stored: StoredRevision| {
        let rules = parsed(&stored);
        let id = stored.campaign_id;
        CampaignRow {
            link: Link::new(
                rules.as_ref().map_or(id.as_str(), |r| &r.name),
                url::campaign(&id),
            ),
            state: standing(rules.as_ref(), view.now),
            tally: tallies.get(&id).copied().unwrap_or_default(),
            owed: owed(money.get(&id).map_or(&[], Vec::as_slice)),
            number: stored.number,
            saved: When::new(instant(stored.created_at), view.now),
            saved_by: format::actor(&stored.created_by),
            id,
        }
    };
    let rows: Vec<CampaignRow> = stored.into_iter().map(row).collect();
    answer::page(&CampaignsPage {
        page: view.page("Campaigns", "/campaigns"),
        empty: rows.is_empty().then(|| {
            let text = "A campaign says when a referral has earned its reward. Start from one of \
                        the samples and try it on past events before you save it.";
            Empty::new("No campaign yet", text).step("New campaign", "/new-campaign")
        }),
        rows,
        can_add: view.may(Permission::CampaignsWrite),
    })
}

/// Whether referrals of now belong to a campaign.
pub(super) fn standing(rules: Option<&Campaign>, now: Timestamp) -> Badge {
    let Some(rules) = rules else {
        return Badge::new(Tone::Bad, Icon::Alert, "Cannot be read");
    };
    if rules.starts.is_some_and(|starts| starts > now) {
        return Badge::new(Tone::Wait, Icon::Clock, "Not started");
    }
    if rules.ends.is_some_and(|ends| ends <= now) {
        return Badge::new(Tone::Wait, Icon::Minus, "Ended");
    }
    Badge::new(Tone::Good, Icon::Check, "Running")
}

/// The rules of a revision. What is stored was checked when it was saved.
pub(super) fn parsed(stored: &StoredRevision) -> Option<Campaign> {
    rules::parse(&stored.campaign_id, &stored.source).ok()
}

pub(super) fn instant(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix).unwrap_or_default()
}

/// The names of all campaigns by id.
pub(crate) async fn names(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<BTreeMap<String, String>, StoreError> {
    let stored = current_campaigns(tx, connection).await?;
    let named = stored.into_iter().map(|stored| {
        let name = parsed(&stored).map_or_else(|| stored.campaign_id.clone(), |r| r.name);
        (stored.campaign_id, name)
    });
    Ok(named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    #[test]
    fn the_list() {
        let row = CampaignRow {
            link: Link::new("Spring 2026", "/campaigns/spring-2026"),
            id: "spring-2026".to_owned(),
            state: Badge::new(Tone::Good, Icon::Check, "Running"),
            tally: Tally {
                referrals: 229,
                qualified: 128,
                settled: 126,
                ..Tally::default()
            },
            owed: vec!["80,000 JPY".to_owned(), "4,251.90 USD".to_owned()],
            number: 3,
            saved: When::new(now().plus_seconds(-86_400 * 5), now()),
            saved_by: "Mara Lind".to_owned(),
        };
        let page = |rows: Vec<CampaignRow>| CampaignsPage {
            page: frame(Role::Marketer).page("Campaigns", "/campaigns"),
            empty: rows
                .is_empty()
                .then(|| Empty::new("No campaign yet", "A campaign says when.")),
            rows,
            can_add: true,
        };
        hold("campaigns", &page(vec![row]));
        hold("campaigns_empty", &page(Vec::new()));
    }

    #[test]
    fn a_campaign_runs_between_its_times() {
        let rules = |times: &str| {
            let source = format!("id = \"a\"\nname = \"A\"\n{times}");
            rules::parse("a", &source).unwrap()
        };
        for (times, word) in [
            ("", "Running"),
            ("starts = 2026-03-11T00:00:00Z", "Not started"),
            ("ends = 2026-03-10T09:00:00Z", "Ended"),
        ] {
            assert_eq!(standing(Some(&rules(times)), now()).word, word, "{times}");
        }
        assert_eq!(standing(None, now()).word, "Cannot be read");
    }
}
