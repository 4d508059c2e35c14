//! Logs and metrics: how they are set up, and the names they use. Log lines go to stderr and
//! carry no email, token or payload. Not a server: `/metrics` is one of our own routes.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// The names of the fields that log lines carry, so that one thing has one name everywhere.
pub mod field {
    /// The connection's id.
    pub const CONNECTION: &str = "connection";
    /// The stored event's id.
    pub const EVENT: &str = "event";
    /// Stripe's name for the kind of event.
    pub const EVENT_TYPE: &str = "event_type";
    /// The stable code of a problem.
    pub const CODE: &str = "code";
    /// The request's id, also in the answer's `x-request-id`.
    pub const REQUEST: &str = "request_id";
    /// How many events a commit stored.
    pub const GROUP: &str = "group";
    /// How long something took, in milliseconds.
    pub const MILLIS: &str = "ms";
    /// The error that explains a failure.
    pub const ERROR: &str = "error";
    /// The stage behind intake that speaks.
    pub const WORKER: &str = "worker";
    /// The node that speaks: this process among those of one database.
    pub const NODE: &str = "node";
}

/// The names of the metrics.
pub mod metric {
    /// Webhook requests by `result`: `new`, `duplicate`, `conflict`, `quarantined`, or the
    /// code of the refusal.
    pub const WEBHOOKS: &str = "qualify_webhook_requests_total";
    /// Verified webhooks by `connection` and by the place of the matching secret in its list.
    pub const SECRET_USED: &str = "qualify_webhook_secret_used_total";
    /// Seconds between the signature's time and ours; negative when the sender is ahead.
    pub const SKEW: &str = "qualify_webhook_skew_seconds";
    /// Thin events received: the destination should send snapshot payloads.
    pub const THIN: &str = "qualify_webhook_thin_events_total";
    /// Events stored by one commit.
    pub const GROUP: &str = "qualify_intake_group_events";
    /// Seconds that one commit took.
    pub const COMMIT: &str = "qualify_intake_commit_seconds";
    /// Commits that failed.
    pub const COMMIT_FAILED: &str = "qualify_intake_commit_failures_total";
    /// Seconds that one page of a batch held the database, by `stage`: `plan` or `book`.
    pub const SETTLE_PAGE: &str = "qualify_settle_page_seconds";
    /// Requests waiting for a commit.
    pub const QUEUE: &str = "qualify_intake_queue_events";
    /// Transactions that were run again after a deadlock or serialization failure.
    pub const RETRIES: &str = "qualify_store_retries_total";
    /// Open connections.
    pub const CONNECTIONS: &str = "qualify_http_connections";
    /// Requests answered, by `status` class.
    pub const REQUESTS: &str = "qualify_http_requests_total";
    /// Mails by `result`: `delivered`, `dropped` (nobody to send it to), `failed`.
    pub const MAILS: &str = "qualify_mails_total";
    /// Attempts to deliver a message to a webhook endpoint, by `result`: `delivered`, `failed`,
    /// `given_up`.
    pub const WEBHOOKS_SENT: &str = "qualify_webhooks_sent_total";
    /// Seconds that one of these attempts took.
    pub const WEBHOOK_SECONDS: &str = "qualify_webhook_send_seconds";
    /// Webhook endpoints that were turned off by the program.
    pub const WEBHOOKS_DISABLED: &str = "qualify_webhook_endpoints_disabled_total";
    /// Requests whose handler panicked.
    pub const PANICS: &str = "qualify_http_panics_total";
}

/// Buckets for the size of a commit, in events.
const GROUP_BUCKETS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// Buckets for the time a commit takes, in seconds.
const COMMIT_BUCKETS: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];
/// Buckets for the time that an endpoint takes to answer, in seconds.
const SEND_BUCKETS: [f64; 8] = [0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 6.0, 10.0];

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be understood.
    #[error("RUST_LOG: `{filter}` is not a filter; expected something like info,qualify=debug")]
    Filter {
        /// The filter as given.
        filter: String,
    },
    /// Logging was set up before.
    #[error("logging was already set up in this process")]
    Twice,
}

/// Starts logging to stderr for the whole process. Call once, from `main`'s side.
pub fn init_logs(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let parsed = EnvFilter::try_new(filter).map_err(|_| TelemetryError::Filter {
        filter: filter.to_owned(),
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr);
    let colour = std::env::var_os("NO_COLOR").is_none()
        && std::io::IsTerminal::is_terminal(&std::io::stderr());
    match format {
        LogFormat::Text => builder.with_ansi(colour).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|_| TelemetryError::Twice)
}

/// The process' metrics, set up on first use. `None` only if another recorder was installed.
pub fn metrics_handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = recorder().ok()?.build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).ok()?;
            describe();
            Some(handle)
        })
        .as_ref()
}

/// Every metric in Prometheus' text format.
pub fn render() -> String {
    metrics_handle()
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

fn recorder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(metric::GROUP.into()), &GROUP_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(metric::COMMIT.into()), &COMMIT_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(metric::SETTLE_PAGE.into()), &COMMIT_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(metric::WEBHOOK_SECONDS.into()), &SEND_BUCKETS)
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        metric::WEBHOOKS,
        "Webhook requests by result: what became of the event, or the code of the refusal"
    );
    describe_counter!(
        metric::SECRET_USED,
        "Verified webhooks by connection and by the place of the matching secret in its list"
    );
    describe_gauge!(
        metric::SKEW,
        "Seconds between the newest signature's time and ours; negative: the sender is ahead"
    );
    describe_counter!(
        metric::THIN,
        "Thin events received; the destination should send snapshot payloads"
    );
    describe_histogram!(metric::GROUP, "Events stored by one commit");
    describe_histogram!(metric::COMMIT, "Seconds that one commit of events took");
    describe_histogram!(
        metric::SETTLE_PAGE,
        "Seconds that one page of a batch held the database, by stage: plan or book"
    );
    describe_counter!(metric::COMMIT_FAILED, "Commits of events that failed");
    describe_gauge!(metric::QUEUE, "Events waiting for a commit");
    describe_counter!(
        metric::RETRIES,
        "Transactions run again after a deadlock or serialization failure"
    );
    describe_gauge!(metric::CONNECTIONS, "Open HTTP connections");
    describe_counter!(metric::REQUESTS, "HTTP requests answered, by status class");
    describe_counter!(
        metric::MAILS,
        "Mails by result: delivered, dropped (nobody to send it to), failed (one attempt)"
    );
    describe_counter!(
        metric::WEBHOOKS_SENT,
        "Attempts to deliver a message to a webhook endpoint, by result: delivered, failed, given_up"
    );
    describe_histogram!(
        metric::WEBHOOK_SECONDS,
        "Seconds that one attempt at a webhook endpoint took"
    );
    describe_counter!(
        metric::WEBHOOKS_DISABLED,
        "Webhook endpoints turned off because of what they answered"
    );
    describe_counter!(metric::PANICS, "HTTP requests whose handler panicked");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_render_in_prometheus_text() {
        assert!(metrics_handle().is_some());
        metrics::counter!(metric::PANICS).increment(2);
        metrics::histogram!(metric::GROUP).record(3.0);
        let text = render();
        assert!(
            text.contains("# TYPE qualify_http_panics_total counter"),
            "{text}"
        );
        assert!(text.contains("qualify_http_panics_total 2"), "{text}");
        assert!(
            text.contains("qualify_intake_group_events_bucket{le=\"4\"} 1"),
            "{text}"
        );
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let error = init_logs("info,,=x=", LogFormat::Text).unwrap_err();
        assert!(error.to_string().starts_with("RUST_LOG: "));
    }
}
