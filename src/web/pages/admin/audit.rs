//! `/admin/audit`: who did what, the newest first, and whether the chain of it is whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::{audit_words, name_of, names_of};
use crate::access::audit::Action;
use crate::clock::SECOND_US;
use crate::domain::ids::ConnectionId;
use crate::domain::time::Timestamp;
use crate::store::api_keys::list_keys;
use crate::store::audit::{AuditFilter, AuditHead, AuditRow, audit_head, list_audit};
use crate::store::users::list_users;
use crate::store::{StoreError, Tx};
use crate::verify::{Check, check_audit_log};
use crate::web::answer::{Answer, page};
use crate::web::input::{Asked, Fields};
use crate::web::layout::Page;
use crate::web::parts::{Choice, Empty, Field, Icon, Link, Pager, State as Badge, Tone, When};
use crate::web::{View, Web, format, url};

/// Rows on a page.
const ROWS: u32 = 50;
/// People offered in the filter.
const PEOPLE_MAX: u32 = 200;

/// `/admin/audit`
#[derive(Debug, Template)]
#[template(path = "pages/admin/audit.html", config = ".askama.toml")]
pub(crate) struct AuditPage {
    pub page: Page,
    pub chain: Chain,
    pub filters: Vec<Field>,
    pub rows: Vec<EntryRow>,
    pub empty: Option<Empty>,
    pub pager: Pager,
}

/// What is known of the chain.
#[derive(Debug)]
pub(crate) struct Chain {
    pub state: Badge,
    pub says: String,
    /// The last entry's hash, to be kept elsewhere.
    pub hash: Option<String>,
    /// What is wrong with it: where, and what was seen.
    pub wrong: Vec<String>,
}

/// An entry's line.
#[derive(Debug)]
pub(crate) struct EntryRow {
    pub number: String,
    pub at: When,
    pub who: String,
    pub what: String,
    pub kind: String,
    pub subject: Option<Link>,
    pub detail: String,
    pub request: Option<String>,
}

/// `GET /admin/audit`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let connection = view.connection();
    let action = Action::parse(query.text("what"));
    let filter = AuditFilter {
        actor: query.owned("who"),
        action: action.map(|action| action.name().to_owned()),
        subject: query.owned("about"),
    };
    let before = query.number("before");
    let mut tx = web.app.db.read().await?;
    let mut found = list_audit(&mut tx, connection, &filter, before, ROWS + 1).await?;
    let more = found.len() > ROWS as usize;
    found.truncate(ROWS as usize);
    let names = names_of(&mut tx, connection, found.iter().map(|r| r.actor.as_str())).await?;
    let who = people(&mut tx, connection).await?;
    let head = audit_head(&mut tx, connection).await?;
    let check = if query.text("check") == "yes" {
        Some(check_audit_log(&mut tx, connection).await?)
    } else {
        None
    };
    tx.rollback().await?;
    let last = found
        .last()
        .filter(|_| more)
        .map(|row| row.number.to_string());
    page(&AuditPage {
        page: view.page("Audit log", "/admin/audit"),
        chain: chain(head.as_ref(), check.as_ref()),
        filters: filters(who, &query),
        empty: found.is_empty().then(empty),
        pager: Pager {
            first: before.map(|_| place(&query, "")),
            next: last.map(|number| place(&query, &number)),
        },
        rows: found.iter().map(|r| row(r, &names, view.now)).collect(),
    })
}

fn place(query: &Fields, before: &str) -> String {
    let values = [
        ("who", query.text("who")),
        ("what", query.text("what")),
        ("about", query.text("about")),
        ("before", before),
    ];
    url::with("/admin/audit", &values)
}

/// Everybody who may have done something, as choices.
async fn people(tx: &mut Tx, connection: &ConnectionId) -> Result<Vec<Choice>, StoreError> {
    let users = list_users(tx, connection, None, None, PEOPLE_MAX).await?;
    let keys = list_keys(tx, connection).await?;
    let mut who = vec![Choice::new("", "Anybody")];
    who.extend(users.into_iter().map(|user| {
        let label = format!("{} ({})", user.name, user.email);
        Choice::new(format!("user:{}", user.id), label)
    }));
    who.extend(keys.into_iter().map(|key| {
        let label = format!("API key {}", key.name);
        Choice::new(format!("key:{}", key.key_id), label)
    }));
    who.push(Choice::new("command_line", "The command line"));
    who.push(Choice::new("system", "qualify itself"));
    Ok(who)
}

