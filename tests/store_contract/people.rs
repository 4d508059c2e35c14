//! Connections, campaigns, promoters, referrals and decisions.

use qualify::domain::campaign::Mode;
use qualify::domain::decision::{Choice, Decision, Subject};
use qualify::domain::email::CanonicalEmail;
use qualify::domain::ids::{ConnectionId, CouponId, PromoterId, ReferralId};
use qualify::domain::people::{Promoter, Referral};
use qualify::domain::time::Timestamp;
use qualify::store::campaigns::{
    NewRevision, current_campaign, current_campaigns, list_revisions, put_revision,
    revision_by_hash,
};
use qualify::store::connections::{
    Connection, get_connection, list_connections, upsert_connection,
};
use qualify::store::decisions::{
    decision_page, decisions_of_referrals, decisions_on_cases, insert_decision,
};
use qualify::store::promoters::{
    all_coupons, get_promoter, list_promoters, load_promoters, owners_of_codes, owners_of_coupons,
    promoters_by_code, promoters_by_email, set_suspended, upsert_promoters,
};
use qualify::store::referrals::{
    ReferralFilter, get_referral, insert_referrals, list_referrals, load_referrals, referral_page,
    referrals_by_email, referrals_by_folded_email, referrals_by_stripe_customer, referrals_by_uid,
};
use qualify::store::{Db, Statement, StoreError};

contract!(
    a_connection_keeps_its_mode,
    a_stale_edit_of_a_campaign_is_refused,
    a_coupon_belongs_to_one_promoter,
    promoters_are_found_and_changed,
    referrals_are_found_by_every_key,
    decisions_are_only_added_to,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

pub fn promoter(id: &str, coupons: &[&str]) -> Promoter {
    Promoter {
        id: id.into(),
        name: format!("Promoter {id}"),
        email: CanonicalEmail::parse(&format!("{id}@x.io")),
        code: Some(format!("code-{id}")),
        coupons: coupons.iter().map(|c| CouponId::from(*c)).collect(),
        stripe_customer_id: None,
        suspended: false,
    }
}

fn referral(id: &str, promoter: &str, email: &str, seconds: i64) -> Referral {
    Referral {
        id: id.into(),
        campaign: "spring".into(),
        promoter: Some(promoter.into()),
        email: CanonicalEmail::parse(email),
        uid: Some(format!("uid-{id}")),
        stripe_customer_id: Some(format!("cus_{id}")),
        referred_at: at(seconds),
    }
}

async fn a_connection_keeps_its_mode(db: &Db) {
    let mut connection = Connection {
        id: conn(),
        account: None,
        mode: Mode::Live,
        name: "Main".to_owned(),
        created_at: at(1),
    };
    let mut tx = db.begin().await.unwrap();
    upsert_connection(&mut tx, &connection).await.unwrap();
    connection.account = Some("acct_1".into());
    upsert_connection(&mut tx, &connection).await.unwrap();
    assert_eq!(
        list_connections(&mut tx).await.unwrap(),
        [connection.clone()]
    );
    let test = Connection {
        mode: Mode::Test,
        ..connection.clone()
    };
    let refused = upsert_connection(&mut tx, &test).await;
    assert!(matches!(refused, Err(StoreError::Stale { .. })));
    assert_eq!(
        get_connection(&mut tx, &conn()).await.unwrap(),
        Some(connection)
    );
    let other = ConnectionId::new("other");
    assert_eq!(get_connection(&mut tx, &other).await.unwrap(), None);
}

async fn a_stale_edit_of_a_campaign_is_refused(db: &Db) {
    let new = |hash: &str, seconds| NewRevision {
        campaign: "spring".into(),
        revision: hash.into(),
        source: format!("# {hash}"),
        created_at: at(seconds),
        created_by: "ana".to_owned(),
        reason: "test".to_owned(),
    };
    let mut tx = db.begin().await.unwrap();
    assert_eq!(
        put_revision(&mut tx, &conn(), &new("sha256:a", 1), None)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        put_revision(&mut tx, &conn(), &new("sha256:b", 2), Some(1))
            .await
            .unwrap(),
        2
    );
    let stale = put_revision(&mut tx, &conn(), &new("sha256:c", 3), Some(1)).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })));
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let taken = put_revision(&mut tx, &conn(), &new("sha256:c", 3), None).await;
    assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
    tx.rollback().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let change = Statement::new("UPDATE campaign_revisions SET source = 'x'");
    assert!(matches!(
        change.execute(&mut tx).await,
        Err(StoreError::Refused(_))
    ));
    tx.rollback().await.unwrap();

    let mut tx = db.read().await.unwrap();
    let current = current_campaigns(&mut tx, &conn()).await.unwrap();
    assert_eq!(
        (current.len(), current[0].number, &*current[0].source),
        (1, 2, "# sha256:b")
    );
    let one = current_campaign(&mut tx, &conn(), &"spring".into())
        .await
        .unwrap();
    assert_eq!(one.as_ref(), current.first());
    let old = revision_by_hash(&mut tx, &conn(), &"spring".into(), &"sha256:a".into()).await;
    assert_eq!(old.unwrap().unwrap().number, 1);
    let listed = list_revisions(&mut tx, &conn(), &"spring".into(), Some(2), 9)
        .await
        .unwrap();
    assert_eq!(listed.iter().map(|r| r.number).collect::<Vec<_>>(), [1]);
    assert!(
        current_campaigns(&mut tx, &ConnectionId::new("other"))
            .await
            .unwrap()
            .is_empty()
    );
}

