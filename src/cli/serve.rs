//! `qualify serve`: runs the server until it is told to end (SIGTERM or SIGINT), then lets
//! what is under way finish.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Exit;
use super::settings::SettingsArgs;
use crate::app::{App, Running};
use crate::clock::SystemClock;
use crate::config::{Config, reachable};
use crate::telemetry;

/// How often it is checked that the server's own tasks are alive.
const PULSE: Duration = Duration::from_secs(1);

/// `qualify serve`
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `qualify serve`.
pub fn run(_args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let config = settings.load()?;
    telemetry::init_logs(&config.log_filter, config.log_format)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    // Fails only if a provider is installed already, which is as good.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(serve(config, out))
}

async fn serve(config: Config, out: &mut dyn Write) -> anyhow::Result<u8> {
    // Before the greeting: whoever waits for it may send a signal at once.
    let mut signals = Signals::listen()?;
    let running = App::start(config, SystemClock::shared()).await?;
    greet(&running, out).await?;
    let code = tokio::select! {
        signal = signals.told_to_end() => {
            tracing::info!(signal, "ending: open requests and stored events first");
            Exit::Ok
        }
        () = death(&running) => {
            tracing::error!("the server cannot go on; ending so that it can be started again");
            Exit::Failure
        }
    };
    running.shutdown().await;
    Ok(code as u8)
}

/// Ends when a task of the server has ended by itself.
pub(super) async fn death(running: &Running) {
    while !running.has_died() {
        tokio::time::sleep(PULSE).await;
    }
}

/// The signals that mean "please end".
pub(super) struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// From now on they are heard.
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            int: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
        })
    }

    /// Waits for one of them; its name.
    pub(super) async fn told_to_end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

async fn greet(running: &Running, out: &mut dyn Write) -> anyhow::Result<()> {
    let app = &running.app;
    let setup = app.access.setup_link().await?;
    let text = greeting(&app.config, running.local_addr, setup.as_deref());
    out.write_all(text.as_bytes())?;
    out.flush()?;
    if !app.access.is_secure() && !is_this_machine(app.access.base_url()) {
        tracing::warn!("BASE_URL is not https: passwords and sessions travel in clear");
    }
    // So that the first sign-in takes no longer than the others.
    Ok(app.access.warm_up().await?)
}

/// Whether an address is of this machine, where nobody listens in between.
fn is_this_machine(base_url: &str) -> bool {
    let host = base_url.strip_prefix("http://").unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|here| {
        host.strip_prefix(here)
            .is_some_and(|rest| !rest.starts_with('.'))
    })
}

/// What is said at the start: where it is, what it uses, and the line to paste next.
fn greeting(config: &Config, listening: SocketAddr, setup: Option<&str>) -> String {
    let local = reachable(listening);
    let database = config.database_url.redacted();
    let database = database.strip_prefix("sqlite://").unwrap_or(&database);
    let webhooks = match config.stripe.webhook_secrets.len() {
        0 => "no signing secret yet: events are answered 503 until STRIPE_WEBHOOK_SECRET is set"
            .to_owned(),
        1 => "signing secret set".to_owned(),
        n => format!("{n} signing secrets set"),
    };
    let setup = setup.map_or_else(String::new, |link| {
        format!(
            "\nNobody is here yet. This link makes the first owner, once, within a day:\n  {link}\n"
        )
    });
    format!(
        "qualify {version}\n\
         URL       {url}\n\
         database  {database}\n\
         mode      {mode}\n\
         webhooks  {webhooks}\n\
         {setup}\n\
         To send it Stripe's events from this machine:\n  \
         stripe listen --forward-to http://{local}/webhooks/stripe\n",
        version = env!("CARGO_PKG_VERSION"),
        url = config.public_url(local),
        mode = config.stripe.mode.name(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_greeting_says_what_to_do_next() {
        let env = [("STRIPE_API_KEY", "sk_test_SENTINEL")];
        let env = env.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let config = Config::resolve(&BTreeMap::new(), &env, None, &|_| Ok(String::new()));
        let text = greeting(
            &config.unwrap(),
            "0.0.0.0:8080".parse().unwrap(),
            Some("http://127.0.0.1:8080/link?token=TOKEN"),
        );
        insta::with_settings!({filters => vec![(env!("CARGO_PKG_VERSION"), "[version]")]}, {
            insta::assert_snapshot!(text, @r"
            qualify [version]
            URL       http://127.0.0.1:8080
            database  ./data/qualify.db
            mode      test
            webhooks  no signing secret yet: events are answered 503 until STRIPE_WEBHOOK_SECRET is set

            Nobody is here yet. This link makes the first owner, once, within a day:
              http://127.0.0.1:8080/link?token=TOKEN

            To send it Stripe's events from this machine:
              stripe listen --forward-to http://127.0.0.1:8080/webhooks/stripe
            ");
        });
    }
}
