//! `/admin/keys`: API keys; making one, which shows it once, and taking one back.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::{name_of, names_of};
use crate::access::audit::Action;
use crate::access::keys::{self, KeyError};
use crate::domain::access::{EVERYTHING, Permission};
use crate::domain::ids::KeyId;
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::random;
use crate::store::api_keys::{ApiKey, list_keys};
use crate::store::audit::{AuditFilter, list_audit};
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::{Fields, Sent};
use crate::web::layout::{ConfirmPage, Page, Said};
use crate::web::pages::marketing::no_such;
use crate::web::pages::marketing::promoter_form::FormPage;
use crate::web::parts::{Choice, Empty, Errors, Field, Icon, State as Badge, Tone, When};
use crate::web::{View, Web, permissions, url};

/// How many entries of the audit log are looked through for who made which key.
const MADE_MAX: u32 = 1_000;

/// `/admin/keys`
#[derive(Debug, Template)]
#[template(path = "pages/admin/keys.html", config = ".askama.toml")]
pub(crate) struct KeysPage {
    pub page: Page,
    pub rows: Vec<KeyRow>,
    pub empty: Option<Empty>,
    pub can_make: bool,
}

/// A key's line.
#[derive(Debug)]
pub(crate) struct KeyRow {
    pub name: String,
    pub id: KeyId,
    pub state: Badge,
    pub scopes: Vec<String>,
    pub made: When,
    pub by: String,
    pub used: Option<When>,
    /// Where it is taken back, while it is in force.
    pub revoke: Option<String>,
}

/// A new key, this once.
#[derive(Debug, Template)]
#[template(path = "pages/admin/key_made.html", config = ".askama.toml")]
pub(crate) struct KeyMadePage {
    pub page: Page,
    pub key: String,
    pub scopes: Vec<String>,
    pub base_url: String,
}

/// `GET /admin/keys`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View) -> Answer {
    let connection = view.connection();
    let mut tx = web.app.db.read().await?;
    let keys = list_keys(&mut tx, connection).await?;
    let filter = AuditFilter {
        action: Some(Action::KeyCreated.name().to_owned()),
        ..AuditFilter::default()
    };
    let made = list_audit(&mut tx, connection, &filter, None, MADE_MAX).await?;
    let names = names_of(
        &mut tx,
        connection,
        made.iter().map(|row| row.actor.as_str()),
    )
    .await?;
    tx.rollback().await?;
    let by: BTreeMap<String, String> = made
        .into_iter()
        .map(|row| (row.subject, name_of(&names, &row.actor)))
        .collect();
    let can_make = view.may(Permission::KeysWrite);
    page(&KeysPage {
        page: view.page("API keys", "/admin/keys"),
        empty: keys.is_empty().then(|| empty(can_make)),
        rows: keys
            .into_iter()
            .map(|key| row(key, &by, view.now, can_make))
            .collect(),
        can_make,
    })
}

fn empty(can_make: bool) -> Empty {
    let text = "A key lets your product register referrals and read what became of them.";
    let empty = Empty::new("No API keys yet", text);
    if can_make {
        empty.step("Make a key", "/admin/new-key")
    } else {
        empty
    }
}

fn row(key: ApiKey, by: &BTreeMap<String, String>, now: Timestamp, can_revoke: bool) -> KeyRow {
    let at = |unix| When::new(Timestamp::from_unix(unix).unwrap_or_default(), now);
    let in_force = key.revoked_at.is_none();
    let subject = format!("key:{}", key.key_id);
    KeyRow {
        revoke: (in_force && can_revoke)
            .then(|| format!("{}/revoke", url::at("/admin/keys", key.key_id.as_str()))),
        state: if in_force {
            Badge::new(Tone::Good, Icon::Check, "In force")
        } else {
            Badge::new(Tone::Bad, Icon::Minus, "Revoked")
        },
        scopes: key.scopes.split(' ').map(str::to_owned).collect(),
        made: at(key.created_at),
        by: by
            .get(&subject)
            .cloned()
            .unwrap_or_else(|| "not known".to_owned()),
        used: key.last_used_at.map(at),
        name: key.name,
        id: key.key_id,
    }
}

/// `GET /admin/new-key`
pub(crate) async fn new(view: View) -> Answer {
    page(&form(&view, &Fields::default(), Errors::none()))
}

/// `POST /admin/new-key`
pub(crate) async fn add(State(web): State<Arc<Web>>, view: View, Sent(sent): Sent) -> Answer {
    let app = &web.app;
    let chance = random::secret_bytes().map_err(|error| {
        tracing::error!(%error, "a key could not be made");
        Problem::internal()
    })?;
    let clock = app.clock.as_ref();
    let wanted = (sent.text("name"), sent.all("scopes"));
    match keys::create(&app.db, view.connection(), clock, chance, wanted, &view.by).await {
        Ok(made) => page(&KeyMadePage {
            page: view
                .page(format!("Key {} made", made.stored.name), "/admin/keys")
                .under("API keys", "/admin/keys"),
            key: made.key,
            scopes: made.stored.scopes.split(' ').map(str::to_owned).collect(),
            base_url: app.access.base_url().to_owned(),
        }),
        Err(error) => refused(&form(&view, &sent, errors(error)?)),
    }
}

