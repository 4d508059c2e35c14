//! Settlement page by page: limits hold across pages, a plan or an execution that was cut short
//! is finished by another node, a node that froze is refused, and everything is settled once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;

use qualify::clock::{Clock, ManualClock};
use qualify::domain::access::By;
use qualify::domain::campaign::Mode;
use qualify::domain::ids::{BatchId, ConnectionId, NodeId};
use qualify::domain::time::Timestamp;
use qualify::ingest::read::Scope;
use qualify::registry::campaigns;
use qualify::settle::duty::{Duty, LEASE_SECONDS, is_lost};
use qualify::settle::execute::execute;
use qualify::settle::plan::{Request, plan, preview};
use qualify::settle::schedule::{is_elsewhere, run_due, run_now};
use qualify::store::batch_items::{BatchItem, ItemAction, batch_items};
use qualify::store::batches::{BatchKind, BatchState, get_batch, open_batches};
use qualify::store::ledger::grand_total;
use qualify::store::{Db, Statement};
use qualify::verify::verify;
use support::both::on_both;
use support::due::Due;

/// Not a whole number of pages, and several of them.
const MANY: usize = 3_000 + 137;
/// Fewer, where only borders of pages matter.
const SOME: usize = 1_000 + 137;

struct World {
    db: Db,
    connection: ConnectionId,
    clock: ManualClock,
    due: Due,
}

fn campaign(limits: &str) -> String {
    format!(
        r#"
schema = 1
id     = "many"
name   = "Many"

[qualify]
spend = [ {{ at_least = "20.00", currency = "usd" }} ]

[reward.promoter]
percent = "10"

{limits}
"#
    )
}

impl World {
    async fn of(db: Db, count: usize, limits: &str) -> Self {
        let connection = ConnectionId::from("live");
        let since = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let clock = ManualClock::at(since);
        let by = By::command_line();
        let author = campaigns::Author {
            by: &by,
            why: "test",
        };
        let source = campaign(limits);
        let saved = campaigns::save(&db, &connection, &clock, &source, None, author).await;
        let revision = saved.unwrap().campaign.revision.to_string();
        let due = Due {
            count,
            promoters: 40,
            campaign: ("many".to_owned(), revision),
            since,
        };
        due.store(&db, &connection).await;
        clock.set(due.until());
        Self {
            db,
            connection,
            clock,
            due,
        }
    }

    async fn duty(&self, node: &str) -> Option<Duty<'_>> {
        let node = NodeId::from(node);
        let taken = Duty::take(&self.db, &self.connection, &node, &self.clock);
        taken.await.unwrap()
    }

    fn request(&self) -> Request {
        Request {
            kind: BatchKind::Scheduled,
            key: "slot.1".to_owned(),
            slot_at: self.clock.now(),
            cut_off: self.clock.now(),
            by: None,
        }
    }

    async fn count(&self, text: &'static str) -> i64 {
        let mut tx = self.db.read().await.unwrap();
        let (count,) = Statement::new(text).fetch_one(&mut tx).await.unwrap();
        count
    }

    async fn items(&self, batch: &BatchId) -> Vec<BatchItem> {
        let mut tx = self.db.read().await.unwrap();
        let all = batch_items(&mut tx, &self.connection, batch, None, None, u32::MAX);
        all.await.unwrap()
    }

    /// Everything due is settled, each once, and whatever can be recomputed without events is
    /// as it should be.
    async fn settled_once(&self) {
        let due = i64::try_from(self.due.count).unwrap();
        for text in [
            "SELECT COUNT(*) FROM qualifications WHERE state = 'settled'",
            "SELECT COUNT(*) FROM ledger_transactions",
            "SELECT COUNT(*) FROM outbox",
            "SELECT COUNT(*) FROM batch_items WHERE state = 'done'",
        ] {
            assert_eq!(self.count(text).await, due, "{text}");
        }
        let mut tx = self.db.read().await.unwrap();
        let sums = grand_total(&mut tx, &self.connection).await.unwrap();
        assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
        let open = open_batches(&mut tx, &self.connection).await.unwrap();
        assert_eq!(open, []);
        drop(tx);
        self.verified().await;
    }

    async fn verified(&self) {
        let scope = Scope {
            account: None,
            mode: Mode::Live,
        };
        let report = verify(&self.db, &self.connection, &scope, self.clock.now());
        let report = report.await.unwrap();
        let mut seen = 0;
        for check in &report.checks {
            if ["qualifications", "uniqueness", "ledger", "batches"].contains(&check.name) {
                let first = check.differences.first();
                assert!(check.is_ok(), "{}: {first:?}", check.name);
                seen += 1;
            }
        }
        assert_eq!(seen, 4);
    }
}

