//! `/admin/webhooks`: where others are told what happened; adding an endpoint, which shows its
//! secret once, and changing one.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use crate::domain::access::Permission;
use crate::domain::ids::EndpointId;
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;
use crate::http::Problem;
use crate::http::words::sentence;
use crate::notify::webhooks::endpoints::{Wanted, WithSecret};
use crate::notify::webhooks::{WebhookError, Webhooks};
use crate::store::webhook_endpoints::{EVERY_TOPIC, WebhookEndpoint};
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::{Fields, Sent};
use crate::web::layout::{Page, Said};
use crate::web::pages::marketing::promoter_form::FormPage;
use crate::web::parts::{Choice, Empty, Errors, Field, Icon, Link, State as Badge, Tone, When};
use crate::web::{View, Web, format, url};

/// Where the list is.
pub(crate) const HERE: &str = "/admin/webhooks";
const NEW: &str = "/admin/new-webhook";

/// Where an endpoint is.
pub(super) fn at(id: &EndpointId) -> String {
    url::at(HERE, id.as_str())
}

/// `/admin/webhooks`
#[derive(Debug, Template)]
#[template(path = "pages/admin/webhooks.html", config = ".askama.toml")]
pub(crate) struct WebhooksPage {
    pub page: Page,
    pub rows: Vec<EndpointRow>,
    pub empty: Option<Empty>,
    /// An endpoint can be added.
    pub can_add: bool,
    /// Nothing can be signed.
    pub has_no_key: bool,
}

/// An endpoint's line.
#[derive(Debug)]
pub(crate) struct EndpointRow {
    pub link: Link,
    pub description: String,
    pub state: Badge,
    pub topics: Vec<String>,
    pub made: When,
}

/// A secret, this once.
#[derive(Template)]
#[template(path = "pages/admin/webhook_secret.html", config = ".askama.toml")]
pub(crate) struct SecretPage {
    pub page: Page,
    pub secret: String,
    pub is_new: bool,
    pub back: String,
}

/// The webhooks of whoever looks; nobody of one connection sees another's.
pub(super) fn of<'w>(web: &'w Web, view: &View) -> Result<&'w Webhooks, Problem> {
    let webhooks = &web.app.webhooks;
    if webhooks.connection == *view.connection() {
        return Ok(webhooks);
    }
    Err(Problem::not_found("There is nothing at this address."))
}

/// `GET /admin/webhooks`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View) -> Answer {
    let webhooks = of(&web, &view)?;
    let endpoints = webhooks.list().await?;
    let has_no_key = webhooks.sealer.is_none();
    let can_add = view.may(Permission::WebhooksWrite) && !has_no_key;
    page(&listed(
        view.page("Webhooks", HERE),
        &endpoints,
        (can_add, has_no_key),
        view.now,
    ))
}

fn listed(
    page: Page,
    endpoints: &[WebhookEndpoint],
    (can_add, has_no_key): (bool, bool),
    now: Timestamp,
) -> WebhooksPage {
    WebhooksPage {
        page,
        empty: endpoints.is_empty().then(|| empty(can_add)),
        rows: endpoints.iter().map(|one| row(one, now)).collect(),
        can_add,
        has_no_key,
    }
}

fn empty(can_add: bool) -> Empty {
    let text = "An endpoint is an address of your own product. It is told, by a signed message, \
                when a reward is queued, settled or taken back.";
    let empty = Empty::new("No webhook endpoints yet", text);
    if can_add {
        empty.step("Add an endpoint", NEW)
    } else {
        empty
    }
}

fn row(endpoint: &WebhookEndpoint, now: Timestamp) -> EndpointRow {
    let made = Timestamp::from_unix(endpoint.created_at).unwrap_or_default();
    EndpointRow {
        link: Link::new(&endpoint.url, at(&endpoint.endpoint_id)),
        description: endpoint.description.clone(),
        state: state(endpoint),
        topics: told_of(endpoint),
        made: When::new(made, now),
    }
}

