//! A campaign file as a whole: the keys at its top, and the tables in their order.
//! Every problem is collected; a campaign comes out only if there is none.

use toml::de::DeTable;

use super::amount::missing;
use super::problem::{Problem, Report, codes, place};
use super::reader::{self, Section};
use super::{FILE_BYTES_MAX, canonical, reward, sections};
use crate::domain::campaign::{Campaign, Mode, Threshold};
use crate::domain::ids::{AccountId, CampaignId, ID_BYTES_MAX, RevisionId};
use crate::domain::time::Timestamp;

/// Longest campaign id, in characters.
const ID_CHARS_MAX: usize = 63;
/// Longest campaign name, in characters.
pub(super) const NAME_CHARS_MAX: usize = 120;
/// The schema that this version reads and writes.
pub(super) const SCHEMA: u32 = 1;

/// A campaign, and where its id was written.
pub(super) struct Placed {
    /// The campaign.
    pub campaign: Campaign,
    /// Line of the id's value.
    pub line: u32,
    /// Column of the id's value.
    pub column: u32,
}

/// Reads one campaign file's text. `file` is what problems call it.
pub(super) fn read(file: &str, text: &str) -> Result<Placed, Vec<Problem>> {
    let mut report = Report::new(file, text);
    if text.len() > FILE_BYTES_MAX {
        let message = format!(
            "found {} bytes; accepted are at most {FILE_BYTES_MAX}",
            text.len()
        );
        report.add(0, "", codes::TOO_LARGE, message);
        return Err(report.finish());
    }
    let Ok(document) = DeTable::parse(text) else {
        return Err(syntax_problems(report, text));
    };
    let root = reader::root(&mut report, &document);
    let campaign = campaign(&mut report, &root);
    let (line, column) = place(text, root.get("id").map_or(0, |item| item.at));
    match campaign {
        Some(mut campaign) if report.is_clean() => {
            campaign.revision = canonical::revision(&campaign);
            Ok(Placed {
                campaign,
                line,
                column,
            })
        }
        _ => Err(report.finish()),
    }
}

/// Every syntax error the parser can find, at most one a line: later ones on the same line
/// are mostly echoes of the first.
fn syntax_problems(mut report: Report<'_>, text: &str) -> Vec<Problem> {
    let (_, errors) = DeTable::parse_recoverable(text);
    let mut lines = std::collections::BTreeSet::new();
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        if lines.insert(place(text, at).0) {
            let message = format!("this is not TOML: {}", error.message());
            report.add(at, "", codes::TOML_SYNTAX, message);
        }
    }
    report.finish()
}

/// `None` only when the id or the name cannot be read, which is then reported.
fn campaign(report: &mut Report<'_>, root: &Section<'_, '_>) -> Option<Campaign> {
    schema(report, root);
    let id = id(report, root);
    let name = name(report, root);
    let account = account(report, root);
    let modes = [("live", Mode::Live), ("test", Mode::Test)];
    let mode = root.get("mode").and_then(|i| i.choice(report, &modes));
    let (starts, ends) = period(report, root);
    let section = root.section(report, "match");
    let matching = sections::matching(report, &section);
    let before = report.len();
    let section = root.section(report, "qualify");
    let qualify = sections::qualify(report, &section);
    // Thresholds that could not be read are not held against what follows.
    let sound = report.len() == before;
    let spend: &[Threshold] = if sound { &qualify.spend } else { &[] };
    let section = root.section(report, "attribution");
    let attribution = sections::attribution(report, &section);
    let before = report.len();
    let rewards = root.section(report, "reward");
    let section = rewards.section(report, "promoter");
    let reward_promoter = reward::reward(report, &section, spend);
    let section = rewards.section(report, "invited");
    let reward_invited = reward::reward(report, &section, spend);
    let rewards = (report.len() == before).then_some([reward_promoter, reward_invited]);
    let section = root.section(report, "limits");
    let limits = reward::limits(report, &section, rewards, spend);
    Some(Campaign {
        id: id?,
        revision: RevisionId::new(""),
        name: name?,
        account,
        mode: mode.unwrap_or_default(),
        starts,
        ends,
        matching,
        qualify,
        attribution,
        reward_promoter,
        reward_invited,
        limits,
    })
}

/// `schema = 1`; left out means 1, so that any later schema has to name itself.
fn schema(report: &mut Report<'_>, root: &Section<'_, '_>) {
    let Some(item) = root.get("schema") else {
        return;
    };
    if item.whole(report, 0, u32::MAX).is_some_and(|n| n != SCHEMA) {
        let message = format!("found {}; this version accepts {SCHEMA}", item.found());
        item.refuse(report, codes::SCHEMA_UNSUPPORTED, message);
    }
}

/// Whether a text is a campaign id, `^[a-z0-9][a-z0-9-]{0,62}$`.
pub fn is_campaign_id(text: &str) -> bool {
    text.len() <= ID_CHARS_MAX
        && text.bytes().next().is_some_and(|b| b != b'-')
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn id(report: &mut Report<'_>, root: &Section<'_, '_>) -> Option<CampaignId> {
    let Some(item) = root.get("id") else {
        missing(report, root, "id", "id = \"spring-2026\"");
        return None;
    };
    let text = item.text(report, "a quoted id like \"spring-2026\"")?;
    if is_campaign_id(text) {
        return Some(CampaignId::from(text));
    }
    let message = format!(
        "found {}; accepted are 1 to {ID_CHARS_MAX} lower-case letters, digits and hyphens, \
         not beginning with a hyphen",
        item.found()
    );
    item.refuse(report, codes::ID_INVALID, message);
    None
}

fn name(report: &mut Report<'_>, root: &Section<'_, '_>) -> Option<String> {
    let Some(item) = root.get("name") else {
        missing(report, root, "name", "name = \"Spring 2026\"");
        return None;
    };
    item.label(report, NAME_CHARS_MAX).map(str::to_owned)
}

/// Source: Stripe, "The Account object": ids begin with `acct_`.
fn account(report: &mut Report<'_>, root: &Section<'_, '_>) -> Option<AccountId> {
    let item = root.get("account")?;
    let text = item.text(report, "a quoted account id like \"acct_1QmDemo000000001\"")?;
    let valid = text
        .strip_prefix("acct_")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()));
    if valid && text.len() <= ID_BYTES_MAX {
        return Some(AccountId::from(text));
    }
    let message = format!(
        "found {}; accepted is a Stripe account id like \"acct_1QmDemo000000001\", or leave \
         `account` out while there is one connection",
        item.found()
    );
    item.refuse(report, codes::ACCOUNT_INVALID, message);
    None
}

fn period(
    report: &mut Report<'_>,
    root: &Section<'_, '_>,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let starts = root.get("starts").and_then(|item| item.instant(report));
    let ends_item = root.get("ends");
    let ends = ends_item.as_ref().and_then(|item| item.instant(report));
    if let (Some(from), Some(to), Some(item)) = (starts, ends, ends_item)
        && to <= from
    {
        let message = format!("found {to}; accepted are times after `starts`, {from}");
        item.refuse(report, codes::CONFLICT, message);
    }
    (starts, ends)
}
