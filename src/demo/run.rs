//! Plays a story against a server of its own: one day after the other on a clock that stands
//! still, with a batch after every half month. It decides nothing and checks nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::post::{PostError, Poster};
use super::story::{Act, ENDS_UNIX, RULES, STARTS_UNIX, Story};
use crate::app::{App, Bounds, Running, StartError};
use crate::clock::ManualClock;
use crate::config::{Config, ConfigError};
use crate::domain::access::By;
use crate::domain::ids::CampaignId;
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::queue::worker::campaigns;
use crate::registry::referral_links::{LinkInput, set_link};
use crate::registry::referrals::{ReferralInput, register_in};
use crate::registry::{RegistryError, promoters};
use crate::settle::schedule::run_due;
use crate::store::verdicts::due_for_recheck;
use crate::store::{StoreError, dirty, events, retry};

/// Signs the demo's events. No secret: it opens a server that nobody else can reach.
pub const SECRET: &str = "whsec_demo_only_not_a_secret";
/// Encrypts the demo's one signing secret, which nothing is signed with. No secret either.
const APP_SECRET: &str = "demo only: not a secret, nobody uses it";
/// Where the demo's referral links lead; nobody is there, and nobody is told anything.
const LANDING_PAGE: &str = "https://www.example.com/welcome";
/// Between two looks at whether the stages have drained, at first and at most.
const LOOK_AFTER: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));
/// Looks before the demo gives up: two minutes.
const LOOKS_MAX: u32 = 2_400;

/// What the demo runs on.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which half year.
    pub seed: u64,
    /// Where to listen; the first that is free.
    pub listen: Vec<SocketAddr>,
    /// An empty folder for the database and the campaign files.
    pub folder: PathBuf,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The server did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The demo's own settings are wrong.
    #[error("the demo's own settings cannot be used")]
    Config(#[from] ConfigError),
    /// The folder cannot be written to.
    #[error("cannot write to {folder}: {cause}; name another folder with --keep")]
    Folder {
        /// Which.
        folder: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// An event was not taken.
    #[error(transparent)]
    Post(#[from] PostError),
    /// A promoter or referral was not taken.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stages did not come to an end.
    #[error("work is left after two minutes: {events} events, {dirty} things to judge")]
    Stuck {
        /// Events not read.
        events: i64,
        /// Things not judged.
        dirty: i64,
    },
}

/// What was put in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Played {
    /// Events posted, duplicates included.
    pub posted: usize,
    /// Referrals that were refused because the person had been referred before.
    pub refused: usize,
}

/// A server with a story on it.
#[derive(Debug)]
pub struct Demo {
    /// The server.
    pub running: Running,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Its database, as `DATABASE_URL` takes it.
    pub database_url: String,
}

impl Demo {
    /// Starts an empty server on the demo's campaigns. What is set in the environment has no
    /// say: a demo never touches anybody's data.
    pub async fn start(options: &Options) -> Result<Self, DemoError> {
        let clock = Arc::new(ManualClock::at(instant(STARTS_UNIX)));
        let folder = |cause| DemoError::Folder {
            folder: options.folder.display().to_string(),
            cause,
        };
        let rules = options.folder.join("rules");
        write_rules(&rules).map_err(folder)?;
        let database = options.folder.join("demo.db");
        let database_url = format!("sqlite://{}", database.display());
        let mut started = None;
        for address in &options.listen {
            let config = settings(&database_url, &rules, *address)?;
            let bounds = Bounds {
                batches_by_hand: true,
                demo: true,
                ..Bounds::default()
            };
            match App::start_within(config, clock.clone(), bounds).await {
                Err(StartError::Listen { .. }) if options.listen.last() != Some(address) => {}
                other => {
                    started = Some(other?);
                    break;
                }
            }
        }
        let nowhere = std::io::Error::other("no address to listen on");
        let running = started.ok_or_else(|| folder(nowhere))?;
        Ok(Self {
            running,
            clock,
            database_url,
        })
    }

    /// Plays a story from its first day to its last.
    pub async fn play(&self, story: &Story) -> Result<Played, DemoError> {
        let app = &self.running.app;
        let clock = self.clock.as_ref();
        let by = By::system();
        promoters::put(&app.db, &app.connection, clock, &story.promoters, &by).await?;
        for (file, _) in RULES {
            let campaign = CampaignId::from(file.trim_end_matches(".toml"));
            let link = LinkInput {
                landing_page: LANDING_PAGE.to_owned(),
                cookie_days: None,
                origins: Vec::new(),
            };
            set_link(&app.db, &app.connection, clock, &campaign, &link, &by).await?;
        }
        let poster = Poster::new(self.running.local_addr, SECRET)?;
        let mut days: BTreeMap<i64, Day> = BTreeMap::new();
        for step in &story.steps {
            let day = (step.at.unix() - STARTS_UNIX).div_euclid(DAY_SECONDS);
            days.entry(day).or_default().take(&step.act);
        }
        let mut played = Played::default();
        for (day, today) in days {
            let morning = instant(STARTS_UNIX + day * DAY_SECONDS);
            if is_pay_day(morning) {
                self.settle(morning).await?;
            }
            // Everything of a day arrives at its end, so that nothing comes before it happened.
            self.clock
                .set(morning.plus_seconds(DAY_SECONDS.saturating_sub(1)));
            played.refused += self.refer(&today.referrals).await?;
            played.posted += today.bodies.len();
            poster
                .post(today.bodies, instant(self.clock_unix()))
                .await?;
        }
        self.settle(instant(ENDS_UNIX)).await?;
        Ok(played)
    }

    fn clock_unix(&self) -> i64 {
        crate::clock::Clock::now(self.clock.as_ref()).unix()
    }

    /// Registers a day's referrals; how many were refused because somebody was faster.
    async fn refer(&self, referrals: &[ReferralInput]) -> Result<usize, DemoError> {
        if referrals.is_empty() {
            return Ok(0);
        }
        let app = &self.running.app;
        let register = || async {
            let mut refused = 0;
            let mut tx = app.db.begin().await?;
            let campaigns = campaigns(&mut tx, &app.connection).await?;
            for input in referrals {
                let clock = self.clock.as_ref();
                match register_in(&mut tx, &app.connection, clock, &campaigns, input).await {
                    Ok(_) => {}
                    Err(RegistryError::Conflict {
                        code: "already_referred",
                        ..
                    }) => refused += 1,
                    Err(error) => return Err(error),
                }
            }
            tx.commit().await?;
            Ok(refused)
        };
        let refused = retry(register).await?;
        app.touched.notify_one();
        Ok(refused)
    }

    /// Lets the stages drain, and runs the batch that is due.
    async fn settle(&self, at: Timestamp) -> Result<(), DemoError> {
        self.clock.set(at);
        self.drain().await?;
        let app = &self.running.app;
        let schedule = &app.config.settle_cron.schedule;
        let (db, clock) = (&app.db, self.clock.as_ref());
        run_due(db, &app.connection, schedule, &app.node, clock).await?;
        Ok(())
    }

    /// Waits until every stored event is read and everything touched is judged.
    pub async fn drain(&self) -> Result<(), DemoError> {
        let app = &self.running.app;
        let (mut wait, longest) = LOOK_AFTER;
        let mut left = (0, 0);
        for _ in 0..LOOKS_MAX {
            let now = instant(self.clock_unix());
            let mut tx = app.db.read().await?;
            let (events, _) = events::waiting(&mut tx, &app.connection).await?;
            let (dirty, _) = dirty::waiting(&mut tx, &app.connection).await?;
            let due = due_for_recheck(&mut tx, &app.connection, now, 1).await?;
            tx.rollback().await?;
            if events == 0 && dirty == 0 && due.is_empty() {
                return Ok(());
            }
            left = (events, dirty);
            app.committed.notify_one();
            app.touched.notify_one();
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2).min(longest);
        }
        let (events, dirty) = left;
        Err(DemoError::Stuck { events, dirty })
    }
}

