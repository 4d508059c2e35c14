//! `/campaigns/{id}`: the rules in words, the numbers, and every revision with who saved it,
//! why, and what it changed.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::campaigns::{instant, parsed, standing};
use super::dashboard::{Figure, figures};
use super::tally::by_campaign;
use super::{MoneyRow, no_such, rules_words};
use crate::domain::access::Permission;
use crate::domain::ids::CampaignId;
use crate::store::campaigns::{StoredRevision, current_campaign, list_revisions};
use crate::store::referral_links::get_campaign_link;
use crate::store::reports::{RewardFilter, reward_totals};
use crate::web::answer::Answer;
use crate::web::input::Asked;
use crate::web::layout::Page;
use crate::web::parts::{Choice, Diff, Field, Pager, State as Badge, When};
use crate::web::{View, Web, answer, format, url};

/// Revisions on a page.
const REVISIONS: u32 = 20;

/// `/campaigns/{id}`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/campaign.html", config = ".askama.toml")]
pub(crate) struct CampaignPage {
    pub page: Page,
    pub id: String,
    pub state: Badge,
    pub can_edit: bool,
    pub words: Vec<(&'static str, String)>,
    pub source: String,
    pub figures: Vec<Figure>,
    pub money: Vec<MoneyRow>,
    pub revisions: Vec<RevisionRow>,
    pub compare: Option<Compare>,
    pub pager: Pager,
    pub referrals: String,
    pub edit: String,
    /// Where its referral links are set.
    pub link: String,
    /// The page that they lead to, once one is set.
    pub leads_to: Option<String>,
}

/// A revision's line.
#[derive(Debug)]
pub(crate) struct RevisionRow {
    pub number: i64,
    pub hash: String,
    pub saved: When,
    pub by: String,
    pub why: String,
    /// What it changed of the one before, if there was one.
    pub changes: Option<String>,
}

/// Two revisions side by side.
#[derive(Debug)]
pub(crate) struct Compare {
    pub from: Field,
    pub to: Field,
    pub diff: Option<Diff>,
}

/// `GET /campaigns/{id}`, with `from` and `to` to compare two revisions.
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Asked(query): Asked,
) -> Answer {
    let connection = view.connection();
    let campaign = CampaignId::from(id.as_str());
    let mut tx = web.app.db.read().await?;
    let current = current_campaign(&mut tx, connection, &campaign).await?;
    let current = current.ok_or_else(|| no_such("campaign"))?;
    let before = query.number("before");
    let rows = REVISIONS + 1;
    let mut stored = list_revisions(&mut tx, connection, &campaign, before, rows).await?;
    let (from, to) = (query.number("from"), query.number("to"));
    let pair = match (from, to) {
        (Some(from), Some(to)) => {
            let mut two = Vec::new();
            // Two look-ups, by number.
            for number in [from, to] {
                let after = number.saturating_add(1);
                let found = list_revisions(&mut tx, connection, &campaign, Some(after), 1).await?;
                two.extend(found.into_iter().filter(|found| found.number == number));
            }
            Some(two)
        }
        _ => None,
    };
    let tallies = by_campaign(&mut tx, connection).await?;
    let links = get_campaign_link(&mut tx, connection, &campaign).await?;
    let filter = RewardFilter {
        campaign: Some(campaign),
        ..RewardFilter::default()
    };
    let money = reward_totals(&mut tx, connection, &filter).await?;
    tx.rollback().await?;
    let more = stored.len() > REVISIONS as usize;
    stored.truncate(REVISIONS as usize);
    let here = url::campaign(&id);
    let next = stored.last().filter(|_| more);
    let next = next.map(|last| url::with(&here, &[("before", &last.number.to_string())]));
    let rules = parsed(&current);
    let name = rules.as_ref().map_or(id.as_str(), |rules| &rules.name);
    answer::page(&CampaignPage {
        page: view
            .page(name, "/campaigns")
            .under("Campaigns", "/campaigns"),
        state: standing(rules.as_ref(), view.now),
        can_edit: view.may(Permission::CampaignsWrite),
        words: rules.as_ref().map(rules_words::words).unwrap_or_default(),
        figures: figures(&tallies.get(&id).copied().unwrap_or_default()),
        money: money.iter().map(MoneyRow::from).collect(),
        compare: compare(current.number, (from, to), pair),
        revisions: stored
            .iter()
            .map(|one| revision(one, &here, &view))
            .collect(),
        pager: Pager {
            first: before.map(|_| here.clone()),
            next,
        },
        referrals: url::with("/referrals", &[("campaign", &id)]),
        edit: format!("{here}/edit"),
        link: format!("{here}/link"),
        leads_to: links.map(|links| links.landing_page.as_str().to_owned()),
        source: current.source,
        id,
    })
}