fn errors(error: KeyError) -> Result<Errors, Problem> {
    let field = match &error {
        KeyError::Name => "name",
        KeyError::NoScopes => {
            return Ok(Errors::one(
                "scopes",
                "Choose at least one thing that it may do",
            ));
        }
        KeyError::UnknownScope(_) | KeyError::NotYours(_) => "scopes",
        KeyError::Store(_) => "",
    };
    match error {
        KeyError::Store(error) => Err(error.into()),
        KeyError::Name => Ok(Errors::one(
            field,
            "A key’s name has 1 to 120 characters and no control characters",
        )),
        other => Ok(Errors::one(field, other.to_string())),
    }
}

fn form(view: &View, sent: &Fields, errors: Errors) -> FormPage {
    let page = view
        .page("Make an API key", "/admin/keys")
        .under("API keys", "/admin/keys")
        .with_errors(errors.any());
    let mine = |scope: &&Permission| scope.is_for_keys() && view.may(**scope);
    let scopes = Permission::ALL.iter().copied().filter(|scope| mine(&scope));
    let everything = view.by.grants.may_give_scope(EVERYTHING);
    filled(page, scopes.collect(), everything, sent, errors)
}

fn filled(
    page: Page,
    scopes: Vec<Permission>,
    everything: bool,
    sent: &Fields,
    errors: Errors,
) -> FormPage {
    let chosen = sent.all("scopes");
    let choice = |name: &str, hint: &str| {
        let mut choice = Choice::new(name, name).hint(hint);
        choice.chosen = chosen.iter().any(|one| one == name);
        choice
    };
    let mut of: Vec<Choice> = scopes
        .into_iter()
        .map(|scope| choice(scope.name(), permissions::words(scope)))
        .collect();
    if everything {
        of.push(choice(
            EVERYTHING,
            "Everything, and what later versions add.",
        ));
    }
    FormPage {
        page,
        fields: vec![
            Field::text("name", "Name")
                .hint("What will use it, such as: shop.")
                .value(sent.raw("name"))
                .error(errors.at("name")),
            Field::checks("scopes", "What it may do", of)
                .hint("As little as will do: whoever finds the key can do all of it.")
                .error(errors.at("scopes")),
        ],
        errors,
        action: "/admin/new-key".to_owned(),
        button: "Make the key",
        cancel: "/admin/keys".to_owned(),
    }
}

async fn find(web: &Web, view: &View, id: &KeyId) -> Result<ApiKey, Problem> {
    let found = keys::list(&web.app.db, view.connection()).await?;
    let found = found.into_iter().find(|key| key.key_id == *id);
    found.ok_or_else(|| no_such("key"))
}

/// `GET /admin/keys/{id}/revoke`: asks once more.
pub(crate) async fn ask(State(web): State<Arc<Web>>, view: View, Path(id): Path<KeyId>) -> Answer {
    let key = find(&web, &view, &id).await?;
    page(&ConfirmPage {
        page: view
            .page(format!("Revoke the key {}?", key.name), "/admin/keys")
            .under("API keys", "/admin/keys"),
        says: vec![
            "Whatever uses it is refused from that moment on. This cannot be taken back; a new \
             key can be made at any time."
                .to_owned(),
        ],
        state: None,
        action: format!("{}/revoke", url::at("/admin/keys", id.as_str())),
        hidden: Vec::new(),
        button: "Revoke".to_owned(),
        danger: true,
        cancel: "/admin/keys".to_owned(),
    })
}

/// `POST /admin/keys/{id}/revoke`. Revoked already is as good as revoked.
pub(crate) async fn revoke(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<KeyId>,
) -> Answer {
    find(&web, &view, &id).await?;
    let (app, clock) = (&web.app, web.app.clock.as_ref());
    keys::revoke(&app.db, view.connection(), clock, &id, &view.by).await?;
    on_to("/admin/keys", Some(Said::KeyRevoked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    fn key(name: &str, revoked: bool) -> ApiKey {
        ApiKey {
            connection_id: "live".into(),
            key_id: format!("key_{name}").into(),
            name: name.to_owned(),
            hash: Vec::new(),
            scopes: "referrals:read referrals:write".to_owned(),
            created_at: now().plus_seconds(-86_400).unix(),
            last_used_at: (!revoked).then(|| now().plus_seconds(-60).unix()),
            revoked_at: revoked.then(|| now().unix()),
        }
    }

    #[test]
    fn the_keys() {
        let page = || frame(Role::Admin).page("API keys", "/admin/keys");
        let by = BTreeMap::from([("key:key_shop".to_owned(), "Mara Lind".to_owned())]);
        let rows = [key("shop", false), key("old", true)];
        let rows = rows.into_iter().map(|key| row(key, &by, now(), true));
        let made = KeysPage {
            page: page(),
            rows: rows.collect(),
            empty: None,
            can_make: true,
        };
        hold("keys", &made);
        let none = KeysPage {
            page: page(),
            rows: Vec::new(),
            empty: Some(empty(true)),
            can_make: true,
        };
        hold("keys_empty", &none);
    }

    #[test]
    fn a_key_is_made_and_shown_once() {
        let scopes = vec![Permission::ReferralsRead, Permission::ReferralsWrite];
        let sent = [("scopes".to_owned(), "referrals:read".to_owned())];
        let errors = Errors::one("name", "A key’s name has 1 to 120 characters");
        let page = frame(Role::Owner)
            .page("Make an API key", "/admin/keys")
            .with_errors(true);
        let form = filled(page, scopes, true, &Fields::new(sent), errors);
        hold("key_form", &form);
        let made = KeyMadePage {
            page: frame(Role::Owner).page("Key shop made", "/admin/keys"),
            key: "qk_abc".to_owned(),
            scopes: vec!["referrals:read".to_owned()],
            base_url: "https://q.example.com".to_owned(),
        };
        hold("key_made", &made);
    }
}
