//! Deadlocks and serialization failures, real ones: each is run again, nothing is lost, and no
//! client ever hears of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use qualify::clock::SystemClock;
use qualify::domain::access::By;
use qualify::domain::ids::PromoterId;
use qualify::registry::RegistryError;
use qualify::registry::promoters::{PromoterChange, PromoterInput, change, create};
use qualify::store::leases::take_lease;
use qualify::store::promoters::get_promoter;
use qualify::store::{Db, Statement, StoreError, retry};

use crate::fill::{connect, default_of, live, nothing_is_lost, number, refer, site, worked_off};
use crate::size;
use crate::support::node::{Load, ask, customer, payment};
use crate::support::postgres::fresh_database;

const PATIENCE: Duration = Duration::from_secs(120);

/// Eight writers raise the same rows, half of them in the opposite order; how often a
/// transaction was begun.
async fn opposite_orders(db: &Db, rounds: usize, isolation: &'static str) -> usize {
    const ROWS: [&str; 4] = ["a", "b", "c", "d"];
    let mut tx = db.begin().await.unwrap();
    for name in ROWS {
        take_lease(&mut tx, name, "x", 0, 10).await.unwrap();
    }
    tx.commit().await.unwrap();
    let begun = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (db, begun) = (db.clone(), Arc::clone(&begun));
            tokio::spawn(async move {
                for _ in 0..rounds {
                    retry(|| async {
                        begun.fetch_add(1, Ordering::Relaxed);
                        let mut tx = db.begin().await?;
                        Statement::new(isolation).execute(&mut tx).await?;
                        for n in 0..ROWS.len() {
                            let n = if writer % 2 == 0 {
                                n
                            } else {
                                ROWS.len() - 1 - n
                            };
                            Statement::new("UPDATE leases SET epoch = epoch + 1 WHERE name = $1")
                                .bind(ROWS[n])
                                .execute(&mut tx)
                                .await?;
                            tokio::task::yield_now().await;
                        }
                        tx.commit().await?;
                        Ok::<_, StoreError>(())
                    })
                    .await
                    .unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let sum = number(db, "SELECT CAST(SUM(epoch) AS BIGINT) FROM leases").await;
    let raised = ROWS.len() * (1 + 8 * rounds);
    assert_eq!(usize::try_from(sum).unwrap(), raised, "no update is lost");
    begun.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_in_opposite_orders() {
    for isolation in [
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ] {
        let url = fresh_database().await;
        default_of(&url, "deadlock_timeout = '20ms'").await;
        let db = connect(&url).await;
        db.migrate().await.unwrap();
        let rounds = size(15, 200);
        let begun = opposite_orders(&db, rounds, isolation).await;
        println!(
            "{isolation}: {} transactions in {begun} attempts",
            8 * rounds
        );
        assert!(
            begun > 8 * rounds,
            "{isolation}: nothing had to be run again"
        );
        db.close().await;
    }
}

/// Two nodes change the same promoter at once, each another field of it.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_different_fields_are_both_kept() {
    let db = connect(&fresh_database().await).await;
    db.migrate().await.unwrap();
    refer(&db, &[]).await;
    let ana = PromoterId::from("ana");
    for n in 0..size(30, 300) {
        let (name, code) = (format!("Ana {n}"), format!("code-{n}"));
        let by_name = PromoterChange {
            name: Some(name.clone()),
            ..PromoterChange::default()
        };
        let by_code = PromoterChange {
            code: Some(Some(code.clone())),
            ..PromoterChange::default()
        };
        let (live, clock, by) = (live(), SystemClock, By::command_line());
        let (a, b) = tokio::join!(
            change(&db, &live, &clock, &ana, by_name, &by),
            change(&db, &live, &clock, &ana, by_code, &by)
        );
        a.unwrap();
        b.unwrap();
        let mut tx = db.read().await.unwrap();
        let there = get_promoter(&mut tx, &live, &ana).await.unwrap().unwrap();
        let there = there.promoter;
        assert_eq!((there.name, there.code), (name, Some(code)));
    }
}

/// Two nodes give the same code to two promoters at once: one of them has it, and the other is
/// told whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_two_want_at_once_is_one_promoters() {
    let url = fresh_database().await;
    let (db, other) = (connect(&url).await, connect(&url).await);
    db.migrate().await.unwrap();
    refer(&db, &[]).await;
    let input = |id: &str| PromoterInput {
        id: id.to_owned(),
        name: id.to_owned(),
        ..PromoterInput::default()
    };
    let (live, clock, by) = (live(), SystemClock, By::command_line());
    create(&db, &live, &clock, input("ben"), &by).await.unwrap();
    let wanted = |code: &str| PromoterChange {
        code: Some(Some(code.to_owned())),
        ..PromoterChange::default()
    };
    let (ana, ben) = (PromoterId::from("ana"), PromoterId::from("ben"));
    for n in 0..size(30, 300) {
        let code = format!("code-{n}");
        let (a, b) = tokio::join!(
            change(&db, &live, &clock, &ana, wanted(&code), &by),
            change(&other, &live, &clock, &ben, wanted(&code), &by)
        );
        let (won, lost) = if a.is_ok() { (a, b) } else { (b, a) };
        assert_eq!(won.unwrap().promoter.code.as_deref(), Some(code.as_str()));
        let refused = lost.unwrap_err();
        let in_use = |error: &RegistryError| matches!(error, RegistryError::Conflict { code, .. } if *code == "code_in_use");
        assert!(in_use(&refused), "{refused}");
    }
}

/// What the clients of the API do at once, all about the same few promoters and referrals.
fn api_write(to: std::net::SocketAddr, authorization: &str, n: usize) -> u16 {
    let headers = [
        ("Authorization", authorization),
        ("Content-Type", "application/json"),
    ];
    let (method, path, body) = match n % 3 {
        0 => (
            "PATCH",
            format!("/api/v1/promoters/p{}", n % 2),
            format!(r#"{{"name":"N {n}","coupons":["C{}"]}}"#, n % 2),
        ),
        1 => (
            "POST",
            "/api/v1/referrals".to_owned(),
            format!(
                r#"{{"id":"ref_x{n}","campaign":"spring","promoter":"p{}","email":"x{n}@example.com"}}"#,
                n % 2
            ),
        ),
        _ => (
            "POST",
            format!("/api/v1/promoters/p{}/suspend", n % 2),
            "{}".to_owned(),
        ),
    };
    ask(to, method, &path, &headers, body.as_bytes()).unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_on_a_serializable_database() {
    let url = fresh_database().await;
    default_of(&url, "default_transaction_isolation = 'serializable'").await;
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path(), &url);
    let (a, b) = (site.start(), site.start());
    a.ready(PATIENCE);
    b.ready(PATIENCE);
    let db = connect(&url).await;
    let people: Vec<String> = (0..size(60, 600)).map(|n| format!("z{n}")).collect();
    refer(&db, &people).await;
    let made = site.run(&["key", "create", "--name", "t", "--scopes", "*"]);
    let authorization = format!("Bearer {}", String::from_utf8(made.stdout).unwrap().trim());
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    for id in ["p0", "p1"] {
        let body = format!(r#"{{"id":"{id}","name":"N"}}"#);
        let made = ask(
            a.address,
            "POST",
            "/api/v1/promoters",
            &headers,
            body.as_bytes(),
        );
        assert_eq!(made.unwrap().0, 201);
    }

    let told = people.clone();
    let nodes = [a.address, b.address];
    let load = Load::start(4, &nodes, move |n: usize| match told.get(n) {
        Some(who) => Some(customer(who)),
        None => told.get(n - told.len()).map(|who| payment(who)),
    });
    let writes = size(120, 1_200);
    let next = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let (next, authorization) = (Arc::clone(&next), authorization.clone());
            std::thread::spawn(move || {
                let mut statuses = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= writes {
                        return statuses;
                    }
                    statuses.push(api_write(nodes[client % 2], &authorization, n));
                }
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for client in clients {
        statuses.extend(client.join().unwrap());
    }
    let seen = load.end();
    let bad: Vec<_> = statuses.iter().filter(|status| **status >= 500).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(
        seen.refusals.lock().unwrap().is_empty(),
        "{:?}",
        seen.refusals
    );
    let made = statuses.iter().filter(|status| **status == 201).count();
    let referrals = number(&db, "SELECT COUNT(*) FROM referrals").await;
    assert_eq!(usize::try_from(referrals).unwrap(), people.len() + made);
    let acknowledged = seen.acknowledged.lock().unwrap().clone();
    nothing_is_lost(&db, &acknowledged).await;
    worked_off(&db, PATIENCE).await;
    let again = a.metric("qualify_store_retries_total") + b.metric("qualify_store_retries_total");
    println!("{again} transactions were run again");
    site.verify();
    a.end();
    b.end();
}
