//! What the doctor looks at.

use std::collections::BTreeSet;

use qualify::domain::access::Role;
use qualify::domain::campaign::Mode;
use qualify::domain::currency::Currency;
use qualify::domain::email::CanonicalEmail;
use qualify::domain::ids::{CampaignId, ConnectionId};
use qualify::domain::people::Referral;
use qualify::domain::reason::ReasonCode;
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{Reason, VerdictState};
use qualify::store::campaigns::{NewRevision, put_revision};
use qualify::store::customer_keys::{CustomerKeys, KeyKind, add_customer_keys};
use qualify::store::doctor::{
    KeyMix, campaigns_that_qualified, currencies_paid_in, key_mixes, mails_given_up,
    newest_webhook, people_to_mail, shared_codes, shared_emails, used_of_other_mode,
    waiting_for_payment,
};
use qualify::store::events::{EventState, insert_events, mark_events};
use qualify::store::outbox::{OutboxMessage, fail, queue_messages};
use qualify::store::payments::{StoredPayment, upsert_payments};
use qualify::store::promoters::upsert_promoters;
use qualify::store::referrals::insert_referrals;
use qualify::store::users::{UserState, change_user, insert_user};
use qualify::store::verdicts::upsert_verdicts;
use qualify::store::{Db, Tx};

use super::events::{event, mark};
use super::people::promoter;
use super::verdicts::verdict;

