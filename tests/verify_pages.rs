//! `verify` reads everything in pages, and what is wrong may lie on the edge of one: the last of
//! a page, the first of the next, the last of all. Each is found, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;

use qualify::clock::{Clock, ManualClock};
use qualify::domain::access::By;
use qualify::domain::campaign::Mode;
use qualify::domain::ids::{ConnectionId, NodeId};
use qualify::domain::time::Timestamp;
use qualify::ingest::read::Scope;
use qualify::registry::campaigns;
use qualify::settle::schedule::run_now;
use qualify::store::dialect::Engine;
use qualify::store::{Db, Statement};
use qualify::verify::{Check, verify};
use support::both::on_both;
use support::due::Due;

/// Rows that `verify` reads at a time.
const PAGE: usize = 512;
/// A whole number of pages, so that the last one is full.
const SETTLED: usize = 3 * PAGE;
/// The first and the last of pages.
const EDGES: [usize; 5] = [0, PAGE - 1, PAGE, 2 * PAGE - 1, SETTLED - 1];

const CAMPAIGN: &str = r#"
schema = 1
id     = "many"
name   = "Many"

[qualify]
spend = [ { at_least = "20.00", currency = "usd" } ]

[reward.promoter]
percent = "10"
"#;

struct World {
    db: Db,
    connection: ConnectionId,
    clock: ManualClock,
}

impl World {
    /// So many that are settled; their rewards are the promoters' or, instead, the invited
    /// people's.
    async fn settled(db: Db, to: &'static str) -> Self {
        let since = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let world = Self {
            db,
            connection: ConnectionId::from("live"),
            clock: ManualClock::at(since),
        };
        let (db, connection, clock) = (&world.db, &world.connection, &world.clock);
        let by = By::command_line();
        let author = campaigns::Author {
            by: &by,
            why: "test",
        };
        let saved = campaigns::save(db, connection, clock, CAMPAIGN, None, author).await;
        let due = Due {
            count: SETTLED,
            promoters: 40,
            campaign: (
                "many".to_owned(),
                saved.unwrap().campaign.revision.to_string(),
            ),
            since,
        };
        due.store(db, connection).await;
        let whose = Statement::new(
            "UPDATE qualifications SET rewards = replace(rewards, '\"promoter\"', $1)",
        );
        world.change([whose.bind(format!("\"{to}\""))]).await;
        clock.set(due.until());
        let node = NodeId::from("node_a");
        let ran = run_now(db, connection, &node, clock).await.unwrap();
        assert_eq!(
            usize::try_from(ran.unwrap().totals.settled).unwrap(),
            SETTLED
        );
        world
    }