/// What an endpoint is told of, for people.
pub(super) fn told_of(endpoint: &WebhookEndpoint) -> Vec<String> {
    if endpoint.topics == EVERY_TOPIC {
        return vec!["everything".to_owned()];
    }
    endpoint.topics.split(' ').map(str::to_owned).collect()
}

/// Whether it is told, and how that goes.
pub(super) fn state(endpoint: &WebhookEndpoint) -> Badge {
    match (endpoint.is_enabled(), &endpoint.disabled_reason) {
        (true, _) if endpoint.failures > 0 => {
            let failures = format::plural(endpoint.failures, "failure");
            Badge::new(Tone::Warn, Icon::Info, format!("On, {failures} in a row"))
        }
        (true, _) => Badge::new(Tone::Good, Icon::Check, "On"),
        (false, None) => Badge::new(Tone::Wait, Icon::Minus, "Off"),
        (false, Some(_)) => Badge::new(Tone::Bad, Icon::Minus, "Disabled"),
    }
}

/// `GET /admin/new-webhook`
pub(crate) async fn new(State(web): State<Arc<Web>>, view: View) -> Answer {
    let webhooks = of(&web, &view)?;
    if webhooks.sealer.is_none() {
        return Err(WebhookError::NoKey.into());
    }
    let sent = Fields::new([("topics".to_owned(), EVERY_TOPIC.to_owned())]);
    page(&form(&view, None, &sent, Errors::none()))
}

/// `POST /admin/new-webhook`
pub(crate) async fn add(State(web): State<Arc<Web>>, view: View, Sent(sent): Sent) -> Answer {
    match of(&web, &view)?.create(&wanted(&sent), &view.by).await {
        Ok(made) => page(&secret(&view, &made, true)),
        Err(error) => refused(&form(&view, None, &sent, errors(error)?)),
    }
}

/// `GET /admin/webhooks/{id}/edit`
pub(crate) async fn edit(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<EndpointId>,
) -> Answer {
    let endpoint = of(&web, &view)?.get(&id).await?;
    let topics = endpoint.topics.split(' ');
    let topics = topics.map(|topic| ("topics".to_owned(), topic.to_owned()));
    let texts = [
        ("url".to_owned(), endpoint.url.clone()),
        ("description".to_owned(), endpoint.description.clone()),
    ];
    let sent = Fields::new(texts.into_iter().chain(topics));
    page(&form(&view, Some(&endpoint), &sent, Errors::none()))
}

/// `POST /admin/webhooks/{id}/edit`
pub(crate) async fn save(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<EndpointId>,
    Sent(sent): Sent,
) -> Answer {
    let webhooks = of(&web, &view)?;
    let endpoint = webhooks.get(&id).await?;
    match webhooks.change(&id, &wanted(&sent), &view.by).await {
        Ok(_) => on_to(&at(&id), Some(Said::WebhookSaved)),
        Err(error) => refused(&form(&view, Some(&endpoint), &sent, errors(error)?)),
    }
}

fn wanted(sent: &Fields) -> Wanted {
    Wanted {
        url: Some(sent.text("url").to_owned()),
        description: Some(sent.text("description").to_owned()),
        topics: Some(sent.all("topics").to_vec()),
        enabled: None,
    }
}

fn errors(error: WebhookError) -> Result<Errors, Problem> {
    match error {
        WebhookError::Invalid {
            pointer, message, ..
        } => {
            let field = pointer.trim_start_matches('/');
            let words = sentence(&message);
            Ok(Errors::one(field, words.trim_end_matches('.')))
        }
        other => Err(other.into()),
    }
}

fn form(
    view: &View,
    endpoint: Option<&WebhookEndpoint>,
    sent: &Fields,
    errors: Errors,
) -> FormPage {
    let title = match endpoint {
        None => "Add a webhook endpoint",
        Some(_) => "Change the endpoint",
    };
    let page = view.page(title, HERE).under("Webhooks", HERE);
    let page = match endpoint {
        None => page,
        Some(endpoint) => page.under(&endpoint.url, at(&endpoint.endpoint_id)),
    };
    let id = endpoint.map(|endpoint| &endpoint.endpoint_id);
    filled(page.with_errors(errors.any()), id, sent, errors)
}