contract!(
    keys_of_referrals_are_counted_by_kind,
    what_is_shared_is_counted,
    currencies_are_looked_for_among_so_many_payments,
    campaigns_and_what_waits_for_a_payment,
    webhooks_and_events_of_the_other_mode,
    mails_that_were_given_up_and_people_to_write_to,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn other() -> ConnectionId {
    ConnectionId::new("other")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

async fn people(db: &Db, codes: &[(&str, &str)]) -> Tx {
    let mut tx = db.begin().await.unwrap();
    let people = codes.iter().map(|(id, code)| {
        let mut person = promoter(id, &[]);
        person.code = Some((*code).to_owned());
        person
    });
    let people: Vec<_> = people.collect();
    upsert_promoters(&mut tx, &conn(), &people, at(1))
        .await
        .unwrap();
    tx
}

async fn keys_of_referrals_are_counted_by_kind(db: &Db) {
    let referral = |id: &str, email: bool, uid: Option<&str>, stripe: bool| Referral {
        id: id.into(),
        campaign: "spring".into(),
        promoter: Some("ana".into()),
        email: email.then(|| CanonicalEmail::parse(&format!("{id}@x.io")).unwrap()),
        uid: uid.map(str::to_owned),
        stripe_customer_id: stripe.then(|| format!("cus_{id}")),
        referred_at: at(if id == "newest" { 9 } else { 1 }),
    };
    let mut tx = people(db, &[("ana", "a")]).await;
    let all = [
        referral("a", true, None, false),
        referral("b", true, None, false),
        referral("c", false, Some("u1"), false),
        referral("d", false, Some("cus_9"), true),
        referral("newest", false, None, true),
    ];
    insert_referrals(&mut tx, &conn(), &all, at(9))
        .await
        .unwrap();
    let mix = |email, uid, uid_is_customer, stripe_id, referrals| KeyMix {
        campaign_id: "spring".to_owned(),
        email,
        uid,
        uid_is_customer,
        stripe_id,
        referrals,
    };
    let found = key_mixes(&mut tx, &conn(), 99).await.unwrap();
    let expected = [
        mix(0, 0, 0, 1, 1),
        mix(0, 1, 0, 0, 1),
        mix(0, 1, 1, 1, 1),
        mix(1, 0, 0, 0, 2),
    ];
    assert_eq!(found, expected);
    let newest = key_mixes(&mut tx, &conn(), 1).await.unwrap();
    assert_eq!(newest, [mix(0, 0, 0, 1, 1)]);
    assert!(key_mixes(&mut tx, &other(), 99).await.unwrap().is_empty());
    tx.commit().await.unwrap();
}

async fn what_is_shared_is_counted(db: &Db) {
    let mut tx = people(db, &[("ana", "same"), ("ben", "same"), ("cid", "own")]).await;
    let codes = shared_codes(&mut tx, &conn()).await.unwrap();
    assert_eq!(codes, [("same".to_owned(), 2)]);
    assert!(shared_codes(&mut tx, &other()).await.unwrap().is_empty());

    let keys = |email: &str| BTreeSet::from([(KeyKind::Email, email.to_owned())]);
    let customers: CustomerKeys = [
        ("cus_1".into(), keys("a@x.io")),
        ("cus_2".into(), keys("a@x.io")),
        ("cus_3".into(), keys("b@x.io")),
        (
            "cus_4".into(),
            BTreeSet::from([(KeyKind::Reference, "a@x.io".to_owned())]),
        ),
    ]
    .into();
    add_customer_keys(&mut tx, &conn(), &customers)
        .await
        .unwrap();
    let shared = shared_emails(&mut tx, &conn(), 99).await.unwrap();
    assert_eq!(shared, [("cus_1".into(), 2)]);
    assert!(shared_emails(&mut tx, &conn(), 1).await.unwrap().is_empty());
    assert!(
        shared_emails(&mut tx, &other(), 99)
            .await
            .unwrap()
            .is_empty()
    );
    tx.commit().await.unwrap();
}

async fn currencies_are_looked_for_among_so_many_payments(db: &Db) {
    let payment = |group: &str, currency: &str| StoredPayment {
        group_id: group.to_owned(),
        customer_id: None,
        record: format!(r#"{{"payment":{{"id":"ch_1","currency":"{currency}"}}}}"#),
    };
    let mut tx = db.begin().await.unwrap();
    let all = [payment("a", "usd"), payment("b", "jpy")];
    upsert_payments(&mut tx, &conn(), &all).await.unwrap();
    let [usd, jpy, eur] = ["usd", "jpy", "eur"].map(|code| Currency::parse(code).unwrap());
    let wanted = [usd, jpy, eur];
    let found = currencies_paid_in(&mut tx, &conn(), &wanted, 9)
        .await
        .unwrap();
    assert_eq!(found, [jpy, usd]);
    let found = currencies_paid_in(&mut tx, &conn(), &wanted, 1)
        .await
        .unwrap();
    assert_eq!(found, [usd], "only so many are looked at");
    assert!(
        currencies_paid_in(&mut tx, &conn(), &[], 9)
            .await
            .unwrap()
            .is_empty()
    );
    let elsewhere = currencies_paid_in(&mut tx, &other(), &wanted, 9).await;
    assert!(elsewhere.unwrap().is_empty());
    tx.commit().await.unwrap();
}

async fn campaigns_and_what_waits_for_a_payment(db: &Db) {
    use VerdictState::{Pending, Qualified};
    let mut tx = db.begin().await.unwrap();
    for campaign in ["spring", "autumn"] {
        let new = NewRevision {
            campaign: campaign.into(),
            revision: "sha256:a".into(),
            source: "#".to_owned(),
            created_at: at(1),
            created_by: "ana".to_owned(),
            reason: "test".to_owned(),
        };
        put_revision(&mut tx, &conn(), &new, None).await.unwrap();
    }
    let unpaid = |referral: &str, customers: &[&str]| {
        let mut one = verdict("autumn", referral, Pending, customers);
        one.verdict.reasons = vec![Reason::new(ReasonCode::NoPaymentYet, "nothing yet")];
        one
    };
    let all = [
        verdict("spring", "r1", Qualified, &["cus_1"]),
        verdict("autumn", "r1", Pending, &["cus_1"]),
        unpaid("r2", &["cus_2"]),
        unpaid("r3", &[]),
    ];
    upsert_verdicts(&mut tx, &conn(), &all).await.unwrap();
    let qualified = campaigns_that_qualified(&mut tx, &conn()).await.unwrap();
    assert_eq!(qualified, [CampaignId::from("spring")]);
    let waiting = waiting_for_payment(&mut tx, &conn(), 99).await.unwrap();
    assert_eq!(waiting, [all[2].verdict.clone()]);
    assert!(
        waiting_for_payment(&mut tx, &conn(), 0)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        campaigns_that_qualified(&mut tx, &other())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        waiting_for_payment(&mut tx, &other(), 99)
            .await
            .unwrap()
            .is_empty()
    );
    tx.commit().await.unwrap();
}

async fn webhooks_and_events_of_the_other_mode(db: &Db) {
    let mut imported = event("evt_imported", 4_000_000, "d");
    imported.secret_index = None;
    let test = |id: &str, at_us| {
        let mut one = event(id, at_us, id);
        one.mode = Mode::Test;
        one
    };
    let mut tx = db.read().await.unwrap();
    assert_eq!(newest_webhook(&mut tx, &conn()).await.unwrap(), None);
    tx.rollback().await.unwrap();
    let group = [
        event("evt_1", 1_000_000, "a"),
        test("evt_waits", 2_000_000),
        test("evt_used", 2_500_000),
        test("evt_ignored", 3_000_000),
        imported,
    ];
    insert_events(db, &conn(), &group).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let marks = [
        mark("evt_used", 2_500_000, EventState::Done),
        mark("evt_ignored", 3_000_000, EventState::Ignored),
    ];
    mark_events(&mut tx, &conn(), &marks).await.unwrap();
    let newest = newest_webhook(&mut tx, &conn()).await.unwrap().unwrap();
    assert_eq!((newest.received_at_us, newest.secret_index), (3_000_000, 1));
    assert_eq!((newest.created_at, newest.api_version), (3, None));
    let used = async |tx: &mut Tx, mode, most| used_of_other_mode(tx, &conn(), mode, most).await;
    assert_eq!(used(&mut tx, Mode::Live, 99).await.unwrap(), 1);
    assert_eq!(used(&mut tx, Mode::Live, 2).await.unwrap(), 0);
    let elsewhere = used_of_other_mode(&mut tx, &other(), Mode::Live, 99).await;
    assert_eq!(elsewhere.unwrap(), 0);
    assert_eq!(newest_webhook(&mut tx, &other()).await.unwrap(), None);
    tx.commit().await.unwrap();
}

async fn mails_that_were_given_up_and_people_to_write_to(db: &Db) {
    let message = |id: &str, topic: &str, created_at| OutboxMessage {
        outbox_id: id.into(),
        topic: topic.to_owned(),
        subject_id: "u".to_owned(),
        payload: "{}".to_owned(),
        created_at,
        delivered_at: None,
        attempts: 8,
    };
    let mut tx = db.begin().await.unwrap();
    let all = [
        message("m1", "mail.x", 10),
        message("m2", "mail.x", 11),
        message("m3", "mail.x", 12),
        message("old", "mail.x", 1),
        message("hook", "settled", 13),
    ];
    queue_messages(&mut tx, &conn(), &all, at(10))
        .await
        .unwrap();
    for (id, again) in [
        ("m1", None),
        ("m2", None),
        ("m3", Some(at(99))),
        ("old", None),
        ("hook", None),
    ] {
        fail(&mut tx, &conn(), &id.into(), "no such mailbox", again)
            .await
            .unwrap();
    }
    let given_up = mails_given_up(&mut tx, &conn(), at(5), 99).await.unwrap();
    assert_eq!(given_up, [("no such mailbox".to_owned(), 2)]);
    assert!(
        mails_given_up(&mut tx, &conn(), at(12), 99)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        mails_given_up(&mut tx, &other(), at(0), 99)
            .await
            .unwrap()
            .is_empty()
    );

    assert_eq!(people_to_mail(&mut tx, &conn()).await.unwrap(), 0);
    let user = super::users::user;
    for one in [
        user("own", Role::Owner),
        user("adm", Role::Admin),
        user("gone", Role::Viewer),
    ] {
        insert_user(&mut tx, &conn(), &one).await.unwrap();
    }
    let gone = user("gone", Role::Viewer);
    let mut after = gone.clone();
    after.state = UserState::Deactivated;
    change_user(&mut tx, &conn(), &gone, &after).await.unwrap();
    assert_eq!(people_to_mail(&mut tx, &conn()).await.unwrap(), 1);
    tx.commit().await.unwrap();
}
