//! One endpoint: delivered and signed, tried again, given up, turned off, rotated, sent again.

use qualify::domain::access::By;
use qualify::domain::time::DAY_SECONDS;
use qualify::notify::webhooks::courier::Couriers;
use qualify::notify::webhooks::endpoints::Wanted;
use qualify::notify::webhooks::fan_out::fan_out;
use qualify::notify::webhooks::tidy::tidy;
use qualify::store::Statement;
use qualify::store::webhook_deliveries::DeliveryState;
use serde_json::json;

use crate::bench::{Bench, work};
use crate::receiver::{Mood, Receiver};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_delivered_signed_and_once() {
    let (bench, receiver) = (Bench::start().await, Receiver::start().await);
    bench.settled("before").await;
    bench.clock.advance(1);
    let endpoint = bench
        .endpoint(&receiver.url(), &["qualification.settled"])
        .await;
    let secret = endpoint.secret.expose();
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44);
    bench.settled("q1").await;
    bench.happens("case.opened", ["c1".to_owned()]).await;
    bench.work().await;
    bench.work().await;

    let got = receiver.got();
    assert_eq!(
        got.len(),
        1,
        "neither what was before nor what is not wanted"
    );
    assert!(got[0].is_signed_by(secret));
    assert!(!got[0].is_signed_by("whsec_YW5vdGhlciBzZWNyZXQ="));
    assert_eq!(got[0].headers["content-type"], "application/json");
    let agent = got[0].headers["user-agent"].to_str().unwrap();
    assert!(agent.starts_with("qualify/"), "{agent}");
    let body = got[0].json();
    let expected = json!({
        "id": got[0].id(),
        "type": "qualification.settled",
        "created_at": body["created_at"],
        "livemode": true,
        "data": { "qualification": "q1" },
    });
    assert_eq!(body, expected);
    let tampered = crate::receiver::Got {
        body: got[0].body.replace("q1", "q2"),
        ..got[0].clone()
    };
    assert!(!tampered.is_signed_by(secret));

    let delivery = &bench.deliveries(&endpoint).await[0];
    assert_eq!(delivery.state(), DeliveryState::Delivered);
    assert_eq!((delivery.attempts, delivery.status), (1, Some(200)));
    let rows: Vec<(String,)> = {
        let mut tx = bench.db.read().await.unwrap();
        let text = "SELECT coalesce(failure, '') FROM webhook_deliveries WHERE failure LIKE $1";
        let found = Statement::new(text).bind("%SENTINEL%").fetch_all(&mut tx);
        found.await.unwrap()
    };
    assert!(rows.is_empty(), "nothing of an answer's body is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_tried_again_later() {
    let (bench, receiver) = (Bench::impatient().await, Receiver::start().await);
    let endpoint = bench.endpoint(&receiver.url(), &["*"]).await;
    receiver.is(Mood::Status(500));
    bench.settled("q1").await;
    bench.work().await;
    let delivery = bench.deliveries(&endpoint).await.remove(0);
    assert_eq!(delivery.state(), DeliveryState::Waiting);
    assert_eq!(delivery.failure.as_deref(), Some("answered 500"));
    assert_eq!(delivery.status, Some(500));
    let pause = delivery.due_at.unwrap() - delivery.tried_at.unwrap();
    assert!((60..=66).contains(&pause), "{pause}");
    bench.work().await;
    assert_eq!(receiver.got().len(), 1, "not before its time");

    // Somebody who never answers is like somebody who fails.
    receiver.is(Mood::Hang);
    bench.clock.advance(pause);
    bench.work().await;
    let delivery = bench.deliveries(&endpoint).await.remove(0);
    assert_eq!(delivery.failure.as_deref(), Some("no answer within 1 s"));
    assert_eq!((delivery.attempts, delivery.status), (2, None));
    let shown = bench.hooks.get(&endpoint.endpoint.endpoint_id).await;
    assert_eq!(shown.unwrap().failures, 2);

    receiver.is(Mood::Status(204));
    bench.clock.advance(200);
    bench.work().await;
    let delivery = bench.deliveries(&endpoint).await.remove(0);
    assert_eq!(delivery.state(), DeliveryState::Delivered);
    assert_eq!((delivery.attempts, delivery.failure), (3, None));
    let got = receiver.got();
    assert_eq!(got.len(), 3);
    assert!(
        got.iter()
            .all(|one| one.id() == got[0].id() && one.body == got[0].body)
    );
    let shown = bench
        .hooks
        .get(&endpoint.endpoint.endpoint_id)
        .await
        .unwrap();
    assert_eq!((shown.failures, shown.failing_since), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_always_fails_is_given_up_and_can_be_sent_again() {
    let (bench, receiver) = (Bench::start().await, Receiver::start().await);
    let endpoint = bench.endpoint(&receiver.url(), &["*"]).await;
    let id = endpoint.endpoint.endpoint_id.clone();
    receiver.is(Mood::Status(503));
    bench.settled("q1").await;
    let began = bench.deliveries(&endpoint).await.len();
    assert_eq!(began, 0);
    let mut rounds = 0;
    loop {
        bench.work().await;
        let delivery = bench.deliveries(&endpoint).await.remove(0);
        rounds += 1;
        match delivery.due_at {
            Some(due) => bench
                .clock
                .set(qualify::domain::time::Timestamp::from_unix(due).unwrap()),
            None => break,
        }
    }
    assert_eq!((rounds, receiver.got().len()), (12, 12));
    let delivery = bench.deliveries(&endpoint).await.remove(0);
    assert_eq!(delivery.state(), DeliveryState::GivenUp);
    let days = delivery.tried_at.unwrap() - delivery.created_at;
    assert!(
        (2 * DAY_SECONDS..7 * DAY_SECONDS / 2).contains(&days),
        "{days}"
    );
    let given_up = Some(DeliveryState::GivenUp);
    let listed = bench
        .hooks
        .deliveries(&id, given_up, None, 9)
        .await
        .unwrap();
    assert_eq!(listed.unwrap().len(), 1);

    receiver.is(Mood::Status(200));
    bench.clock.advance(DAY_SECONDS);
    bench.work().await;
    assert_eq!(receiver.got().len(), 12, "by itself it does not come again");
    let by = By::command_line();
    let again = bench.hooks.redeliver(&id, &delivery.message_id, &by).await;
    assert_eq!(again.unwrap().state(), DeliveryState::Waiting);
    let twice = bench.hooks.redeliver(&id, &delivery.message_id, &by).await;
    assert!(twice.unwrap_err().to_string().contains("waits"));
    bench.work().await;
    assert_eq!(receiver.got().len(), 13);
    // What was delivered can be sent again as well.
    let again = bench.hooks.redeliver(&id, &delivery.message_id, &by).await;
    again.unwrap();
    bench.work().await;
    assert_eq!(receiver.got().len(), 14);
    assert_eq!(bench.audited("webhook.redelivered").await.len(), 2);
    let nothing = bench.hooks.redeliver(&id, &"msg_nothing".into(), &by).await;
    assert!(nothing.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_nothing_but_failures_turn_it_off() {
    let (bench, receiver) = (Bench::start().await, Receiver::start().await);
    let endpoint = bench.endpoint(&receiver.url(), &["*"]).await;
    let id = endpoint.endpoint.endpoint_id.clone();
    receiver.is(Mood::Status(500));
    for day in 0..4 {
        bench.settled(&format!("q{day}")).await;
        bench.work().await;
        assert!(
            bench.hooks.get(&id).await.unwrap().is_enabled(),
            "day {day}"
        );
        bench.clock.advance(DAY_SECONDS);
    }
    bench.settled("q4").await;
    bench.work().await;
    let off = bench.hooks.get(&id).await.unwrap();
    assert!(!off.is_enabled());
    let reason = off.disabled_reason.unwrap();
    assert!(reason.contains("four days"), "{reason}");
    let rows = bench.audited("webhook.disabled").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].actor.as_str(), rows[0].subject.as_str()),
        ("system", &*format!("webhook:{id}"))
    );

    // Nothing more is sent, and what happens is not kept for it.
    let before = receiver.got().len();
    bench.clock.advance(DAY_SECONDS);
    bench.settled("q5").await;
    bench.work().await;
    assert_eq!(receiver.got().len(), before);
    let message = bench.deliveries(&endpoint).await.remove(0).message_id;
    let refused = bench
        .hooks
        .redeliver(&id, &message, &By::command_line())
        .await;
    assert!(refused.is_err());
    bench.clock.advance(1);
    receiver.is(Mood::Status(200));
    let on = Wanted {
        enabled: Some(true),
        ..Wanted::default()
    };
    let on = bench
        .hooks
        .change(&id, &on, &By::command_line())
        .await
        .unwrap();
    assert_eq!(
        (on.is_enabled(), on.failures, on.disabled_reason),
        (true, 0, None)
    );
    bench.settled("q6").await;
    bench.work().await;
    let told: Vec<String> = receiver.got()[before..]
        .iter()
        .map(|one| {
            one.json()["data"]["qualification"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(
        told.contains(&"q6".to_owned()) && told.contains(&"q4".to_owned()),
        "what waited goes on: {told:?}"
    );
    assert!(!told.contains(&"q5".to_owned()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_gone_is_told_nothing_more() {
    let (bench, receiver) = (Bench::start().await, Receiver::start().await);
    let endpoint = bench.endpoint(&receiver.url(), &["*"]).await;
    receiver.is(Mood::Status(410));
    bench.settled("q1").await;
    bench.work().await;
    let off = bench
        .hooks
        .get(&endpoint.endpoint.endpoint_id)
        .await
        .unwrap();
    assert!(!off.is_enabled() && off.disabled_reason.unwrap().contains("410"));
    bench.settled("q2").await;
    bench.clock.advance(DAY_SECONDS);
    bench.work().await;
    assert_eq!(receiver.got().len(), 1);
    assert_eq!(bench.audited("webhook.disabled").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_rotated_both_sign() {
    let (bench, receiver) = (Bench::start().await, Receiver::start().await);
    let endpoint = bench.endpoint(&receiver.url(), &["*"]).await;
    let id = &endpoint.endpoint.endpoint_id;
    let rotated = bench.hooks.rotate(id, &By::command_line()).await.unwrap();
    let (old, new) = (endpoint.secret.expose(), rotated.secret.expose());
    assert_ne!(old, new);
    bench.settled("q1").await;
    bench.work().await;
    let got = receiver.got();
    assert!(got[0].is_signed_by(old) && got[0].is_signed_by(new));
    let signatures = got[0].headers["webhook-signature"].to_str().unwrap();
    assert_eq!(signatures.split(' ').count(), 2);

    bench.clock.advance(DAY_SECONDS);
    bench.settled("q2").await;
    bench.work().await;
    let got = receiver.got();
    let signatures = got[1].headers["webhook-signature"].to_str().unwrap();
    assert_eq!(
        signatures.split(' ').count(),
        1,
        "a day later the new one alone"
    );
    let rows = bench.audited("webhook.secret_rotated").await;
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].detail.contains(new));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_a_node_died_comes_again() {
    let (bench, receiver) = (Bench::start().await, Receiver::start().await);
    let endpoint = bench.endpoint(&receiver.url(), &["*"]).await;
    receiver.is(Mood::Hang);
    bench.settled("q1").await;
    bench.settled("q2").await;
    fan_out(&bench.hooks).await.unwrap();
    let mut couriers = Couriers::default();
    couriers.send_out(&bench.hooks).await.unwrap();
    receiver.got_at_least(2).await;
    drop(couriers);

    receiver.is(Mood::Status(200));
    let next = bench.another(Some(crate::bench::KEY), true);
    work(&next).await;
    assert_eq!(receiver.got().len(), 2, "they are held for a while");
    bench.clock.advance(120);
    work(&next).await;
    let all = bench.deliveries(&endpoint).await;
    assert_eq!(all.len(), 2);
    for delivery in all {
        assert_eq!(
            (delivery.state(), delivery.attempts),
            (DeliveryState::Delivered, 2)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_messages_are_forgotten_with_their_deliveries() {
    let (bench, receiver) = (Bench::start().await, Receiver::start().await);
    bench.settled("nobody's").await;
    bench.clock.advance(1);
    let endpoint = bench.endpoint(&receiver.url(), &["*"]).await;
    bench
        .happens("qualification.settled", (0..1_200).map(|n| format!("q{n}")))
        .await;
    bench.work().await;
    assert_eq!(receiver.got().len(), 1_200);
    let rows = async || {
        let mut tx = bench.db.read().await.unwrap();
        let text =
            "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM webhook_deliveries)";
        let (messages, deliveries): (i64, i64) =
            Statement::new(text).fetch_one(&mut tx).await.unwrap();
        (messages, deliveries)
    };
    tidy(&bench.hooks).await.unwrap();
    assert_eq!(rows().await, (1_201, 1_200));
    bench.clock.advance(30 * DAY_SECONDS);
    bench.settled("young").await;
    bench.clock.advance(1);
    tidy(&bench.hooks).await.unwrap();
    assert_eq!(rows().await, (1, 0));
    bench.work().await;
    assert_eq!(receiver.got().len(), 1_201);

    bench
        .hooks
        .delete(&endpoint.endpoint.endpoint_id, &By::command_line())
        .await
        .unwrap();
    assert_eq!(rows().await.1, 0);
    assert!(bench.hooks.list().await.unwrap().is_empty());
    assert_eq!(bench.audited("webhook.deleted").await.len(), 1);
}
