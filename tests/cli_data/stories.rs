//! Every story of the evaluator's through the database: its events in two shapes and three
//! orders, the clock moving with it. Stored verdicts are those of the pure pipeline, and
//! `verify` finds nothing.

use qualify::clock::{Clock, ManualClock};
use qualify::domain::access::By;
use qualify::domain::campaign::Mode;
use qualify::domain::ids::{ConnectionId, NodeId};
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::Verdict;
use qualify::ingest::read::Scope;
use qualify::ingest::worker::ingest_batch;
use qualify::intake::{Endpoint, admit};
use qualify::queue::worker::{judge_batch, mark_due};
use qualify::registry::campaigns::{Author, save};
use qualify::settle::schedule::{Ran, run_now};
use qualify::store::Db;
use qualify::store::connections::{Connection, upsert_connection};
use qualify::store::dirty::{DirtyKind, mark_dirty};
use qualify::store::events::insert_events;
use qualify::store::promoters::upsert_promoters;
use qualify::store::referrals::insert_referrals;
use qualify::store::verdicts::{VerdictFilter, list_verdicts};
use qualify::verify::verify;

use crate::support::scenario::{Scenario, What, all};
use crate::support::stripe_events::{Era, tell};
use crate::support::trial::{self, Order};

struct World {
    _folder: tempfile::TempDir,
    db: Db,
    id: ConnectionId,
    scope: Scope,
    clock: ManualClock,
}

impl World {
    /// Settles what is due, by hand.
    async fn settle(&self) -> Option<Ran> {
        let node = NodeId::from("node_a");
        let ran = run_now(&self.db, &self.id, &node, &self.clock);
        ran.await.unwrap()
    }

    async fn of(scenario: &Scenario) -> Self {
        let (folder, db) = crate::support::sqlite().await;
        let mode = scenario.campaign.mode;
        let (id, account) = (ConnectionId::from("c"), scenario.campaign.account.clone());
        let mut tx = db.begin().await.unwrap();
        let connection = Connection {
            id: id.clone(),
            account: account.clone(),
            mode,
            name: "Stripe".to_owned(),
            created_at: Timestamp::default(),
        };
        upsert_connection(&mut tx, &connection).await.unwrap();
        tx.commit().await.unwrap();
        let clock = ManualClock::at(Timestamp::parse("2020-01-01").unwrap());
        let by = By::command_line();
        let author = Author {
            by: &by,
            why: "test",
        };
        save(&db, &id, &clock, &scenario.source, None, author)
            .await
            .unwrap();
        Self {
            _folder: folder,
            db,
            id,
            scope: Scope { account, mode },
            clock,
        }
    }

