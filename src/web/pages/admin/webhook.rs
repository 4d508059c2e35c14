//! `/admin/webhooks/{id}`: one endpoint and its deliveries, with all that can be done about it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::webhooks::{HERE, at, of, secret, state, told_of};
use crate::domain::access::Permission;
use crate::domain::ids::{EndpointId, MessageId};
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::http::words::sentence;
use crate::notify::webhooks::WebhookError;
use crate::notify::webhooks::endpoints::Wanted;
use crate::notify::webhooks::sender::Reply;
use crate::store::webhook_deliveries::{Delivery, DeliveryState};
use crate::store::webhook_endpoints::WebhookEndpoint;
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::{Asked, Fields, Sent};
use crate::web::layout::{ConfirmPage, Page, Said};
use crate::web::parts::{Empty, Icon, Pager, State as Badge, Tabs, Tone, When};
use crate::web::{View, Web, url};

/// Deliveries on a page.
const ROWS: u32 = 25;

/// `/admin/webhooks/{id}`
#[derive(Debug, Template)]
#[template(path = "pages/admin/webhook.html", config = ".askama.toml")]
pub(crate) struct WebhookPage {
    pub page: Page,
    pub state: Badge,
    /// What just came back of a test, or why something was refused.
    pub news: Option<(Badge, String)>,
    pub disabled_reason: Option<String>,
    pub about: Vec<(&'static str, String)>,
    pub times: Vec<(&'static str, When)>,
    pub here: String,
    pub enabled: bool,
    pub can_change: bool,
    pub tabs: Tabs,
    pub rows: Vec<DeliveryRow>,
    pub empty: Option<Empty>,
    pub pager: Pager,
}

/// A delivery's line.
#[derive(Debug)]
pub(crate) struct DeliveryRow {
    pub topic: String,
    pub id: MessageId,
    pub happened: When,
    pub state: Badge,
    pub attempts: i64,
    pub answer: String,
    pub next: Option<When>,
    /// It can be sent again.
    pub again: bool,
}

/// `GET /admin/webhooks/{id}`
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<EndpointId>,
    Asked(query): Asked,
) -> Answer {
    page(&made(&web, &view, &id, &query, None).await?)
}

async fn made(
    web: &Web,
    view: &View,
    id: &EndpointId,
    query: &Fields,
    news: Option<(Badge, String)>,
) -> Result<WebhookPage, Problem> {
    let webhooks = of(web, view)?;
    let endpoint = webhooks.get(id).await?;
    let only = query.some("show").and_then(DeliveryState::parse);
    let after = query.some("after").map(MessageId::from);
    let rows = webhooks
        .deliveries(id, only, after.as_ref(), ROWS + 1)
        .await?;
    let rows = rows.ok_or_else(|| Problem::not_found("There is no such page of the list."))?;
    let page = view.page(&endpoint.url, HERE).under("Webhooks", HERE);
    let can_change = view.may(Permission::WebhooksWrite);
    let shown = (only, after.is_some());
    Ok(filled(
        page,
        (&endpoint, news),
        (rows, shown),
        can_change,
        view.now,
    ))
}

fn filled(
    page: Page,
    (endpoint, news): (&WebhookEndpoint, Option<(Badge, String)>),
    (mut rows, (only, is_later)): (Vec<Delivery>, (Option<DeliveryState>, bool)),
    can_change: bool,
    now: Timestamp,
) -> WebhookPage {
    let here = at(&endpoint.endpoint_id);
    let shown = only.map_or("", DeliveryState::name);
    let of_state = |state: &str| url::with(&here, &[("show", state)]);
    let has_more = rows.len() > ROWS as usize;
    rows.truncate(ROWS as usize);
    let last = rows.last().filter(|_| has_more);
    let next = last.map(|last| {
        let id = last.message_id.as_str();
        url::with(&here, &[("show", shown), ("after", id)])
    });
    let tabs = [
        ("All", of_state("")),
        ("Waiting", of_state("waiting")),
        ("Delivered", of_state("delivered")),
        ("Given up", of_state("given_up")),
    ];
    let tabs: Vec<(&str, &str)> = tabs.iter().map(|(label, at)| (*label, &**at)).collect();
    let at = |unix: Option<i64>| {
        let at = unix.and_then(Timestamp::from_unix)?;
        Some(When::new(at, now))
    };
    let rotating = endpoint.previous_until.filter(|until| *until > now.unix());
    let times = [
        ("Added", at(Some(endpoint.created_at))),
        ("Changed last", at(Some(endpoint.changed_at))),
        ("Nothing but failures since", at(endpoint.failing_since)),
        ("The old secret signs until", at(rotating)),
    ];
    WebhookPage {
        page,
        state: state(endpoint),
        news,
        disabled_reason: endpoint.disabled_reason.clone(),
        about: vec![
            ("Description", endpoint.description.clone()),
            ("Told of", told_of(endpoint).join(", ")),
            ("Id", endpoint.endpoint_id.to_string()),
        ],
        times: times
            .into_iter()
            .filter_map(|(what, at)| Some((what, at?)))
            .collect(),
        enabled: endpoint.is_enabled(),
        can_change,
        tabs: Tabs::new("Deliveries", &of_state(shown), &tabs),
        empty: rows.is_empty().then(|| empty(only, is_later)),
        rows: rows
            .into_iter()
            .map(|delivery| row(delivery, endpoint.is_enabled() && can_change, now))
            .collect(),
        pager: Pager {
            first: is_later.then(|| of_state(shown)),
            next,
        },
        here,
    }
}

fn empty(only: Option<DeliveryState>, is_later: bool) -> Empty {
    match only {
        None if !is_later => Empty::new(
            "Nothing was sent yet",
            "What happens from now on is sent here. A test message shows whether the endpoint answers.",
        ),
        _ => Empty::new("Nothing here", "No delivery is in this state."),
    }
}

fn row(delivery: Delivery, can_send: bool, now: Timestamp) -> DeliveryRow {
    let at = |unix| When::new(Timestamp::from_unix(unix).unwrap_or_default(), now);
    let is_waiting = delivery.state() == DeliveryState::Waiting;
    let state = match delivery.state() {
        DeliveryState::Delivered => Badge::new(Tone::Good, Icon::Check, "Delivered"),
        DeliveryState::Waiting => Badge::new(Tone::Wait, Icon::Clock, "Waiting"),
        DeliveryState::GivenUp => Badge::new(Tone::Bad, Icon::Minus, "Given up"),
    };
    let answer = match (&delivery.failure, delivery.status) {
        (Some(failure), _) => sentence(failure).trim_end_matches('.').to_owned(),
        (None, Some(status)) => format!("Answered {status}"),
        (None, None) => "–".to_owned(),
    };
    DeliveryRow {
        happened: at(delivery.created_at),
        state,
        attempts: delivery.attempts,
        answer,
        next: delivery.due_at.filter(|_| is_waiting).map(at),
        again: can_send && !is_waiting,
        topic: delivery.topic,
        id: delivery.message_id,
    }
}

/// `POST /admin/webhooks/{id}/test`: sends a test message and shows what came back.
pub(crate) async fn test(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<EndpointId>,
) -> Answer {
    let news = match of(&web, &view)?.test(&id).await {
        Ok(reply) => told(&reply),
        Err(error @ (WebhookError::NoKey | WebhookError::CannotOpen(_))) => {
            let words = sentence(&error.to_string());
            (Badge::new(Tone::Warn, Icon::Info, "Not sent"), words)
        }
        Err(error) => return Err(error.into()),
    };
    page(&made(&web, &view, &id, &Fields::default(), Some(news)).await?)
}

fn told(reply: &Reply) -> (Badge, String) {
    let took = reply.took.as_millis();
    match (&reply.failure, reply.status) {
        (None, status) => (
            Badge::new(Tone::Good, Icon::Check, "The test message arrived"),
            format!("Answered {} after {took} ms.", status.unwrap_or_default()),
        ),
        (Some(failure), _) => (
            Badge::new(Tone::Warn, Icon::Info, "The test message was not taken"),
            sentence(failure),
        ),
    }
}

/// `POST /admin/webhooks/{id}/state`
pub(crate) async fn set_state(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<EndpointId>,
    Sent(sent): Sent,
) -> Answer {
    let enabled = sent.raw("enabled") == "true";
    let wanted = Wanted {
        enabled: Some(enabled),
        ..Wanted::default()
    };
    of(&web, &view)?.change(&id, &wanted, &view.by).await?;
    let said = [Said::WebhookOff, Said::WebhookOn];
    let said = said.get(usize::from(enabled)).copied();
    on_to(&at(&id), said)
}

/// `POST /admin/webhooks/{id}/redeliver`
pub(crate) async fn redeliver(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<EndpointId>,
    Sent(sent): Sent,
) -> Answer {
    let webhooks = of(&web, &view)?;
    let message = MessageId::from(sent.text("message"));
    match webhooks.redeliver(&id, &message, &view.by).await {
        Ok(_) => on_to(&at(&id), Some(Said::WebhookAgain)),
        Err(WebhookError::Conflict { message, .. }) => {
            let news = (
                Badge::new(Tone::Warn, Icon::Info, "Not sent again"),
                sentence(&message),
            );
            refused(&made(&web, &view, &id, &Fields::default(), Some(news)).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /admin/webhooks/{id}/rotate`: asks once more.
pub(crate) async fn ask_rotate(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<EndpointId>,
) -> Answer {
    let endpoint = of(&web, &view)?.get(&id).await?;
    let says = "For 24 hours messages are signed with the new secret and with the one of now. \
                After that only the new one counts.";
    page(&ConfirmPage {
        page: asking(&view, &endpoint, "Make a new signing secret?"),
        says: vec![says.to_owned()],
        state: None,
        action: format!("{}/rotate", at(&id)),
        hidden: Vec::new(),
        button: "Make a new secret".to_owned(),
        danger: false,
        cancel: at(&id),
    })
}

fn asking(view: &View, endpoint: &WebhookEndpoint, question: &str) -> Page {
    view.page(question, HERE)
        .under("Webhooks", HERE)
        .under(&endpoint.url, at(&endpoint.endpoint_id))
}

/// `POST /admin/webhooks/{id}/rotate`
pub(crate) async fn rotate(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<EndpointId>,
) -> Answer {
    let rotated = of(&web, &view)?.rotate(&id, &view.by).await?;
    page(&secret(&view, &rotated, false))
}

/// `GET /admin/webhooks/{id}/delete`: asks once more.
pub(crate) async fn ask_delete(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<EndpointId>,
) -> Answer {
    let endpoint = of(&web, &view)?.get(&id).await?;
    let says = "It is told nothing any more, what waits for it is dropped, and its secret is gone. \
                This cannot be taken back. To pause it, turn it off instead.";
    page(&ConfirmPage {
        page: asking(&view, &endpoint, "Delete this endpoint?"),
        says: vec![says.to_owned()],
        state: Some(state(&endpoint)),
        action: format!("{}/delete", at(&id)),
        hidden: Vec::new(),
        button: "Delete".to_owned(),
        danger: true,
        cancel: at(&id),
    })
}

/// `POST /admin/webhooks/{id}/delete`
pub(crate) async fn delete(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<EndpointId>,
) -> Answer {
    of(&web, &view)?.delete(&id, &view.by).await?;
    on_to(HERE, Some(Said::WebhookDeleted))
}

#[cfg(test)]
mod tests {
    use super::super::webhooks::tests::endpoint;
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    fn delivery(id: &str, state: DeliveryState) -> Delivery {
        let past = now().plus_seconds(-3_600).unix();
        let failed = state != DeliveryState::Delivered;
        Delivery {
            endpoint_id: "we_1".into(),
            message_id: id.into(),
            outbox_id: id.into(),
            topic: "qualification.settled".to_owned(),
            created_at: past,
            attempts: 2,
            due_at: (state == DeliveryState::Waiting).then(|| now().plus_seconds(180).unix()),
            tried_at: Some(past),
            status: Some(if failed { 500 } else { 204 }),
            failure: failed.then(|| "answered 500".to_owned()),
            delivered_at: (!failed).then_some(past),
        }
    }

    #[test]
    fn an_endpoint() {
        let page = || frame(Role::Admin).page("https://shop.example.com/hooks/qualify", HERE);
        let rotating = WebhookEndpoint {
            previous_until: Some(now().plus_seconds(7_200).unix()),
            failures: 2,
            failing_since: Some(now().plus_seconds(-7_200).unix()),
            ..endpoint("we_1")
        };
        let rows = [
            delivery("msg_1", DeliveryState::Waiting),
            delivery("msg_2", DeliveryState::Delivered),
            delivery("msg_3", DeliveryState::GivenUp),
        ];
        let reply = Reply {
            status: Some(302),
            failure: Some("answered 302; redirects are not followed".to_owned()),
            took: std::time::Duration::from_millis(31),
        };
        let shown = (&rotating, Some(told(&reply)));
        let all = (rows.to_vec(), (None, false));
        hold("webhook", &filled(page(), shown, all, true, now()));
        let gone = WebhookEndpoint {
            enabled: 0,
            disabled_reason: Some(
                "it answered 410, which says that it is gone for good".to_owned(),
            ),
            ..endpoint("we_1")
        };
        let none = (Vec::new(), (None, false));
        hold(
            "webhook_disabled",
            &filled(page(), (&gone, None), none, true, now()),
        );
    }
}