fn revision(stored: &StoredRevision, here: &str, view: &View) -> RevisionRow {
    let (this, earlier) = (stored.number.to_string(), stored.number - 1);
    let pair = [("from", earlier.to_string()), ("to", this)];
    let pair = pair.each_ref().map(|(name, value)| (*name, value.as_str()));
    RevisionRow {
        number: stored.number,
        hash: format::short_hash(&stored.revision).to_owned(),
        saved: When::new(instant(stored.created_at), view.now),
        by: format::actor(&stored.created_by),
        why: stored.reason.clone(),
        changes: (earlier > 0).then(|| format!("{}#diff", url::with(here, &pair))),
    }
}

/// The form that compares any two, and the difference if two were asked for.
fn compare(
    newest: i64,
    (from, to): (Option<i64>, Option<i64>),
    pair: Option<Vec<StoredRevision>>,
) -> Option<Compare> {
    if newest < 2 {
        return None;
    }
    let choose = |name: &str, label: &str, chosen: i64| {
        // The newest are what people compare; older ones have their links below.
        let numbers = (1..=newest).rev().take(200);
        let of = numbers.map(|n| Choice::new(n.to_string(), format!("Revision {n}")));
        Field::select(name, label, of.collect()).value(chosen.to_string())
    };
    let diff = pair.and_then(|pair| match pair.as_slice() {
        [a, b] => Some(Diff::new(
            format!("From revision {} to {}", a.number, b.number),
            &a.source,
            &b.source,
        )),
        _ => None,
    });
    Some(Compare {
        from: choose("from", "From", from.unwrap_or(newest - 1)),
        to: choose("to", "To", to.unwrap_or(newest)),
        diff,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::pages::marketing::tally::Tally;
    use crate::web::parts::{Icon, Tone};
    use crate::web::samples::{frame, hold, now};

    #[test]
    fn a_campaign_with_its_history() {
        let source = include_str!("../../../../rules/spring-2026.toml");
        let rules = crate::rules::parse("spring", source).unwrap();
        let stored = |number, source: &str| StoredRevision {
            campaign_id: "spring-2026".to_owned(),
            number,
            revision: "sha256:0123456789abcdef".to_owned(),
            source: source.to_owned(),
            created_at: now().unix(),
            created_by: "user:Mara Lind".to_owned(),
            reason: "45 EUR was too high".to_owned(),
        };
        let earlier = source.replace("45.00", "50.00");
        let pair = vec![stored(1, &earlier), stored(2, source)];
        let row = |number: i64| RevisionRow {
            number,
            hash: "sha256:0123456789ab".to_owned(),
            saved: When::new(now(), now()),
            by: "Mara Lind".to_owned(),
            why: "45 EUR was too high".to_owned(),
            changes: (number > 1).then(|| "/campaigns/spring-2026?from=1&to=2#diff".to_owned()),
        };
        let page = CampaignPage {
            page: frame(Role::Marketer)
                .page(&rules.name, "/campaigns")
                .under("Campaigns", "/campaigns"),
            id: "spring-2026".to_owned(),
            state: Badge::new(Tone::Good, Icon::Check, "Running"),
            can_edit: true,
            words: rules_words::words(&rules),
            source: source.to_owned(),
            figures: figures(&Tally::default()),
            money: Vec::new(),
            revisions: vec![row(2), row(1)],
            compare: compare(2, (Some(1), Some(2)), Some(pair)),
            pager: Pager::default(),
            referrals: "/referrals?campaign=spring-2026".to_owned(),
            edit: "/campaigns/spring-2026/edit".to_owned(),
            link: "/campaigns/spring-2026/link".to_owned(),
            leads_to: None,
        };
        hold("campaign", &page);
    }
}