/// The plan is in the order of qualifying, a preview says the same, and it is settled once.
async fn many_are_settled_once(db: Db) {
    let world = World::of(db, MANY, "").await;
    let mut shown = Vec::new();
    let (db, connection, clock) = (&world.db, &world.connection, &world.clock);
    preview(db, connection, clock, clock.now(), |page| {
        shown.extend(page);
    })
    .await
    .unwrap();
    assert_eq!(world.count("SELECT COUNT(*) FROM batches").await, 0);

    let duty = world.duty("node_a").await.unwrap();
    let batch = plan(&duty, &world.request()).await.unwrap().unwrap();
    let again = plan(&duty, &world.request()).await.unwrap();
    assert_eq!(again, None, "the slot has its plan");
    let items = world.items(&batch).await;
    let planned: Vec<&BatchItem> = shown.iter().map(|(item, _)| item).collect();
    assert_eq!(items.iter().collect::<Vec<_>>(), planned);
    let mut order: Vec<_> = (0..MANY)
        .map(|n| world.due.qualification(n))
        .map(|q| (q.qualified_at, q.id))
        .collect();
    order.sort();
    let ids: Vec<_> = order.into_iter().map(|(_, id)| id).collect();
    assert_eq!(
        items
            .into_iter()
            .map(|i| i.qualification)
            .collect::<Vec<_>>(),
        ids
    );

    let totals = execute(&duty, &batch).await.unwrap();
    assert_eq!(usize::try_from(totals.settled).unwrap(), MANY);
    assert_eq!(execute(&duty, &batch).await.unwrap(), totals);
    duty.give_back().await.unwrap();
    let node = NodeId::from("node_b");
    let again = run_now(db, connection, &node, clock).await.unwrap();
    assert_eq!(again, None, "nothing is due any more");
    world.settled_once().await;
}

/// Limits are used up on one page and stay so on the next ones, and in the next batch.
async fn limits_hold_across_pages(db: Db) {
    let limits = "[limits]\nper_promoter_settled = 30\nbudget = { amount = \"34000.00\", currency = \"usd\" }";
    let world = World::of(db, MANY, limits).await;
    let duty = world.duty("node_a").await.unwrap();
    let batch = plan(&duty, &world.request()).await.unwrap().unwrap();
    // The same limits, applied to all of them at once.
    let mut all: Vec<_> = (0..MANY).map(|n| world.due.qualification(n)).collect();
    all.sort_by(|a, b| (a.qualified_at, &a.id).cmp(&(b.qualified_at, &b.id)));
    let mut settled: BTreeMap<String, u32> = BTreeMap::new();
    let mut spent = 0;
    let mut expected = Vec::new();
    for one in &all {
        let amount = one.rewards[0].amount_minor;
        let of_promoter = settled.entry(one.promoter.to_string()).or_default();
        let (action, reason) = if *of_promoter >= 30 {
            (ItemAction::Skip, "promoter_limit_reached")
        } else if spent + amount > 3_400_000 {
            (ItemAction::Skip, "budget_exhausted")
        } else {
            *of_promoter += 1;
            spent += amount;
            (ItemAction::Settle, "threshold_met")
        };
        expected.push((one.id.clone(), action, reason.to_owned()));
    }
    let items = world.items(&batch).await.into_iter();
    let items: Vec<_> = items
        .map(|i| (i.qualification, i.action, i.reason))
        .collect();
    assert_eq!(items, expected);
    let reasons = |code: &str| expected.iter().filter(|e| e.2 == code).count();
    assert!(reasons("promoter_limit_reached") > 100 && reasons("budget_exhausted") > 100);

    let totals = execute(&duty, &batch).await.unwrap();
    assert_eq!(
        totals.settled,
        i64::try_from(reasons("threshold_met")).unwrap()
    );
    duty.give_back().await.unwrap();
    world.verified().await;
    world.clock.advance(60);
    let node = NodeId::from("node_b");
    let (db, connection) = (&world.db, &world.connection);
    let next = run_now(db, connection, &node, &world.clock).await.unwrap();
    // Small ones may fit into what is left, and what was left for later leaves no trace.
    if let Some(ran) = next {
        assert!(ran.totals.settled < 30, "{ran:?}");
    }
    world.verified().await;
}