    async fn change<'v>(&self, statements: impl IntoIterator<Item = Statement<'v>>) {
        let mut tx = self.db.begin().await.unwrap();
        for statement in statements {
            statement.execute(&mut tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Takes away what keeps anybody from changing the ledger.
    async fn unguard(&self) {
        let texts: &[&str] = match self.db.engine() {
            Engine::Sqlite => &[
                "DROP TRIGGER ledger_entries_keep_update",
                "DROP TRIGGER ledger_transactions_keep_update",
            ],
            Engine::Postgres => &[
                "DROP TRIGGER ledger_entries_keep ON ledger_entries",
                "DROP TRIGGER ledger_transactions_keep ON ledger_transactions",
            ],
        };
        self.change(texts.iter().map(|text| Statement::new(text)))
            .await;
    }

    async fn texts(&self, text: &'static str) -> Vec<String> {
        let mut tx = self.db.read().await.unwrap();
        let rows: Vec<(String,)> = Statement::new(text).fetch_all(&mut tx).await.unwrap();
        rows.into_iter().map(|(text,)| text).collect()
    }

    /// What one of the checks finds.
    async fn check(&self, name: &str) -> Check {
        let scope = Scope {
            account: None,
            mode: Mode::Live,
        };
        let report = verify(&self.db, &self.connection, &scope, self.clock.now());
        let checks = report.await.unwrap().checks;
        checks.into_iter().find(|check| check.name == name).unwrap()
    }
}

fn edges(all: &[String]) -> BTreeSet<String> {
    EDGES.iter().map(|edge| all[*edge].clone()).collect()
}

/// Qualifications are read in the order of their ids, each with what was booked for it.
async fn entries_of_the_edges_are_found(db: Db) {
    let world = World::settled(db, "promoter").await;
    assert!(world.check("ledger").await.is_ok());
    let ids = "SELECT qualification_id FROM qualifications ORDER BY qualification_id";
    let edges = edges(&world.texts(ids).await);
    world.unguard().await;
    world
        .change(edges.iter().map(|id| {
            Statement::new(
                "UPDATE ledger_entries SET amount_minor = amount_minor + 1
                 WHERE position = 1 AND item IN (
                     SELECT item FROM ledger_transactions WHERE qualification_id = $1)",
            )
            .bind(id)
        }))
        .await;
    let found = world.check("ledger").await;
    let not_zero = found.differences.iter().filter_map(|one| {
        let id = one.place.strip_prefix("ledger_transactions ")?;
        let said = one.seen.contains("not to zero");
        said.then(|| id.trim_end_matches(".1").to_owned())
    });
    assert_eq!(not_zero.collect::<BTreeSet<_>>(), edges);
    // Each by its sum, by what it leaves in clearing, and all of them by the balance of that.
    assert_eq!(found.found, 11, "{:?}", found.differences);
}

/// Items and bookings of a batch are read side by side.
async fn items_of_the_edges_are_found(db: Db) {
    let world = World::settled(db, "promoter").await;
    assert!(world.check("batches").await.is_ok());
    world.unguard().await;
    let moved = EDGES.map(|edge| i64::try_from(edge).unwrap());
    world
        .change(moved.map(|position| {
            Statement::new("UPDATE batch_items SET state = 'superseded' WHERE position = $1")
                .bind(position)
        }))
        .await;
    let found = world.check("batches").await;
    let ids: BTreeSet<String> = world
        .texts("SELECT qualification_id FROM batch_items WHERE state = 'superseded'")
        .await
        .into_iter()
        .collect();
    assert_eq!(ids.len(), EDGES.len());
    let unplanned = found.differences.iter().filter_map(|one| {
        let rest = one.seen.strip_prefix("the ledger has the accrual of ")?;
        Some(rest.trim_end_matches(", and no item").to_owned())
    });
    assert_eq!(unplanned.collect::<BTreeSet<_>>(), ids);
    assert_eq!(found.found, 6, "and its totals: {:?}", found.differences);
}

/// Balances are read in the order of their accounts, those of invited people page by page.
async fn balances_of_the_edges_are_found(db: Db) {
    let world = World::settled(db, "invited").await;
    assert!(world.check("ledger").await.is_ok());
    let accounts = "SELECT account FROM ledger_balances ORDER BY account";
    let all = world.texts(accounts).await;
    assert_eq!(
        all.len(),
        SETTLED + 2,
        "each has one, the budget and clearing"
    );
    let wrong = [PAGE - 1, PAGE, 2 * PAGE - 1, SETTLED + 1].map(|n| all[n].clone());
    let gone = all[2 * PAGE].clone();
    let alone = "invited:ref_zzz".to_owned();
    let add = |account| {
        Statement::new(
            "UPDATE ledger_balances SET amount_minor = amount_minor + 1 WHERE account = $1",
        )
        .bind(account)
    };
    world.change(wrong.iter().map(add)).await;
    let drop = Statement::new("DELETE FROM ledger_balances WHERE account = $1").bind(&gone);
    let put = Statement::new(
        "INSERT INTO ledger_balances (connection_id, account, currency, amount_minor)
         VALUES ('live', $1, 'usd', 0)",
    );
    world.change([drop, put.bind(&alone)]).await;
    let found = world.check("ledger").await;
    assert_eq!(found.found, 1, "{:?}", found.differences);
    let said = found.differences[0].seen.clone();
    let named = said.rsplit_once(": ").map_or("", |(_, names)| names);
    let named = said
        .strip_prefix("balances differ from their entries: ")
        .unwrap_or(named);
    let named: BTreeSet<String> = named.split(", ").map(str::to_owned).collect();
    let expected: BTreeSet<String> = wrong.into_iter().chain([gone, alone]).collect();
    assert_eq!(named, expected);
}

/// Persons are counted over all pages: two of one person lie where they lie.
async fn two_of_one_person_are_found_wherever_they_are(db: Db) {
    let world = World::settled(db, "promoter").await;
    assert!(world.check("uniqueness").await.is_ok());
    let persons = "SELECT person FROM qualifications ORDER BY qualification_id";
    let all = world.texts(persons).await;
    let ids = "SELECT qualification_id FROM qualifications ORDER BY qualification_id";
    let ids = world.texts(ids).await;
    let pairs = [(0, SETTLED - 1), (PAGE - 1, PAGE)];
    let drop = Statement::new("DROP INDEX qualifications_one_per_person");
    let same = pairs.iter().map(|(one, other)| {
        Statement::new("UPDATE qualifications SET person = $1 WHERE qualification_id = $2")
            .bind(&all[*one])
            .bind(&ids[*other])
    });
    world.change(std::iter::once(drop).chain(same)).await;
    let found = world.check("uniqueness").await;
    let seen: BTreeSet<String> = found.differences.iter().map(|d| d.seen.clone()).collect();
    let expected = pairs.map(|(one, other)| {
        let (one, other) = (&ids[one], &ids[other]);
        format!("one person has 2 active ones: {one}, {other}")
    });
    assert_eq!(seen, expected.into());
    assert_eq!(found.found, 2);
}

on_both!(
    entries_of_the_edges_are_found,
    items_of_the_edges_are_found,
    balances_of_the_edges_are_found,
    two_of_one_person_are_found_wherever_they_are,
);
