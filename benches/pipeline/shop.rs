//! A database with a shop's past in it, and the stages that work on its events.

use std::path::PathBuf;
use std::time::Instant;

use qualify::clock::{Clock as _, SystemClock};
use qualify::domain::access::By;
use qualify::domain::campaign::Mode;
use qualify::domain::ids::ConnectionId;
use qualify::domain::people::Referral;
use qualify::domain::time::Timestamp;
use qualify::ingest::read::Scope;
use qualify::ingest::worker::ingest_batch;
use qualify::intake::{Endpoint, admit};
use qualify::queue::worker::{Pace, judge_batch, judge_in_turn};
use qualify::registry::{campaigns, promoters};
use qualify::store::dirty::{DirtyKind, mark_dirty};
use qualify::store::events::insert_events;
use qualify::store::referrals::insert_referrals;
use qualify::store::{ConnectOptions, Db};
use tempfile::TempDir;

use super::meter::size;
use super::options::Options;
use super::world::{CAMPAIGNS, KINDS, Told, World, promoters as all_promoters};
use super::{pad, postgres};

/// Events stored in one transaction, as intake does under load.
const GROUP: usize = 64;
/// Events happened this long before they are stored.
const DAYS_AGO: i64 = 20;
/// Eight digits that stand in the number of those whose rows are copied.
const MARK: u64 = 90_000_000;

/// A database and a shop.
pub struct Shop {
    /// The database.
    pub db: Db,
    /// What happens in the shop.
    pub world: World,
    connection: ConnectionId,
    _folder: Option<TempDir>,
}

impl Shop {
    /// Makes the database, with as much stored before as is asked for.
    pub async fn open(options: &Options) -> Self {
        let (url, folder) = match options.db.as_str() {
            "sqlite" => {
                let folder = tempfile::tempdir_in(target()).unwrap();
                let file = folder.path().join("bench.db");
                (format!("sqlite://{}", file.display()), Some(folder))
            }
            "postgres" => (postgres::fresh_database().await, None),
            url => (url.to_owned(), None),
        };
        let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
        db.migrate().await.unwrap();
        let connection = ConnectionId::from("default");
        let by = By::command_line();
        for source in CAMPAIGNS {
            let author = campaigns::Author {
                by: &by,
                why: "bench",
            };
            campaigns::save(&db, &connection, &SystemClock, source, None, author)
                .await
                .unwrap();
        }
        promoters::put(&db, &connection, &SystemClock, &all_promoters(), &by)
            .await
            .unwrap();
        let starts = SystemClock.now().unix() - DAYS_AGO * 86_400;
        let mut shop = Self {
            db,
            world: World::new(0, starts),
            connection,
            _folder: folder,
        };
        if options.stored > 0 {
            shop.fill(options.stored, starts).await;
        }
        if options.warm {
            let began = Instant::now();
            pad::read_through(&shop.db).await;
            println!(
                "read through             all but events, in {} s",
                began.elapsed().as_secs()
            );
        }
        shop
    }

    /// Another hand for the same work.
    pub fn worker(&self) -> Worker {
        Worker {
            db: self.db.clone(),
            connection: self.connection.clone(),
        }
    }

    /// One batch of each stage.
    pub async fn ingest(&self) -> usize {
        self.worker().ingest().await
    }

    /// One batch.
    pub async fn judge(&self) -> usize {
        self.worker().judge().await
    }

    /// Stores the next events, and registers the referrals that belong to them; the sum of the
    /// bodies' lengths.
    pub async fn store(&mut self, count: usize) -> usize {
        let (told, referrals) = self.world.take(count);
        self.register(&referrals).await;
        self.insert(&told).await
    }

    /// Registers referrals, and judges them.
    pub async fn register(&self, referrals: &[Referral]) {
        self.register_only(referrals).await;
        while self.judge().await > 0 {}
    }

    /// Registers referrals; they are on the work list then.
    pub async fn register_only(&self, referrals: &[Referral]) {
        let now = SystemClock.now_us();
        for some in referrals.chunks(500) {
            let ids = some.iter().map(|r| r.id.as_str().to_owned()).collect();
            let mut tx = self.db.begin().await.unwrap();
            insert_referrals(&mut tx, &self.connection, some, Timestamp::default())
                .await
                .unwrap();
            mark_dirty(&mut tx, &self.connection, DirtyKind::Referral, &ids, now)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
    }

    /// Stores events; the sum of the bodies' lengths.
    pub async fn insert(&self, told: &[Told]) -> usize {
        let endpoint = Endpoint {
            connection: self.connection.clone(),
            mode: Mode::Live,
            account: None,
            secrets: Vec::new(),
        };
        for group in told.chunks(GROUP) {
            let now = SystemClock.now_us();
            let events = group.iter().map(|told| told.body.clone());
            let events: Vec<_> = events
                .map(|body| admit(&endpoint, body, None, now).unwrap())
                .collect();
            insert_events(&self.db, &self.connection, &events)
                .await
                .unwrap();
        }
        told.iter().map(|told| told.body.len()).sum()
    }

    /// Works until nothing waits.
    pub async fn drain(&self) {
        while self.ingest().await > 0 {}
        while self.judge().await > 0 {}
    }

    /// Everybody of the past: one of each kind lives it, the others are copies.
    async fn fill(&mut self, stored: u64, starts: i64) {
        let began = Instant::now();
        let kinds = (0..KINDS).map(|kind| MARK * 100 + kind);
        let (told, referrals) = self.world.past_of(kinds);
        self.register(&referrals).await;
        self.insert(&told).await;
        self.drain().await;
        let copies = stored / u64::try_from(told.len()).unwrap();
        pad::copy_rows(&self.db, &MARK.to_string(), copies).await;
        self.world = World::new(copies * KINDS, starts);
        println!(
            "stored before            {} events of {} customers, {} MB, in {} s",
            copies * u64::try_from(told.len()).unwrap(),
            copies * KINDS,
            size(&self.db).await / 1_000_000,
            began.elapsed().as_secs()
        );
    }
}

/// Whoever works on the stages.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The database.
    pub db: Db,
    /// The connection.
    pub connection: ConnectionId,
}

impl Worker {
    /// One batch of reading.
    pub async fn ingest(&self) -> usize {
        let scope = Scope {
            account: None,
            mode: Mode::Live,
        };
        Box::pin(ingest_batch(
            &self.db,
            &self.connection,
            &scope,
            &SystemClock,
        ))
        .await
        .unwrap()
    }

    /// One batch of judging, as the server does it again and again.
    pub async fn judge_in_turn(&self, pace: &Pace) -> usize {
        Box::pin(judge_in_turn(
            &self.db,
            &self.connection,
            &SystemClock,
            pace,
        ))
        .await
        .unwrap()
    }

    /// One batch of judging.
    pub async fn judge(&self) -> usize {
        Box::pin(judge_batch(&self.db, &self.connection, &SystemClock))
            .await
            .unwrap()
    }
}

fn target() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