    async fn people(&self, scenario: &Scenario, as_of: Timestamp) {
        let steps = scenario.story.steps.iter().filter(|step| step.at <= as_of);
        let promoters = trial::promoters(scenario, steps);
        let promoters: Vec<_> = promoters.iter().cloned().collect();
        let referrals = trial::referrals(scenario, as_of);
        let mut tx = self.db.begin().await.unwrap();
        upsert_promoters(&mut tx, &self.id, &promoters, as_of)
            .await
            .unwrap();
        insert_referrals(&mut tx, &self.id, &referrals, as_of)
            .await
            .unwrap();
        let ids = referrals.iter().map(|r| r.id.as_str().to_owned()).collect();
        let now_us = self.clock.now_us();
        mark_dirty(&mut tx, &self.id, DirtyKind::Referral, &ids, now_us)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn hear(&self, bodies: &[String]) {
        let endpoint = Endpoint {
            connection: self.id.clone(),
            mode: self.scope.mode,
            account: self.scope.account.clone(),
            secrets: Vec::new(),
        };
        let (now_us, db) = (self.clock.now_us(), &self.db);
        for (n, body) in (0_i64..).zip(bodies) {
            let event = admit(&endpoint, body.clone().into(), None, now_us + n).unwrap();
            insert_events(db, &self.id, &[event]).await.unwrap();
            // One by one, so that every order of arrival is one of the database's.
            while ingest_batch(db, &self.id, &self.scope, &self.clock)
                .await
                .unwrap()
                > 0
            {}
        }
        self.judge().await;
    }

    async fn judge(&self) {
        loop {
            mark_due(&self.db, &self.id, &self.clock).await.unwrap();
            if judge_batch(&self.db, &self.id, &self.clock).await.unwrap() == 0 {
                return;
            }
        }
    }

    async fn verified(&self, what: &str) {
        let report = verify(&self.db, &self.id, &self.scope, self.clock.now())
            .await
            .unwrap();
        assert_eq!(report.waiting, 0, "{what}");
        for check in report.checks {
            assert!(check.is_ok(), "{what}: {check:#?}");
        }
    }

    async fn verdicts(&self) -> Vec<Verdict> {
        let mut tx = self.db.read().await.unwrap();
        let filter = VerdictFilter::default();
        let all = list_verdicts(&mut tx, &self.id, &filter, None, 1000)
            .await
            .unwrap();
        all.into_iter().map(|stored| stored.verdict).collect()
    }
}

/// What the pure pipeline says, without what only it knows: limits, and the other mode.
fn expected(scenario: &Scenario, as_of: Timestamp, era: Era, order: Order) -> Vec<Verdict> {
    let mut verdicts = trial::verdicts(scenario, as_of, era, order);
    let limits = scenario.campaign.limits;
    let limited = limits.budget.is_some() || limits.per_promoter_settled.is_some();
    let other = tell(&scenario.story.steps, era).iter().any(|told| {
        told.body.contains("\"livemode\":false") == (scenario.campaign.mode == Mode::Live)
    });
    if limited || other {
        verdicts.clear();
    }
    verdicts
}

async fn told_at(scenario: &Scenario, era: Era, order: Order) {
    let what = format!("{} {era:?} {order:?}", scenario.file);
    let world = World::of(scenario).await;
    let as_of = scenario
        .story
        .expects
        .iter()
        .map(|expect| expect.at)
        .max()
        .unwrap();
    world.clock.set(as_of);
    world.people(scenario, as_of).await;
    let mut told = tell(&scenario.story.steps, era);
    told.retain(|told| told.at <= as_of);
    let bodies: Vec<String> = order.of(told).into_iter().map(|told| told.body).collect();
    world.hear(&bodies).await;
    world.verified(&what).await;
    let expected = expected(scenario, as_of, era, order);
    if !expected.is_empty() {
        assert_eq!(world.verdicts().await, expected, "{what}");
    }
    world.settle().await;
    world.judge().await;
    world.verified(&format!("{what}, settled")).await;
    let again = world.settle().await;
    assert_eq!(again, None, "{what}");
}

/// The clock moves with the story, and every half day settles.
async fn lived(scenario: &Scenario, era: Era) {
    let what = format!("{} {era:?} lived", scenario.file);
    let world = World::of(scenario).await;
    let until = scenario
        .story
        .expects
        .iter()
        .map(|expect| expect.at)
        .max()
        .unwrap();
    let mut told = tell(&scenario.story.steps, era);
    told.retain(|told| told.at <= until);
    world.people(scenario, Timestamp::MAX).await;
    for told in told {
        if told.at > world.clock.now() {
            world.clock.set(told.at);
        }
        world.hear(std::slice::from_ref(&told.body)).await;
        world.settle().await;
    }
    world.clock.set(until);
    world.judge().await;
    world.verified(&what).await;
    for _ in 0..3 {
        world.settle().await;
        world.judge().await;
        world.verified(&what).await;
    }
    let again = world.settle().await;
    assert_eq!(again, None, "{what}: nothing is left to do");
}

/// Stories in which nobody decides anything: decisions are commands, and tested as such.
fn undecided() -> Vec<Scenario> {
    let mut all = all();
    all.retain(|scenario| {
        let mut steps = scenario.story.steps.iter();
        !steps.any(|step| matches!(step.what, What::Decide(_)))
    });
    assert!(all.len() > 20, "{} stories", all.len());
    all
}

#[tokio::test]
async fn every_order_gives_the_verdicts_of_the_pure_pipeline() {
    for scenario in &undecided() {
        for (era, order) in [
            (Era::Of2020, Order::AsHappened),
            (Era::Clover, Order::Reversed),
            (Era::Clover, Order::Twice),
        ] {
            told_at(scenario, era, order).await;
        }
    }
}

#[tokio::test]
async fn a_story_lived_through_with_its_batches_is_verified() {
    for scenario in &undecided() {
        for era in Era::BOTH {
            lived(scenario, era).await;
        }
    }
}
