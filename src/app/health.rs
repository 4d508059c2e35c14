//! `/healthz`, `/readyz` and `/metrics`: whether this process lives, whether it can serve,
//! and what it counted. None of them needs a sign-in, so none says anything about customers.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Serialize;

use crate::access::routes::{self, On};
use crate::clock::{SECOND_US, SharedClock};
use crate::domain::ids::{ConnectionId, NodeId};
use crate::intake::Writer;
use crate::store::{Db, Schema, StoreError, events};
use crate::telemetry;

/// How long the database may take to answer before it counts as down.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);

/// What readiness is judged by.
#[derive(Debug)]
pub struct Health {
    /// This process.
    pub node: NodeId,
    /// The database.
    pub db: Db,
    /// The connection whose lag is reported.
    pub connection: ConnectionId,
    /// The task that stores events.
    pub writer: Writer,
    /// Our clock.
    pub clock: SharedClock,
}

/// The answer of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Readiness {
    /// `ready` or `not_ready`; the status is 200 or 503.
    status: &'static str,
    /// `ok` or `unavailable`.
    database: &'static str,
    /// `done`, `pending`, `newer` if a later version of this program has changed the tables, or
    /// `unknown` while the database is unavailable.
    migrations: &'static str,
    /// `ok`, or `stopped` if nothing stores events any more.
    intake: &'static str,
    /// Stored events that wait to be read. A lag alone does not make a node unready: it can
    /// still take events in.
    #[serde(skip_serializing_if = "Option::is_none")]
    ingest: Option<Lag>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Lag {
    /// Events that wait.
    waiting: i64,
    /// How long the oldest of them has waited, in seconds.
    lag_seconds: i64,
}

/// The routes.
pub fn routes(health: Arc<Health>) -> Router {
    Router::new()
        .on(routes::HEALTH, alive)
        .on(routes::READY, ready)
        .on(routes::METRICS, metrics)
        .with_state(health)
}

/// The answer of `/healthz`: behind a balancer it tells which node was asked.
#[derive(Serialize)]
struct Alive<'a> {
    status: &'static str,
    node: &'a NodeId,
}

async fn alive(State(health): State<Arc<Health>>) -> Response {
    let node = &health.node;
    Json(Alive { status: "ok", node }).into_response()
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    let writer_alive = health.writer.is_alive();
    let now_us = health.clock.now_us();
    let seen = match tokio::time::timeout(DATABASE_PATIENCE, look(&health, now_us)).await {
        Ok(Ok(seen)) => Some(seen),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database does not answer the readiness check");
            None
        }
        Err(_) => None,
    };
    let readiness = judge(writer_alive, seen);
    let status = match readiness.status {
        "ready" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, [(CACHE_CONTROL, "no-store")], Json(readiness)).into_response()
}

/// The tables, and the lag once they are as they should be.
type Seen = (Schema, Option<Lag>);

async fn look(health: &Health, now_us: i64) -> Result<Seen, StoreError> {
    health.db.ping().await?;
    let schema = health.db.schema().await?;
    if schema != Schema::Current {
        return Ok((schema, None));
    }
    let mut tx = health.db.read().await?;
    let (waiting, oldest) = events::waiting(&mut tx, &health.connection).await?;
    tx.rollback().await?;
    let age_us = oldest.map_or(0, |oldest| now_us.saturating_sub(oldest).max(0));
    let lag_seconds = age_us.div_euclid(SECOND_US);
    let lag = Lag {
        waiting,
        lag_seconds,
    };
    Ok((Schema::Current, Some(lag)))
}

fn judge(writer_alive: bool, seen: Option<Seen>) -> Readiness {
    let schema = seen.map(|(schema, _)| schema);
    Readiness {
        status: if writer_alive && schema == Some(Schema::Current) {
            "ready"
        } else {
            "not_ready"
        },
        database: if seen.is_some() { "ok" } else { "unavailable" },
        migrations: match schema {
            Some(Schema::Current) => "done",
            Some(Schema::Older) => "pending",
            Some(Schema::Newer { .. }) => "newer",
            None => "unknown",
        },
        intake: if writer_alive { "ok" } else { "stopped" },
        ingest: seen.and_then(|(_, lag)| lag),
    }
}

async fn metrics() -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], telemetry::render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_the_database_its_tables_and_the_writer() {
        let lag = Lag {
            waiting: 3,
            lag_seconds: 900,
        };
        for (alive, seen, status) in [
            (true, Some((Schema::Current, Some(lag))), "ready"),
            (true, Some((Schema::Older, None)), "not_ready"),
            (true, Some((Schema::Newer { found: 99 }, None)), "not_ready"),
            (true, None, "not_ready"),
            (false, Some((Schema::Current, Some(lag))), "not_ready"),
        ] {
            assert_eq!(judge(alive, seen).status, status, "{alive} {seen:?}");
        }
        insta::assert_json_snapshot!(judge(true, Some((Schema::Current, Some(lag)))), @r#"
        {
          "status": "ready",
          "database": "ok",
          "migrations": "done",
          "intake": "ok",
          "ingest": {
            "waiting": 3,
            "lag_seconds": 900
          }
        }
        "#);
    }
}