/// A node stops between two pages; another takes over once the lease has ended; the first one
/// wakes and writes nothing more, neither a plan nor money.
async fn a_node_that_froze_is_refused(db: Db) {
    let world = World::of(db, SOME, "").await;
    let slept = world.duty("node_a").await.unwrap();
    assert!(world.duty("node_b").await.is_none(), "node_a has it");
    let batch = plan(&slept, &world.request()).await.unwrap().unwrap();
    world.clock.advance(LEASE_SECONDS + 1);
    let woken = world.duty("node_b").await.unwrap();

    let refused = execute(&slept, &batch).await.unwrap_err();
    assert!(is_lost(&refused), "{refused}");
    let later = Request {
        key: "slot.2".to_owned(),
        ..world.request()
    };
    let refused = plan(&slept, &later).await.unwrap_err();
    assert!(is_lost(&refused), "{refused}");
    slept.give_back().await.unwrap();
    assert_eq!(
        world
            .count("SELECT COUNT(*) FROM ledger_transactions")
            .await,
        0
    );
    assert_eq!(world.count("SELECT COUNT(*) FROM batches").await, 1);

    let totals = execute(&woken, &batch).await.unwrap();
    assert_eq!(usize::try_from(totals.settled).unwrap(), SOME);
    assert!(
        world.duty("node_c").await.is_none(),
        "giving back what was lost frees nothing"
    );
    woken.give_back().await.unwrap();
    world.settled_once().await;
}

/// Two workers of one process are two holders, and whoever comes while a batch is settled
/// neither plans nor fails.
async fn whoever_comes_second_does_nothing(db: Db) {
    let world = World::of(db, 40, "").await;
    let schedule: cron::Schedule = "0 0 0,12 * * *".parse().unwrap();
    let (db, connection, clock) = (&world.db, &world.connection, &world.clock);
    let node = NodeId::from("node_a");
    let first = world.duty("node_a").await.unwrap();
    let second = run_due(db, connection, &schedule, &node, clock)
        .await
        .unwrap();
    assert_eq!(second, None);
    assert_eq!(world.count("SELECT COUNT(*) FROM batches").await, 0);
    first.give_back().await.unwrap();

    clock.advance(43_200);
    let nodes = ["node_a", "node_b", "node_c"].map(NodeId::from);
    let [a, b, c] = nodes
        .each_ref()
        .map(|node| run_due(db, connection, &schedule, node, clock));
    let (a, b, c) = tokio::join!(a, b, c);
    let ran: Vec<_> = [a, b, c].into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(ran.len(), 1, "{ran:?}");
    assert_eq!(ran[0].totals.settled, 40);
    world.settled_once().await;
}

/// The clock of the node that has the duty is an hour ahead: the others wait no longer than it
/// lives, and nothing is booked twice when they do not wait.
async fn clocks_that_jump_cost_work_and_nothing_else(db: Db) {
    let world = World::of(db, SOME, "").await;
    let now = world.clock.now();
    let ahead = world.duty("node_a").await.unwrap();
    let batch = plan(&ahead, &world.request()).await.unwrap().unwrap();
    world.clock.set(now.plus_seconds(3_600));
    let other = world.duty("node_b").await.unwrap();
    world.clock.set(now.plus_seconds(-3_600));
    assert!(is_lost(&execute(&ahead, &batch).await.unwrap_err()));
    let totals = execute(&other, &batch).await.unwrap();
    assert_eq!(usize::try_from(totals.settled).unwrap(), SOME);
    world.clock.set(now);
    world.settled_once().await;
}

