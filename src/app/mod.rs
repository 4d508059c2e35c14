//! The composition root: settings become a database, a clock, routes and workers. It wires
//! and decides nothing else.

mod connection;
mod drain;
pub mod health;
mod open;
mod stages;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::access::headers::harden;
use crate::access::seal::Sealer;
use crate::access::{Access, Proxies};
use crate::backtests::Backtests;
use crate::clock::{Clock, SharedClock};
use crate::config::Config;
use crate::doctor::Lately;
use crate::domain::campaign::Mode;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::ConnectionId;
use crate::http::server::{self, Limits};
use crate::intake::{self, Endpoint, Endpoints, EventSink, Intake, Writer, WriterLimits};
use crate::notify::webhooks::Webhooks;
use crate::notify::webhooks::sender::Sender;
use crate::notify::{Mailer, MailerError};
pub use crate::shared::App;
use crate::store::{ConnectOptions, Db, StoreError};
use crate::telemetry::{self, field};
use crate::workers::Workers;
use crate::{api, random, registry, rules, track, web};
use health::Health;

pub use connection::ConnectionError;
pub use drain::{Drained, drain};
pub use open::{Opened, open, open_to_work};

/// The bounds a server runs within; tests set narrower ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// Of HTTP.
    pub http: Limits,
    /// Of the queue of events.
    pub writer: WriterLimits,
    /// Batches run when they are asked for, not on schedule: for the demo and for tests, whose
    /// clock stands still while work goes on.
    pub batches_by_hand: bool,
    /// Events are taken in and wait: nothing reads or judges them. For measuring intake alone.
    pub intake_only: bool,
    /// Everything is made up, which every page says.
    pub demo: bool,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error("the database cannot be opened; check DATABASE_URL and that the database runs")]
    Database(#[from] StoreError),
    /// The tables are those of another version.
    #[error("the database's tables are not those of this version; run `qualify migrate`")]
    NotMigrated,
    /// There is no name for this node.
    #[error(transparent)]
    Chance(#[from] random::NoChance),
    /// The settings do not fit the database.
    #[error("the connection from settings cannot be used")]
    Connection(#[from] ConnectionError),
    /// Mail cannot be sent.
    #[error("mail cannot be sent")]
    Mail(#[from] MailerError),
    /// Campaign files have problems.
    #[error("{}", rules_words(.0))]
    Rules(Vec<rules::Problem>),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}; set LISTEN_ADDR to a free address")]
    Listen {
        /// The address from settings.
        address: SocketAddr,
        /// The system's words.
        cause: std::io::Error,
    },
}

fn rules_words(problems: &[rules::Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    format!(
        "campaign files have problems; `qualify check` shows them again:\n{}",
        lines.join("\n")
    )
}

impl StartError {
    /// Whether starting again later may work without a change.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Database(error) | Self::Connection(ConnectionError::Store(error)) => {
                error.is_unavailable()
            }
            _ => false,
        }
    }
}

/// A server that runs. Dropping it stops nothing; call [`Running::shutdown`].
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub local_addr: SocketAddr,
    /// What the rooms share.
    pub app: Arc<App>,
    closing: CancellationToken,
    stop_http: CancellationToken,
    http: JoinHandle<()>,
    stop_writer: CancellationToken,
    writer: JoinHandle<()>,
    workers: Workers,
    outdated: CancellationToken,
    bounds: Bounds,
}

impl App {
    /// Opens and migrates the database, listens, and starts everything.
    pub async fn start(config: Config, clock: SharedClock) -> Result<Running, StartError> {
        Self::start_within(config, clock, Bounds::default()).await
    }

    /// The same within bounds of the caller's choice.
    pub async fn start_within(
        config: Config,
        clock: SharedClock,
        bounds: Bounds,
    ) -> Result<Running, StartError> {
        let db = Db::connect(config.database_url.expose(), &ConnectOptions::default()).await?;
        db.migrate().await?;
        let sink: Arc<dyn EventSink> = Arc::new(intake::Stored::new(db.clone()));
        Self::start_with(config, clock, bounds, db, sink).await
    }