fn filled(page: Page, id: Option<&EndpointId>, sent: &Fields, errors: Errors) -> FormPage {
    let here = id.map(at);
    let chosen = sent.all("topics");
    let choice = |name: &str, hint: &str| {
        let mut choice = Choice::new(name, name).hint(hint);
        choice.chosen = chosen.iter().any(|one| one == name);
        choice
    };
    let mut topics = vec![choice(
        EVERY_TOPIC,
        "Everything, and what later versions add.",
    )];
    topics.extend(Topic::ALL.iter().map(|one| choice(one.name(), one.says())));
    FormPage {
        page,
        fields: vec![
            Field::text("url", "Address")
                .hint("Where messages are posted: https://… and reachable from the Internet.")
                .value(sent.raw("url"))
                .error(errors.at("url")),
            Field::text("description", "Description")
                .hint("For people, such as: pays out through our bank.")
                .value(sent.raw("description"))
                .error(errors.at("description")),
            Field::checks("topics", "What it is told", topics).error(errors.at("topics")),
        ],
        errors,
        action: here
            .as_ref()
            .map_or_else(|| NEW.to_owned(), |here| format!("{here}/edit")),
        button: if id.is_some() {
            "Save"
        } else {
            "Add the endpoint"
        },
        cancel: here.unwrap_or_else(|| HERE.to_owned()),
    }
}

/// The page that shows a secret once.
pub(super) fn secret(view: &View, made: &WithSecret, is_new: bool) -> SecretPage {
    let back = at(&made.endpoint.endpoint_id);
    let title = if is_new {
        "Endpoint added"
    } else {
        "New signing secret"
    };
    SecretPage {
        page: view
            .page(title, HERE)
            .under("Webhooks", HERE)
            .under(&made.endpoint.url, &back),
        secret: made.secret.expose().to_owned(),
        is_new,
        back,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    pub fn endpoint(id: &str) -> WebhookEndpoint {
        WebhookEndpoint {
            endpoint_id: id.into(),
            url: "https://shop.example.com/hooks/qualify".to_owned(),
            description: "Pays out through our bank".to_owned(),
            topics: "qualification.settled qualification.reversed".to_owned(),
            enabled: 1,
            since: 0,
            disabled_reason: None,
            secret: Vec::new(),
            previous_secret: None,
            previous_until: None,
            failures: 0,
            failing_since: None,
            version: 1,
            created_at: now().plus_seconds(-86_400).unix(),
            changed_at: now().unix(),
        }
    }

    #[test]
    fn the_endpoints() {
        let page = || frame(Role::Admin).page("Webhooks", HERE);
        let failing = WebhookEndpoint {
            topics: "*".to_owned(),
            failures: 3,
            ..endpoint("we_2")
        };
        let gone = WebhookEndpoint {
            enabled: 0,
            disabled_reason: Some("it answered 410".to_owned()),
            ..endpoint("we_3")
        };
        let off = WebhookEndpoint {
            enabled: 0,
            ..endpoint("we_4")
        };
        let all = [endpoint("we_1"), failing, gone, off];
        hold("webhooks", &listed(page(), &all, (true, false), now()));
        hold("webhooks_empty", &listed(page(), &[], (true, false), now()));
        let without_key = listed(page(), &[], (false, true), now());
        hold("webhooks_no_key", &without_key);
    }

    #[test]
    fn an_endpoint_is_added_and_its_secret_shown_once() {
        let sent = [("url", "http://shop.example.com"), ("topics", "*")];
        let sent = Fields::new(sent.map(|(n, v)| (n.to_owned(), v.to_owned())));
        let errors = Errors::one("url", "Messages are posted over https:// alone");
        let page = frame(Role::Owner)
            .page("Add a webhook endpoint", HERE)
            .with_errors(true);
        hold("webhook_form", &filled(page, None, &sent, errors));
        let shown = SecretPage {
            page: frame(Role::Owner).page("Endpoint added", HERE),
            secret: "whsec_c2VjcmV0".to_owned(),
            is_new: true,
            back: "/admin/webhooks/we_1".to_owned(),
        };
        hold("webhook_secret", &shown);
    }
}