/// What happens on one day.
#[derive(Debug, Default)]
struct Day {
    referrals: Vec<ReferralInput>,
    bodies: Vec<String>,
}

impl Day {
    fn take(&mut self, act: &Act) {
        match act {
            Act::Refer(input) => self.referrals.push(input.as_ref().clone()),
            Act::Deliver(body) => self.bodies.push(body.clone()),
        }
    }
}

/// The demo's settings, from nothing but these.
fn settings(database_url: &str, rules: &Path, listen: SocketAddr) -> Result<Config, ConfigError> {
    let own = [
        ("DATABASE_URL", database_url.to_owned()),
        ("RULES_DIR", rules.display().to_string()),
        ("LISTEN_ADDR", listen.to_string()),
        ("STRIPE_WEBHOOK_SECRET", SECRET.to_owned()),
        ("STRIPE_MODE", "live".to_owned()),
        ("APP_SECRET_KEY", APP_SECRET.to_owned()),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value)).into();
    Config::resolve(&BTreeMap::new(), &own, None, &|path| {
        std::fs::read_to_string(path)
    })
}

/// The demo's campaign files, as text.
pub fn rule_files() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(_, text)| *text)
}

fn write_rules(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    RULES
        .iter()
        .try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
}

/// The 1st and the 16th of a month, where a batch is due at midnight.
fn is_pay_day(morning: Timestamp) -> bool {
    let date = morning.date();
    date.ends_with("-01") || date.ends_with("-16")
}

fn instant(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix).unwrap_or_default()
}