    /// The same on a database that is open and migrated, with events going to `sink`. For
    /// tests of a database that fails.
    pub async fn start_with(
        config: Config,
        clock: SharedClock,
        bounds: Bounds,
        db: Db,
        sink: Arc<dyn EventSink>,
    ) -> Result<Running, StartError> {
        telemetry::metrics_handle();
        let node = random::node_id()?;
        tracing::info!({ field::NODE } = node.as_str(), "starting");
        let address = config.listen_addr;
        let listen = |cause| StartError::Listen { address, cause };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let local_addr = listener.local_addr().map_err(listen)?;

        let endpoint = endpoint(&config, &db, &clock).await?;
        let access = access(&config, &db, &clock, (&endpoint.connection, local_addr));
        let mailer = mailer(&config, access.base_url())?;
        let webhooks = webhooks(&config, &db, &clock, &endpoint.connection);
        let app = Arc::new(Self {
            node,
            connection: endpoint.connection.clone(),
            account: endpoint.account.clone(),
            endpoints: Arc::new(Endpoints::new(endpoint)),
            committed: Arc::new(Notify::new()),
            touched: Arc::new(Notify::new()),
            doctor: Lately::default(),
            demo: bounds.demo,
            access: Arc::new(access),
            webhooks: Arc::new(webhooks),
            config,
            db,
            clock,
        });
        load_campaigns(&app.config, &app.db, &app.connection, &app.clock).await?;
        let stop_writer = CancellationToken::new();
        let committed = Arc::clone(&app.committed);
        let (queue, writer) = Writer::start(sink, bounds.writer, committed, stop_writer.clone());

        let closing = CancellationToken::new();
        let routes = server_routes(&app, &queue, &bounds, &closing);
        let stop_http = CancellationToken::new();
        let serving = server::serve(listener, routes, bounds.http, stop_http.clone());
        let outdated = CancellationToken::new();
        Ok(Running {
            local_addr,
            workers: if bounds.intake_only {
                Workers::default()
            } else {
                stages::start(&app, mailer, bounds.batches_by_hand, &outdated)
            },
            outdated,
            app,
            closing,
            stop_http,
            http: tokio::spawn(serving),
            stop_writer,
            writer,
            bounds,
        })
    }
}

/// Opens the database of these settings, migrated, for a command that works beside the server;
/// with the connection that comes from settings.
pub async fn open_database(
    config: &Config,
    clock: &dyn Clock,
) -> Result<(Db, ConnectionId), StartError> {
    let db = Db::connect(config.database_url.expose(), &ConnectOptions::default()).await?;
    db.migrate().await?;
    let connection = connection::ensure(&db, &config.stripe, clock.now()).await?;
    Ok((db, connection.id))
}

/// The mail server of settings, if there is one.
fn mailer(config: &Config, base_url: &str) -> Result<Option<Mailer>, MailerError> {
    let Some(url) = &config.smtp_url else {
        return Ok(None);
    };
    let host = base_url.split("://").nth(1).unwrap_or_default();
    let host = host.split([':', '/']).next().unwrap_or_default();
    let from = config.mail_from.clone();
    let from = from.or_else(|| CanonicalEmail::parse(&format!("qualify@{host}")));
    let from = from.filter(CanonicalEmail::is_mailbox);
    let from = from.ok_or(MailerError::From)?;
    Mailer::new(url, &from).map(Some)
}

/// What tells others what happened.
fn webhooks(config: &Config, db: &Db, clock: &SharedClock, connection: &ConnectionId) -> Webhooks {
    Webhooks {
        db: db.clone(),
        clock: Arc::clone(clock),
        connection: connection.clone(),
        livemode: config.stripe.mode == Mode::Live,
        sealer: config.app_secret_key.as_ref().and_then(Sealer::new),
        sender: Sender::new(config.webhooks_allow_private),
        changed: Arc::new(Notify::new()),
    }
}