async fn a_coupon_belongs_to_one_promoter(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let (ana, ben) = (promoter("ana", &["A1", "A2"]), promoter("ben", &["B1"]));
    upsert_promoters(&mut tx, &conn(), std::slice::from_ref(&ana), at(1))
        .await
        .unwrap();
    upsert_promoters(&mut tx, &conn(), std::slice::from_ref(&ben), at(1))
        .await
        .unwrap();
    // The same coupon in another connection is another coupon.
    upsert_promoters(&mut tx, &"other".into(), std::slice::from_ref(&ana), at(1))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let taken = upsert_promoters(&mut tx, &conn(), &[promoter("ben", &["A1"])], at(2)).await;
    assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
    tx.rollback().await.unwrap();

    let mut tx = db.begin().await.unwrap();
    // Handing a coupon over, in one go.
    let both = [promoter("ana", &["A2"]), promoter("ben", &["A1", "B1"])];
    upsert_promoters(&mut tx, &conn(), &both, at(2))
        .await
        .unwrap();
    let owners = all_coupons(&mut tx, &conn()).await.unwrap();
    let owners: Vec<_> = owners
        .iter()
        .map(|(c, p)| (c.as_str(), p.as_str()))
        .collect();
    assert_eq!(owners, [("A1", "ben"), ("A2", "ana"), ("B1", "ben")]);
    let asked = ["a1".into(), "A1".into()];
    let owners = owners_of_coupons(&mut tx, &conn(), &asked).await.unwrap();
    assert_eq!(owners, [("A1".into(), "ben".into())]);
}

async fn promoters_are_found_and_changed(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let all = [
        promoter("cid", &[]),
        promoter("ana", &["A"]),
        promoter("ben", &[]),
    ];
    upsert_promoters(&mut tx, &conn(), &all, at(5))
        .await
        .unwrap();
    let page = list_promoters(&mut tx, &conn(), Some(&"ana".into()), 9)
        .await
        .unwrap();
    assert_eq!(
        page.iter()
            .map(|p| p.promoter.id.as_str())
            .collect::<Vec<_>>(),
        ["ben", "cid"]
    );
    let ids: [PromoterId; 2] = ["nobody".into(), "ana".into()];
    let found = load_promoters(&mut tx, &conn(), &ids).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].promoter, found[0].created_at), (&all[1], at(5)));
    let emails = [all[1].email.clone().unwrap()];
    assert_eq!(
        promoters_by_email(&mut tx, &conn(), &emails).await.unwrap(),
        found
    );
    assert_eq!(
        promoters_by_code(&mut tx, &conn(), "code-ana")
            .await
            .unwrap(),
        found
    );
    // Two had one code before that was refused.
    let mut dan = promoter("dan", &[]);
    dan.code = Some("code-ana".to_owned());
    upsert_promoters(&mut tx, &conn(), &[dan], at(6))
        .await
        .unwrap();
    let codes = ["code-ben", "CODE-BEN", "code-nobody", "code-ana"];
    let owners = owners_of_codes(&mut tx, &conn(), &codes).await.unwrap();
    let owners: Vec<(&str, &str)> = owners
        .iter()
        .map(|(code, owner)| (code.as_str(), owner.as_str()))
        .collect();
    let expected = [
        ("code-ana", "ana"),
        ("code-ana", "dan"),
        ("code-ben", "ben"),
    ];
    assert_eq!(owners, expected);
    let nobody = owners_of_codes(&mut tx, &"other".into(), &codes).await;
    assert_eq!(nobody.unwrap(), []);
    let both = promoters_by_code(&mut tx, &conn(), "code-ana").await;
    assert_eq!(both.unwrap().len(), 2);
    assert!(
        set_suspended(&mut tx, &conn(), &"ana".into(), true)
            .await
            .unwrap()
    );
    assert!(
        !set_suspended(&mut tx, &"other".into(), &"ana".into(), true)
            .await
            .unwrap()
    );
    let ana = get_promoter(&mut tx, &conn(), &"ana".into())
        .await
        .unwrap()
        .unwrap();
    assert!(ana.promoter.suspended);
}