fn filters(who: Vec<Choice>, query: &Fields) -> Vec<Field> {
    let what = Action::ALL.iter().map(|action| {
        let words = audit_words::action(*action);
        Choice::new(action.name(), words)
    });
    let what = std::iter::once(Choice::new("", "Anything")).chain(what);
    vec![
        Field::select("who", "Who", who).value(query.text("who")),
        Field::select("what", "What", what.collect()).value(query.text("what")),
        Field::search("about", "About, such as promoter:prom_ana").value(query.text("about")),
    ]
}

fn empty() -> Empty {
    Empty::new("Nothing found", "No entry fits; look for less.")
        .step("See all of it", "/admin/audit")
}

fn chain(head: Option<&AuditHead>, check: Option<&Check>) -> Chain {
    let count = head.map_or(0, |head| head.number);
    let hash = head.map(|head| format!("sha256:{}", hex::encode(&head.hash)));
    let entries = if count == 1 { "entry" } else { "entries" };
    let count = format!("{} {entries}", format::count(count));
    let (state, says, wrong) = match check {
        None => (
            Badge::new(Tone::Wait, Icon::Info, "Not checked now"),
            format!("{count}, each with the hash of the one before."),
            Vec::new(),
        ),
        Some(check) if check.is_ok() => (
            Badge::new(Tone::Good, Icon::Check, "Whole"),
            format!("{count} checked from the first to the last: none is missing or changed."),
            Vec::new(),
        ),
        Some(check) => (
            Badge::new(Tone::Bad, Icon::Alert, "Broken"),
            "Rows are never changed by this program: compare with a backup, and ask who has access \
             to the database."
                .to_owned(),
            check
                .differences
                .iter()
                .map(|one| format!("{}: {}", one.place, one.seen))
                .collect(),
        ),
    };
    Chain {
        state,
        says,
        hash,
        wrong,
    }
}

fn row(row: &AuditRow, names: &BTreeMap<String, String>, now: Timestamp) -> EntryRow {
    let at = Timestamp::from_unix(row.at_us.div_euclid(SECOND_US)).unwrap_or_default();
    let what = Action::parse(&row.action).map(audit_words::action);
    let (kind, subject) = audit_words::subject(&row.subject);
    EntryRow {
        number: row.number.to_string(),
        at: When::new(at, now),
        who: name_of(names, &row.actor),
        what: what.map_or_else(|| format::code_words(&row.action), str::to_owned),
        kind,
        subject,
        detail: audit_words::detail(&row.detail),
        request: row.request_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    fn entry(number: i64, actor: &str, action: &str, subject: &str, detail: &str) -> AuditRow {
        AuditRow {
            number,
            at_us: now().plus_seconds(-60).unix() * SECOND_US,
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail: detail.to_owned(),
            request_id: Some("0199".to_owned()),
            previous: Vec::new(),
            hash: vec![0; 32],
        }
    }

    #[test]
    fn the_audit_log() {
        let names = BTreeMap::from([("user:usr_1".to_owned(), "Mara Lind".to_owned())]);
        let rows = [
            entry(
                3,
                "user:usr_1",
                "referral.reassigned",
                "referral:ref_1",
                r#"{"before":"prom_ana","after":"prom_ben","reason":"Ben brought them"}"#,
            ),
            entry(2, "key:key_gone", "batch.run", "batches", "{}"),
            entry(1, "system", "something.new", "thing:1", r#"{"n":1}"#),
        ];
        let head = AuditHead {
            number: 3,
            hash: vec![0xab; 32],
        };
        let who = || {
            vec![
                Choice::new("", "Anybody"),
                Choice::new("user:usr_1", "Mara Lind"),
            ]
        };
        let made = |chain, rows: Vec<EntryRow>| AuditPage {
            page: frame(Role::Admin).page("Audit log", "/admin/audit"),
            chain,
            filters: filters(who(), &Fields::default()),
            empty: rows.is_empty().then(empty),
            rows,
            pager: Pager::default(),
        };
        let shown = rows.iter().map(|r| row(r, &names, now())).collect();
        hold("audit", &made(chain(Some(&head), None), shown));
        hold("audit_empty", &made(chain(None, None), Vec::new()));
    }
}
