//! Outgoing webhooks over a database, without a server: each step is taken by the test, under a
//! clock that stands still at the machine's now, so that receivers can check times.

use std::sync::Arc;
use std::time::Duration;

use qualify::access::seal::Sealer;
use qualify::clock::{Clock, ManualClock, SystemClock};
use qualify::config::Secret;
use qualify::domain::access::By;
use qualify::domain::ids::ConnectionId;
use qualify::notify::webhooks::Webhooks;
use qualify::notify::webhooks::courier::Couriers;
use qualify::notify::webhooks::endpoints::{Wanted, WithSecret};
use qualify::notify::webhooks::fan_out::fan_out;
use qualify::notify::webhooks::sender::Sender;
use qualify::store::audit::{AuditFilter, AuditRow, list_audit};
use qualify::store::outbox::{OutboxMessage, insert_messages};
use qualify::store::webhook_deliveries::Delivery;
use qualify::store::{ConnectOptions, Db};
use tempfile::TempDir;

pub const KEY: &str = "0123456789abcdef0123456789abcdef";
/// Long enough for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
const IMPATIENCE: Duration = Duration::from_secs(1);

pub fn conn() -> ConnectionId {
    ConnectionId::new("live")
}

pub struct Bench {
    pub hooks: Arc<Webhooks>,
    pub clock: Arc<ManualClock>,
    pub db: Db,
    pub url: String,
    _folder: TempDir,
}

impl Bench {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/q.db", folder.path().display());
        Self::on(url, folder, PATIENCE).await
    }

    /// Waits a second for an answer.
    pub async fn impatient() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/q.db", folder.path().display());
        Self::on(url, folder, IMPATIENCE).await
    }

    pub async fn on_postgres() -> Self {
        let url = crate::support::postgres::fresh_database().await;
        Self::on(url, tempfile::tempdir().unwrap(), PATIENCE).await
    }

    async fn on(url: String, folder: TempDir, patience: Duration) -> Self {
        let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
        db.migrate().await.unwrap();
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        Self {
            hooks: node(
                &db,
                &clock,
                Some(KEY),
                Sender::with_patience(true, patience),
            ),
            clock,
            db,
            url,
            _folder: folder,
        }
    }

    /// Another node on the same database.
    pub fn another(&self, key: Option<&str>, allow_private: bool) -> Arc<Webhooks> {
        let sender = Sender::with_patience(allow_private, PATIENCE);
        node(&self.db, &self.clock, key, sender)
    }

    pub async fn endpoint(&self, url: &str, topics: &[&str]) -> WithSecret {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let wanted = Wanted {
            url: Some(url.to_owned()),
            topics: Some(topics),
            ..Wanted::default()
        };
        let made = self.hooks.create(&wanted, &By::command_line()).await;
        made.unwrap()
    }

    /// Messages in the outbox, as settling writes them.
    pub async fn happens(&self, topic: &str, ids: impl IntoIterator<Item = String>) {
        let message = |id: String| OutboxMessage {
            payload: format!(r#"{{"qualification":"{id}"}}"#),
            subject_id: id.clone(),
            outbox_id: id.into(),
            topic: topic.to_owned(),
            created_at: self.clock.now().unix(),
            delivered_at: None,
            attempts: 0,
        };
        let messages: Vec<OutboxMessage> = ids.into_iter().map(message).collect();
        let mut tx = self.db.begin().await.unwrap();
        insert_messages(&mut tx, &conn(), &messages).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn settled(&self, id: &str) {
        self.happens("qualification.settled", [id.to_owned()]).await;
    }

    /// Everything that is due, to its end.
    pub async fn work(&self) {
        work(&self.hooks).await;
    }

    pub async fn deliveries(&self, endpoint: &WithSecret) -> Vec<Delivery> {
        let id = &endpoint.endpoint.endpoint_id;
        let found = self.hooks.deliveries(id, None, None, 1_000).await;
        found.unwrap().unwrap()
    }

    pub async fn audited(&self, action: &str) -> Vec<AuditRow> {
        let filter = AuditFilter {
            action: Some(action.to_owned()),
            ..AuditFilter::default()
        };
        let mut tx = self.db.read().await.unwrap();
        list_audit(&mut tx, &conn(), &filter, None, 100)
            .await
            .unwrap()
    }
}

fn node(db: &Db, clock: &Arc<ManualClock>, key: Option<&str>, sender: Sender) -> Arc<Webhooks> {
    let key = key.map(|key| Secret::new(key).unwrap());
    Arc::new(Webhooks {
        db: db.clone(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        connection: conn(),
        livemode: true,
        sealer: key.as_ref().and_then(Sealer::new),
        sender,
        changed: Arc::default(),
    })
}

/// What a node's worker does until nothing is due.
pub async fn work(hooks: &Arc<Webhooks>) {
    let mut couriers = Couriers::default();
    loop {
        let told = fan_out(hooks).await.unwrap();
        let sent_out = couriers.send_out(hooks).await.unwrap();
        couriers.wait().await;
        if told + sent_out == 0 {
            return;
        }
    }
}