/// The services behind sign-in.
fn access(
    config: &Config,
    db: &Db,
    clock: &SharedClock,
    (connection, listening): (&ConnectionId, SocketAddr),
) -> Access {
    Access::new(
        db.clone(),
        Arc::clone(clock),
        connection.clone(),
        config.public_url(listening),
        Proxies::new(config.trusted_proxies.clone()),
    )
}

/// The connection that comes from settings, as far as its webhooks go.
async fn endpoint(
    config: &Config,
    db: &Db,
    clock: &SharedClock,
) -> Result<Endpoint, ConnectionError> {
    let connection = connection::ensure(db, &config.stripe, clock.now()).await?;
    Ok(Endpoint {
        connection: connection.id,
        mode: connection.mode,
        account: connection.account,
        secrets: config.stripe.webhook_secrets.clone(),
    })
}

/// Takes the campaign files over. A folder that is not there is no problem; a file with
/// problems is, because it would silently not run.
async fn load_campaigns(
    config: &Config,
    db: &Db,
    connection: &ConnectionId,
    clock: &SharedClock,
) -> Result<(), StartError> {
    if !config.rules_dir.exists() {
        return Ok(());
    }
    let files = rules::load(std::slice::from_ref(&config.rules_dir)).map_err(StartError::Rules)?;
    let scope = (config.stripe.account.as_ref(), config.stripe.mode);
    let clock = clock.as_ref();
    let loaded = registry::campaigns::load_files(db, connection, clock, scope, &files).await?;
    for campaign in &loaded.elsewhere {
        tracing::info!(campaign, "a campaign file is for another account or mode");
    }
    for campaign in &loaded.saved {
        tracing::info!(campaign, "a campaign file is in force");
    }
    Ok(())
}

/// Every route. The API and the pages are merged in here.
fn server_routes(
    app: &Arc<App>,
    writer: &Writer,
    bounds: &Bounds,
    closing: &CancellationToken,
) -> Router {
    let intake = Arc::new(Intake {
        endpoints: Arc::clone(&app.endpoints),
        writer: writer.clone(),
        clock: Arc::clone(&app.clock),
        body_read: bounds.http.body_read,
        closing: closing.clone(),
        skew_warned_at: AtomicI64::new(0),
    });
    let health = Arc::new(Health {
        node: app.node.clone(),
        db: app.db.clone(),
        connection: app.connection.clone(),
        writer: writer.clone(),
        clock: Arc::clone(&app.clock),
    });
    let backtests = Arc::new(Backtests::new(closing.clone()));
    let routes = intake::routes(intake)
        .merge(health::routes(health))
        .merge(api::routes(app, bounds.http.body_read, &backtests));
    let pages = web::web(app, bounds.http.body_read, &backtests);
    let routes = routes
        .merge(track::routes(app, bounds.http.body_read))
        .merge(web::routes(&pages));
    let dressed = web::around(&pages, crate::http::dress(routes, bounds.http.request));
    let is_secure = app.access.is_secure();
    dressed.layer(map_response(move |mut response: Response| {
        harden(&mut response, is_secure);
        std::future::ready(response)
    }))
}

impl Running {
    /// Whether the task that stores events or the server loop has ended by itself, or the
    /// tables have become a later version's.
    pub fn has_died(&self) -> bool {
        self.writer.is_finished() || self.http.is_finished() || self.outdated.is_cancelled()
    }

    /// Ends in the order in which nothing is lost: refuse new events, let open requests end,
    /// store what waits, end the workers, close the database.
    pub async fn shutdown(self) {
        self.closing.cancel();
        self.stop_http.cancel();
        if let Err(error) = self.http.await {
            tracing::error!(%error, "the server loop had died");
        }
        self.stop_writer.cancel();
        if let Err(error) = self.writer.await {
            tracing::error!(%error, "the task that stores events had died");
        }
        self.workers.end(self.bounds.http.grace).await;
        self.app.db.close().await;
    }
}
