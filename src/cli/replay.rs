//! `qualify replay`: has stored events read again, as after an update that understands more.
//! Facts fold the same way twice, so a replay never counts anything double.

use std::collections::BTreeMap;
use std::io::Write;

use clap::ValueEnum;
use serde_json::json;

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::access::audit::{Action, note};
use crate::app::Opened;
use crate::domain::access::By;
use crate::domain::ids::EventId;
use crate::store::events::{
    EventCursor, EventFilter, EventState, EventSummary, event_summaries, list_events, requeue,
    requeue_events,
};
use crate::store::{StoreError, retry};

/// Events looked at per page.
const PAGE: u32 = 500;

/// `qualify replay`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which events: those that ended like this
    #[arg(
        long,
        value_enum,
        default_value = "quarantined",
        conflicts_with = "events"
    )]
    state: Which,
    /// Single events by id
    events: Vec<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Quarantined,
    Ignored,
    Done,
    All,
}

impl Which {
    const fn state(self) -> Option<EventState> {
        match self {
            Self::Quarantined => Some(EventState::Quarantined),
            Self::Ignored => Some(EventState::Ignored),
            Self::Done => Some(EventState::Done),
            Self::All => None,
        }
    }
}

/// What became of what was replayed.
#[derive(Default, serde::Serialize)]
struct Outcome {
    replayed: u64,
    judged: usize,
    not_found: Vec<String>,
    /// How many ended in each state.
    states: BTreeMap<String, u64>,
    /// Why some were not used: how many by code.
    reasons: BTreeMap<String, u64>,
}

/// Runs `qualify replay`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    database::work(settings, |opened| async move {
        // What waits anyway is no part of the replay.
        database::drain(&opened).await?;
        let mut outcome = Outcome::default();
        let ids = if args.events.is_empty() {
            in_state(&opened, args.state).await?
        } else {
            known(&opened, &args.events, &mut outcome).await?
        };
        outcome.replayed = retry(|| async {
            let mut tx = opened.db.begin().await?;
            let replayed = if args.state == Which::All && args.events.is_empty() {
                requeue(&mut tx, opened.id(), &EventFilter::default()).await?
            } else {
                requeue_events(&mut tx, opened.id(), &ids).await?
            };
            if replayed > 0 {
                let what = json!({ "events": replayed });
                let entry = (Action::EventsReplayed, "events".to_owned(), what);
                let (id, now_us) = (opened.id(), opened.clock.now_us());
                note(&mut tx, id, now_us, &By::command_line(), entry).await?;
            }
            tx.commit().await?;
            Ok::<_, StoreError>(replayed)
        })
        .await?;
        outcome.judged = database::drain(&opened).await?.judged;
        became(&opened, &ids, &mut outcome).await?;
        show(&outcome, args.json, out)?;
        Ok(if outcome.not_found.is_empty() {
            Exit::Ok as u8
        } else {
            Exit::NotFound as u8
        })
    })
}

/// The ids of the events in a state.
async fn in_state(opened: &Opened, which: Which) -> anyhow::Result<Vec<EventId>> {
    let filter = EventFilter {
        state: which.state(),
        ..EventFilter::default()
    };
    let mut ids = Vec::new();
    let mut after: Option<EventCursor> = None;
    let mut tx = opened.db.read().await?;
    loop {
        let page = list_events(&mut tx, opened.id(), &filter, after.as_ref(), PAGE).await?;
        after = page.last().map(|last| EventCursor {
            received_at_us: last.received_at_us,
            event_id: EventId::from(last.event_id.as_str()),
        });
        ids.extend(page.iter().map(|e| EventId::from(e.event_id.as_str())));
        if page.len() < PAGE as usize {
            break;
        }
    }
    tx.rollback().await?;
    Ok(ids)
}

async fn known(
    opened: &Opened,
    wanted: &[String],
    outcome: &mut Outcome,
) -> anyhow::Result<Vec<EventId>> {
    let mut ids = Vec::new();
    let mut tx = opened.db.read().await?;
    let all: Vec<EventId> = wanted.iter().map(|id| EventId::from(id.as_str())).collect();
    let found = event_summaries(&mut tx, opened.id(), &all).await?;
    for id in all {
        if found.iter().any(|event| event.event_id == id.as_str()) {
            ids.push(id);
        } else {
            outcome.not_found.push(id.as_str().to_owned());
        }
    }
    tx.rollback().await?;
    Ok(ids)
}

async fn became(opened: &Opened, ids: &[EventId], outcome: &mut Outcome) -> anyhow::Result<()> {
    let mut tx = opened.db.read().await?;
    for event in event_summaries(&mut tx, opened.id(), ids).await? {
        count(&event, outcome);
    }
    tx.rollback().await?;
    Ok(())
}

fn count(event: &EventSummary, outcome: &mut Outcome) {
    *outcome.states.entry(event.state.clone()).or_default() += 1;
    if let Some(code) = &event.reason_code {
        *outcome.reasons.entry(code.clone()).or_default() += 1;
    }
}

fn show(outcome: &Outcome, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    for id in &outcome.not_found {
        database::say(format_args!("no stored event has the id {id}"));
    }
    if json {
        serde_json::to_writer(&mut *out, outcome)?;
        writeln!(out)?;
        return Ok(());
    }
    writeln!(out, "{} events replayed", outcome.replayed)?;
    for (state, count) in &outcome.states {
        writeln!(out, "  {count} {state}")?;
    }
    for (code, count) in &outcome.reasons {
        writeln!(out, "    {count} {code}")?;
    }
    Ok(())
}
