//! Backtests that were asked for on a page or over the API: a draft tried on what is stored, beside the
//! revision in force. They run in the process that was asked, a few at a time; how far each is
//! lies in the database, so that every node can tell it, and stop it.

mod keep;
mod run;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::domain::campaign::Campaign;
use crate::domain::ids::{BacktestId, ConnectionId};
use crate::domain::time::Timestamp;
use crate::random::{self, NoChance};
use crate::shared::App;
use crate::store::StoreError;

pub use run::{Change, Counts, MoneyChange, Outcome};

/// Backtests that run at the same time: each may keep a core busy and a history in memory.
const RUNNING_MAX: usize = 2;
/// Backtests that run or wait, at most.
const OPEN_MAX: usize = 8;
/// Backtests that are remembered.
const KEPT_MAX: usize = 32;

/// What is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The campaign whose editor it came from; none for a new one.
    pub campaign: Option<String>,
    /// The file as it was written.
    pub source: String,
    /// The revision that was edited.
    pub number: Option<i64>,
    /// Why it will be saved, as far as that was written.
    pub reason: String,
    /// Whether the file was open, not the form.
    pub as_file: bool,
}

impl Default for Backtests {
    /// None so far; nothing ends them but their stopping.
    fn default() -> Self {
        Self::new(CancellationToken::new())
    }
}

/// How far a backtest is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Others run first.
    Waiting,
    /// Stored events are read.
    Reading,
    /// Referrals are judged.
    Judging,
    /// It is done.
    Done(Box<Outcome>),
    /// It could not be done, in words.
    Failed(String),
    /// Somebody stopped it.
    Stopped,
}

impl Standing {
    /// Whether nothing more comes of it.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_) | Self::Stopped)
    }
}

/// One backtest.
#[derive(Debug)]
pub struct Job {
    /// Its id, which nobody guesses.
    pub id: BacktestId,
    /// Whose facts it reads.
    pub connection: ConnectionId,
    /// What is tried.
    pub draft: Draft,
    /// Days back that referrals are looked at; all if none.
    pub days: Option<u32>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    standing: watch::Sender<Standing>,
    stop: CancellationToken,
}

impl Job {
    /// How far it is.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Moves on, unless it is over.
    fn becomes(&self, next: Standing) {
        self.standing.send_if_modified(|standing| {
            let moves = !standing.is_over() && *standing != next;
            if moves {
                *standing = next;
            }
            moves
        });
    }

    /// Stops it; what it has found so far is dropped.
    fn stop(&self) {
        self.becomes(Standing::Stopped);
        self.stop.cancel();
    }
}

/// Why none was started.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// Enough run and wait already.
    #[error("{OPEN_MAX} backtests run or wait already; try again when one is done")]
    Busy,
    /// No random bytes.
    #[error(transparent)]
    NoChance(#[from] NoChance),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The backtests that this process runs, and the way to the others.
#[derive(Debug)]
pub struct Backtests {
    jobs: Mutex<VecDeque<Arc<Job>>>,
    seats: Arc<Semaphore>,
    closing: CancellationToken,
}

impl Backtests {
    /// None so far; all of them stop with `closing`.
    pub fn new(closing: CancellationToken) -> Self {
        Self {
            jobs: Mutex::default(),
            seats: Arc::new(Semaphore::new(RUNNING_MAX)),
            closing,
        }
    }

    /// One of a connection's, by its id, whichever node runs it.
    pub async fn get(
        &self,
        app: &App,
        connection: &ConnectionId,
        id: &BacktestId,
    ) -> Result<Option<Arc<Job>>, StoreError> {
        match self.here(connection, id) {
            Some(job) => Ok(Some(job)),
            None => keep::elsewhere(app, connection, id).await,
        }
    }

    /// Stops one, whichever node runs it; that node notices within seconds. What it was before,
    /// if there is one.
    pub async fn stop(
        &self,
        app: &App,
        connection: &ConnectionId,
        id: &BacktestId,
    ) -> Result<Option<Arc<Job>>, StoreError> {
        if let Some(job) = self.here(connection, id) {
            job.stop();
            return Ok(Some(job));
        }
        let Some(job) = keep::elsewhere(app, connection, id).await? else {
            return Ok(None);
        };
        keep::stop(app, &job).await?;
        job.stop();
        Ok(Some(job))
    }

    /// One that this process runs or has run.
    fn here(&self, connection: &ConnectionId, id: &BacktestId) -> Option<Arc<Job>> {
        let jobs = locked(&self.jobs);
        let mut mine = jobs.iter().filter(|job| job.connection == *connection);
        mine.find(|job| job.id == *id).cloned()
    }

    /// Starts one: the draft's rules, and the ones in force to hold them against.
    pub async fn start(
        &self,
        app: &Arc<App>,
        connection: &ConnectionId,
        draft: Draft,
        (rules, live): (Campaign, Option<Campaign>),
        days: Option<u32>,
    ) -> Result<Arc<Job>, NotStarted> {
        let job = Arc::new(Job {
            id: BacktestId::new(hex::encode(random::secret_bytes()?)),
            connection: connection.clone(),
            draft,
            days,
            asked_at: app.clock.now(),
            standing: watch::Sender::new(Standing::Waiting),
            stop: self.closing.child_token(),
        });
        self.seat(&job)?;
        if let Err(error) = keep::insert(app, &job).await {
            job.stop();
            return Err(error.into());
        }
        self.work(app, &job, (rules, live));
        tokio::spawn(keep::keep(Arc::clone(app), Arc::clone(&job)));
        Ok(job)
    }

    /// Remembers a job, unless there are enough.
    fn seat(&self, job: &Arc<Job>) -> Result<(), NotStarted> {
        let mut jobs = locked(&self.jobs);
        let open = jobs.iter().filter(|job| !job.standing().is_over());
        if open.count() >= OPEN_MAX {
            return Err(NotStarted::Busy);
        }
        while jobs.len() >= KEPT_MAX {
            // The oldest that is over; there is one, as fewer may be open than are kept.
            let over = jobs.iter().position(|job| job.standing().is_over());
            match over {
                Some(place) => drop(jobs.remove(place)),
                None => break,
            }
        }
        jobs.push_back(Arc::clone(job));
        Ok(())
    }

    /// Runs a job in the background, once there is room.
    fn work(&self, app: &Arc<App>, job: &Arc<Job>, (rules, live): (Campaign, Option<Campaign>)) {
        let (app, seats, this) = (Arc::clone(app), Arc::clone(&self.seats), Arc::clone(job));
        // Reading goes on to its end even when it is stopped: a transaction is not cut half-way.
        let work = tokio::spawn(async move {
            // Never closed: it lives as long as the server.
            let _seat = seats.acquire_owned().await;
            if this.stop.is_cancelled() {
                return;
            }
            let done = run::run(&app, &this, rules, live).await;
            this.becomes(done.map_or_else(Standing::Failed, |outcome| {
                Standing::Done(Box::new(outcome))
            }));
        });
        let this = Arc::clone(job);
        tokio::spawn(async move {
            tokio::select! {
                () = this.stop.cancelled() => this.becomes(Standing::Stopped),
                ended = work => if ended.is_err() {
                    let words = "Something failed on our side; the log has it.";
                    this.becomes(Standing::Failed(words.to_owned()));
                },
            }
        });
    }
}

/// What is behind a lock; whoever panicked while holding it left whole values.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
