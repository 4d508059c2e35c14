//! Several endpoints and several nodes: one that is slow holds up nobody, and each message is
//! taken by one.

use std::collections::BTreeMap;

use qualify::notify::webhooks::courier::Couriers;
use qualify::notify::webhooks::fan_out::fan_out;
use qualify::store::webhook_deliveries::DeliveryState;

use crate::bench::{Bench, KEY, work};
use crate::receiver::{Mood, Receiver};

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_holds_up_nobody() {
    let bench = Bench::start().await;
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.is(Mood::Hang);
    let slow_one = bench.endpoint(&slow.url(), &["*"]).await;
    bench.endpoint(&quick.url(), &["*"]).await;
    bench
        .happens("qualification.settled", (0..100).map(|n| format!("q{n}")))
        .await;
    fan_out(&bench.hooks).await.unwrap();
    let mut couriers = Couriers::default();
    couriers.send_out(&bench.hooks).await.unwrap();
    quick.got_at_least(100).await;
    let all = bench.deliveries(&slow_one).await;
    assert!(
        all.iter()
            .all(|delivery| delivery.state() == DeliveryState::Waiting)
    );
    // However much waits, only so much is under way to one endpoint.
    assert!(slow.got().len() <= 32, "{}", slow.got().len());
}

async fn by_one_of_two(bench: Bench) {
    let (a, b) = (Receiver::start().await, Receiver::start().await);
    let endpoints = [
        bench.endpoint(&a.url(), &["*"]).await,
        bench.endpoint(&b.url(), &["qualification.settled"]).await,
    ];
    bench
        .happens("qualification.settled", (0..700).map(|n| format!("q{n}")))
        .await;
    bench
        .happens("case.opened", (0..50).map(|n| format!("c{n}")))
        .await;
    let (one, other) = (
        bench.another(Some(KEY), true),
        bench.another(Some(KEY), true),
    );
    tokio::join!(work(&one), work(&other), work(&bench.hooks));
    work(&one).await;
    for endpoint in &endpoints {
        for delivery in bench.deliveries(endpoint).await {
            let seen = (delivery.state(), delivery.attempts, &delivery.failure);
            assert_eq!(seen, (DeliveryState::Delivered, 1, &None));
        }
    }
    for (receiver, count) in [(&a, 750), (&b, 700)] {
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        for got in receiver.got() {
            *times.entry(got.id()).or_default() += 1;
        }
        assert_eq!(times.len(), count);
        assert!(times.values().all(|times| *times == 1), "each by one");
    }
    bench.db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_taken_by_one_node_on_sqlite() {
    by_one_of_two(Bench::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_taken_by_one_node_on_postgres() {
    by_one_of_two(Bench::on_postgres().await).await;
}
