//! A campaign, a promoter and referred people in a database, and what became of them.

use std::path::Path;
use std::time::Duration;

use qualify::clock::SystemClock;
use qualify::domain::access::By;
use qualify::domain::ids::ConnectionId;
use qualify::domain::verdict::VerdictState;
use qualify::queue::worker::campaigns;
use qualify::registry::promoters::{PromoterInput, put};
use qualify::registry::referrals::{ReferralInput, register_in};
use qualify::store::events::{EventFilter, list_events};
use qualify::store::verdicts::{VerdictFilter, list_verdicts};
use qualify::store::{ConnectOptions, Db, Statement, dirty, events};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::node::Site;

/// Who pays 50 dollars within a month earns Ana 20, at once.
pub const RULES: &str = r#"schema = 1
id     = "spring"
name   = "Spring: spend $50 in 30 days"

[qualify]
spend       = [ { at_least = "50.00", currency = "usd" } ]
within_days = 30

[reward.promoter]
fixed = { amount = "20.00", currency = "usd" }
"#;

pub fn live() -> ConnectionId {
    ConnectionId::from("live")
}

/// A site with the campaign in its rules and batches far away.
pub fn site(folder: &Path, url: &str) -> Site {
    let rules = folder.join("rules");
    std::fs::create_dir_all(&rules).unwrap();
    std::fs::write(rules.join("spring.toml"), RULES).unwrap();
    Site::new(folder, url)
        .with("RUST_LOG", "info")
        .with("SETTLE_CRON", "0 0 0 1 1 *")
}

pub async fn connect(url: &str) -> Db {
    Db::connect(url, &ConnectOptions::default()).await.unwrap()
}

/// Gives sessions of the database another default.
pub async fn default_of(url: &str, setting: &str) {
    let mut admin = PgConnection::connect(url).await.unwrap();
    let name: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    let text = format!("ALTER DATABASE {name} SET {setting}");
    sqlx::query(AssertSqlSafe(text))
        .execute(&mut admin)
        .await
        .unwrap();
    admin.close().await.unwrap();
}

/// Ana refers everybody: `<who>@example.com` as `ref_<who>`.
pub async fn refer(db: &Db, who: &[String]) {
    let ana = PromoterInput {
        id: "ana".to_owned(),
        name: "Ana".to_owned(),
        ..PromoterInput::default()
    };
    let by = By::command_line();
    put(db, &live(), &SystemClock, &[ana], &by).await.unwrap();
    for chunk in who.chunks(500) {
        let mut tx = db.begin().await.unwrap();
        let campaigns = campaigns(&mut tx, &live()).await.unwrap();
        for who in chunk {
            let input = ReferralInput {
                id: Some(format!("ref_{who}")),
                campaign: "spring".to_owned(),
                promoter: "ana".to_owned(),
                email: Some(format!("{who}@example.com")),
                ..ReferralInput::default()
            };
            let clock = &SystemClock;
            register_in(&mut tx, &live(), clock, &campaigns, &input)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }
}

/// Waits until the nodes have read and judged all that is stored.
pub async fn worked_off(db: &Db, within: Duration) {
    let begun = tokio::time::Instant::now();
    loop {
        let mut tx = db.read().await.unwrap();
        let (events, _) = events::waiting(&mut tx, &live()).await.unwrap();
        let (judgements, _) = dirty::waiting(&mut tx, &live()).await.unwrap();
        drop(tx);
        if events + judgements == 0 {
            return;
        }
        assert!(
            begun.elapsed() < within,
            "{events} events and {judgements} judgements are left"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The ids of all stored events.
pub async fn stored(db: &Db) -> Vec<String> {
    let mut tx = db.read().await.unwrap();
    let all = list_events(&mut tx, &live(), &EventFilter::default(), None, 10_000_000).await;
    all.unwrap()
        .into_iter()
        .map(|event| event.event_id)
        .collect()
}

/// How many verdicts have come to this.
pub async fn verdicts(db: &Db, state: VerdictState) -> usize {
    let mut tx = db.read().await.unwrap();
    let filter = VerdictFilter {
        state: Some(state),
        ..VerdictFilter::default()
    };
    let all = list_verdicts(&mut tx, &live(), &filter, None, 10_000_000).await;
    all.unwrap().len()
}

/// A number that a statement answers.
pub async fn number(db: &Db, sql: &'static str) -> i64 {
    let mut tx = db.read().await.unwrap();
    let (number,): (i64,) = Statement::new(sql).fetch_one(&mut tx).await.unwrap();
    number
}

/// Fails if an acknowledged event is not stored, or one is stored twice.
pub async fn nothing_is_lost(db: &Db, acknowledged: &std::collections::BTreeSet<String>) {
    let stored = stored(db).await;
    let distinct: std::collections::BTreeSet<&String> = stored.iter().collect();
    assert_eq!(distinct.len(), stored.len(), "an event is stored twice");
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|id| !distinct.contains(id))
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {} are lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
}