async fn referrals_are_found_by_every_key(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    upsert_promoters(&mut tx, &conn(), &[promoter("ana", &[])], at(1))
        .await
        .unwrap();
    let (a, b) = (
        referral("r1", "ana", "j.doe+x@gmail.com", 10),
        referral("r2", "ana", "b@x.io", 20),
    );
    insert_referrals(&mut tx, &conn(), &[b.clone(), a.clone()], at(30))
        .await
        .unwrap();

    let both: Vec<ReferralId> = vec!["r2".into(), "r1".into(), "r9".into()];
    let found = load_referrals(&mut tx, &conn(), &both).await.unwrap();
    assert_eq!(found, [a.clone(), b.clone()]);
    assert_eq!(
        get_referral(&mut tx, &conn(), &"r2".into()).await.unwrap(),
        Some(b.clone())
    );
    let text = |text: &str| [text.to_owned()];
    let found = referrals_by_email(&mut tx, &conn(), &text("j.doe+x@gmail.com"))
        .await
        .unwrap();
    assert_eq!(found, [a.clone()]);
    let found = referrals_by_folded_email(&mut tx, &conn(), &text("jdoe@gmail.com"))
        .await
        .unwrap();
    assert_eq!(found, [a.clone()]);
    assert_eq!(
        referrals_by_uid(&mut tx, &conn(), &text("uid-r2"))
            .await
            .unwrap(),
        [b.clone()]
    );
    let found = referrals_by_stripe_customer(&mut tx, &conn(), &text("cus_r1"))
        .await
        .unwrap();
    assert_eq!(found, [a.clone()]);

    let any = ReferralFilter::default();
    let first = list_referrals(&mut tx, &conn(), &any, None, 1)
        .await
        .unwrap();
    assert_eq!(first, [b.clone()]);
    let next = list_referrals(&mut tx, &conn(), &any, Some((at(20), &b.id)), 9)
        .await
        .unwrap();
    assert_eq!(next, [a.clone()]);
    let narrow = ReferralFilter {
        campaign: Some("spring".into()),
        promoter: Some("ana".into()),
        from: Some(at(10)),
        until: Some(at(20)),
    };
    assert_eq!(
        list_referrals(&mut tx, &conn(), &narrow, None, 9)
            .await
            .unwrap(),
        [a.clone()]
    );
    assert_eq!(
        referral_page(&mut tx, &conn(), Some(&a.id), 9)
            .await
            .unwrap(),
        [b]
    );

    let nobodys = referral("r3", "nobody", "c@x.io", 1);
    let refused = insert_referrals(&mut tx, &conn(), &[nobodys], at(1)).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
}

async fn decisions_are_only_added_to(db: &Db) {
    let decision = |id: &str, subject: Subject, choice: Option<Choice>, seconds| Decision {
        id: id.into(),
        subject,
        choice,
        actor: "admin".to_owned(),
        reason: "looked at it".to_owned(),
        decided_at: at(seconds),
    };
    let on_case = decision(
        "d2",
        Subject::Case {
            case: "case_1".into(),
        },
        Some(Choice::Combine),
        2,
    );
    let matched = Subject::Match {
        referral: "r1".into(),
        customer: "cus_1".into(),
    };
    let on_match = decision("d1", matched, None, 3);
    let mut tx = db.begin().await.unwrap();
    let about = Some("r1".into());
    insert_decision(
        &mut tx,
        &conn(),
        &on_case,
        Some(&"spring".into()),
        about.as_ref(),
    )
    .await
    .unwrap();
    insert_decision(&mut tx, &conn(), &on_match, None, None)
        .await
        .unwrap();
    let found = decisions_of_referrals(&mut tx, &conn(), &["r1".into()])
        .await
        .unwrap();
    assert_eq!(found, [on_case.clone(), on_match.clone()]);
    let found = decisions_on_cases(&mut tx, &conn(), &["case_1".into()])
        .await
        .unwrap();
    assert_eq!(found, [on_case.clone()]);
    let page = decision_page(&mut tx, &conn(), Some(&"d1".into()), 9)
        .await
        .unwrap();
    assert_eq!(page, [on_case]);
    let deleted = Statement::new("DELETE FROM decisions")
        .execute(&mut tx)
        .await;
    assert!(
        matches!(deleted, Err(StoreError::Refused(_))),
        "{deleted:?}"
    );
}