/// What changes between plan and execution is left out, and says so.
async fn what_changes_after_the_plan_is_left_out(db: Db) {
    let world = World::of(db, 1_200, "").await;
    let duty = world.duty("node_a").await.unwrap();
    let batch = plan(&duty, &world.request()).await.unwrap().unwrap();
    let items = world.items(&batch).await;
    let mut tx = world.db.begin().await.unwrap();
    for (text, position) in [
        (
            "UPDATE qualifications SET state = 'withdrawn', active = 0 WHERE qualification_id = $1",
            3,
        ),
        (
            "UPDATE qualifications SET rewards = '[]' WHERE qualification_id = $1",
            777,
        ),
    ] {
        let changed = Statement::new(text).bind(&items[position].qualification);
        assert_eq!(changed.execute(&mut tx).await.unwrap(), 1);
    }
    tx.commit().await.unwrap();
    let totals = execute(&duty, &batch).await.unwrap();
    assert_eq!((totals.settled, totals.skipped), (1_198, 2));
    let done = world.items(&batch).await;
    let outcome = |n: usize| done[n].outcome.clone().unwrap();
    assert_eq!(outcome(3), "it is withdrawn by now; nothing was booked");
    assert_eq!(outcome(777), "it is queued by now; nothing was booked");
    let mut tx = world.db.read().await.unwrap();
    let stored = get_batch(&mut tx, &world.connection, &batch).await.unwrap();
    assert_eq!(stored.unwrap().state, BatchState::Done);
}

/// A failure behind planning leaves a batch open: whoever settles by hand next finishes it, and is
/// told what it came to, not that nothing was due.
async fn what_a_failure_left_open_is_finished_and_told(db: Db) {
    let world = World::of(db, SOME, "").await;
    let failed = world.duty("node_a").await.unwrap();
    let batch = plan(&failed, &world.request()).await.unwrap().unwrap();
    failed.give_back().await.unwrap();
    let node = NodeId::from("node_b");
    let (db, connection, clock) = (&world.db, &world.connection, &world.clock);
    let ran = run_now(db, connection, &node, clock).await.unwrap();
    let ran = ran.unwrap();
    assert_eq!(ran.batch, batch);
    assert_eq!(usize::try_from(ran.totals.settled).unwrap(), SOME);
    let again = run_now(db, connection, &node, clock).await.unwrap();
    assert_eq!(again, None, "nothing is due any more");
    world.settled_once().await;
}

/// Whoever loses the duty in the middle of a run by hand is told that another node settles.
async fn a_run_by_hand_that_is_overtaken_says_so(db: Db) {
    let world = World::of(db, MANY, "").await;
    let node = NodeId::from("node_a");
    let (db, connection, clock) = (&world.db, &world.connection, &world.clock);
    let overtake = async {
        while world.count("SELECT COUNT(*) FROM batch_items").await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let mut tx = db.begin().await.unwrap();
        Statement::new("UPDATE leases SET epoch = epoch + 1 WHERE name = 'settle:live'")
            .execute(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    let (ran, ()) = tokio::join!(run_now(db, connection, &node, clock), overtake);
    let refused = ran.unwrap_err();
    assert!(is_elsewhere(&refused), "{refused}");

    clock.advance(LEASE_SECONDS + 1);
    let ran = run_now(db, connection, &node, clock).await.unwrap();
    assert_eq!(usize::try_from(ran.unwrap().totals.settled).unwrap(), MANY);
    world.settled_once().await;
}

on_both!(
    many_are_settled_once,
    limits_hold_across_pages,
    a_node_that_froze_is_refused,
    whoever_comes_second_does_nothing,
    clocks_that_jump_cost_work_and_nothing_else,
    what_changes_after_the_plan_is_left_out,
    what_a_failure_left_open_is_finished_and_told,
    a_run_by_hand_that_is_overtaken_says_so,
);
