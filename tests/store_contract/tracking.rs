//! Referral links, clicks, and what a promoter is shown of their own.

use qualify::domain::ids::ConnectionId;
use qualify::domain::people::Referral;
use qualify::domain::reason::ReasonCode;
use qualify::domain::referral_link::{LandingPage, ReferralLink};
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{Reason, VerdictState};
use qualify::store::backtests::{StoredBacktest, get_backtest, insert_backtest, move_backtest};
use qualify::store::campaigns::{NewRevision, put_revision};
use qualify::store::portal::{rewards_of_promoter, verdicts_of_promoter};
use qualify::store::qualifications::{QualificationState, insert_qualifications};
use qualify::store::referral_links::{
    campaign_links, clicks_since, count_click, get_campaign_link, upsert_campaign_link,
};
use qualify::store::referrals::insert_referrals;
use qualify::store::verdicts::upsert_verdicts;
use qualify::store::{Db, StoreError};

use super::settlement::{qualification, start};
use super::verdicts::verdict;

contract!(
    a_campaigns_link_is_kept_and_changed,
    clicks_are_counted_by_day,
    a_promoter_is_shown_their_own_newest_first,
    a_backtest_moves_on_until_it_is_over,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn link(campaign: &str, page: &str, seconds: i64) -> ReferralLink {
    ReferralLink {
        campaign: campaign.into(),
        landing_page: LandingPage::parse(page).unwrap(),
        origins: vec!["https://app.example.com".to_owned()],
        cookie_days: 60,
        created_at: at(seconds),
        changed_at: at(seconds),
    }
}

async fn a_campaigns_link_is_kept_and_changed(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let none = link("none", "https://a.example", 1);
    let refused = upsert_campaign_link(&mut tx, &conn(), &none).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    drop(tx);
    let mut tx = db.begin().await.unwrap();
    for id in ["autumn", "spring"] {
        let new = NewRevision {
            campaign: id.into(),
            revision: "sha256:a".into(),
            source: String::new(),
            created_at: at(1),
            created_by: "test".to_owned(),
            reason: String::new(),
        };
        put_revision(&mut tx, &conn(), &new, None).await.unwrap();
    }
    let spring = link("spring", "https://a.example/x?y=1", 5);
    let autumn = link("autumn", "https://b.example", 6);
    for one in [&spring, &autumn] {
        upsert_campaign_link(&mut tx, &conn(), one).await.unwrap();
    }
    // The one that had a landing page first, whatever it is called.
    let all = campaign_links(&mut tx, &conn()).await.unwrap();
    assert_eq!(all, [spring.clone(), autumn.clone()]);
    let mut changed = link("spring", "https://c.example", 9);
    changed.origins.clear();
    changed.cookie_days = 7;
    upsert_campaign_link(&mut tx, &conn(), &changed)
        .await
        .unwrap();
    changed.created_at = at(5);
    let found = get_campaign_link(&mut tx, &conn(), &"spring".into()).await;
    assert_eq!(found.unwrap(), Some(changed));
    let elsewhere = ConnectionId::new("other");
    assert!(
        campaign_links(&mut tx, &elsewhere)
            .await
            .unwrap()
            .is_empty()
    );
    let found = get_campaign_link(&mut tx, &elsewhere, &"spring".into()).await;
    assert_eq!(found.unwrap(), None);
    tx.commit().await.unwrap();
}

async fn clicks_are_counted_by_day(db: &Db) {
    let mut tx = start(db, &[]).await;
    for (promoter, campaign, day) in [
        ("ana", "spring", 10),
        ("ana", "spring", 10),
        ("ana", "autumn", 10),
        ("ana", "spring", 11),
        ("ben", "spring", 11),
    ] {
        count_click(&mut tx, &conn(), &promoter.into(), &campaign.into(), day)
            .await
            .unwrap();
    }
    for (promoter, since, expected) in [
        ("ana", 10, 4),
        ("ana", 11, 1),
        ("ana", 12, 0),
        ("ben", 0, 1),
        ("zoe", 0, 0),
    ] {
        let clicks = clicks_since(&mut tx, &conn(), &promoter.into(), since).await;
        assert_eq!(clicks.unwrap(), expected, "{promoter} since {since}");
    }
    tx.commit().await.unwrap();
}

async fn a_promoter_is_shown_their_own_newest_first(db: &Db) {
    let mut gone = qualification("q2", "p2", 5);
    gone.state = QualificationState::Withdrawn;
    let mut later = qualification("q3", "p3", 5);
    later.created_at = at(50);
    let mut bens = qualification("q4", "p4", 5);
    bens.promoter = "ben".into();
    let first = qualification("q1", "p1", 5);
    let mut tx = start(db, &[]).await;
    let all = [first.clone(), gone, later.clone(), bens];
    insert_qualifications(&mut tx, &conn(), &all).await.unwrap();
    let rewards = rewards_of_promoter(&mut tx, &conn(), &"ana".into(), 0, 9).await;
    assert_eq!(rewards.unwrap(), [later, first.clone()]);
    let rewards = rewards_of_promoter(&mut tx, &conn(), &"ana".into(), 1, 9).await;
    assert_eq!(rewards.unwrap(), [first.clone()]);

    // What was taken off the queue for a refund that is on its way is shown, once.
    let mut held = verdict("spring", "ref_p2", VerdictState::Pending, &["cus_2"]);
    held.verdict.reasons = vec![Reason::new(ReasonCode::RefundHold, "")];
    upsert_verdicts(&mut tx, &conn(), &[held]).await.unwrap();
    let mut again = qualification("q5", "p2", 5);
    again.state = QualificationState::Withdrawn;
    again.created_at = at(60);
    insert_qualifications(&mut tx, &conn(), &[again.clone()])
        .await
        .unwrap();
    let rewards = rewards_of_promoter(&mut tx, &conn(), &"ana".into(), 0, 9).await;
    let ids: Vec<String> = rewards.unwrap().iter().map(|q| q.id.to_string()).collect();
    assert_eq!(ids, ["q5", "q3", "q1"]);
    let mut over = verdict("spring", "ref_p2", VerdictState::Rejected, &["cus_2"]);
    over.verdict.reasons = vec![Reason::new(ReasonCode::RefundedBelowThreshold, "")];
    upsert_verdicts(&mut tx, &conn(), &[over]).await.unwrap();
    let rewards = rewards_of_promoter(&mut tx, &conn(), &"ana".into(), 2, 9).await;
    assert_eq!(rewards.unwrap(), [], "it came to nothing");
    let mut given = verdict("spring", "ref_p2", VerdictState::Rejected, &["cus_2"]);
    given.verdict.promoter = Some("zoe".into());
    upsert_verdicts(&mut tx, &conn(), &[given]).await.unwrap();

    let referral = |id: &str, promoter: &str, seconds| Referral {
        id: id.into(),
        campaign: "spring".into(),
        promoter: Some(promoter.into()),
        email: None,
        uid: Some(id.to_owned()),
        stripe_customer_id: None,
        referred_at: at(seconds),
    };
    let claims = [
        referral("r_old", "ana", 10),
        referral("r_new", "ana", 20),
        referral("r_ben", "ben", 30),
    ];
    insert_referrals(&mut tx, &conn(), &claims, at(1))
        .await
        .unwrap();
    let pending = |id| verdict("spring", id, VerdictState::Pending, &[]);
    let mut of_ben = pending("r_ben");
    of_ben.verdict.promoter = Some("ben".into());
    // One that a coupon made: nobody registered it.
    let mut coupon = pending("coupon:spring:cus_1");
    coupon.verdict.qualified_at = Some(at(15));
    let (old, new) = (pending("r_old"), pending("r_new"));
    let all = [old.clone(), new.clone(), coupon.clone(), of_ben];
    upsert_verdicts(&mut tx, &conn(), &all).await.unwrap();
    let found = verdicts_of_promoter(&mut tx, &conn(), &"ana".into(), 0, 9).await;
    assert_eq!(found.unwrap(), [new, coupon.clone(), old]);
    let found = verdicts_of_promoter(&mut tx, &conn(), &"ana".into(), 1, 1).await;
    assert_eq!(found.unwrap(), [coupon]);
    tx.commit().await.unwrap();
}

async fn a_backtest_moves_on_until_it_is_over(db: &Db) {
    let backtest = |id: &str, seconds| StoredBacktest {
        id: id.into(),
        node: "node_a".to_owned(),
        draft: "{}".to_owned(),
        days: Some(90),
        asked_at: at(seconds),
        standing: "waiting".to_owned(),
        is_over: false,
        seen_at: at(seconds),
    };
    let (old, new) = (backtest("b1", 100), backtest("b2", 200));
    let elsewhere = ConnectionId::new("other");
    let mut tx = start(db, &[]).await;
    for one in [&old, &new] {
        insert_backtest(&mut tx, &conn(), one, at(50))
            .await
            .unwrap();
    }
    let found = get_backtest(&mut tx, &conn(), &"b1".into()).await.unwrap();
    assert_eq!(found.as_ref(), Some(&old));
    let others = get_backtest(&mut tx, &elsewhere, &"b1".into())
        .await
        .unwrap();
    assert_eq!(others, None);
    for (connection, standing, moves) in [
        (&elsewhere, ("judging", false), false),
        (&conn(), ("judging", false), true),
        (&conn(), ("stopped", true), true),
        (&conn(), ("done", true), false),
    ] {
        let moved = move_backtest(&mut tx, connection, &"b1".into(), standing, at(110)).await;
        assert_eq!(moved.unwrap(), moves, "{standing:?}");
    }
    let found = get_backtest(&mut tx, &conn(), &"b1".into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.standing.as_str(), found.is_over), ("stopped", true));
    assert_eq!(found.seen_at, at(110));
    // Whoever is older than what is kept goes with the next one.
    insert_backtest(&mut tx, &conn(), &backtest("b3", 300), at(150))
        .await
        .unwrap();
    assert_eq!(
        get_backtest(&mut tx, &conn(), &"b1".into()).await.unwrap(),
        None
    );
    let kept = get_backtest(&mut tx, &conn(), &"b2".into()).await.unwrap();
    assert_eq!(kept, Some(new));
    tx.commit().await.unwrap();
}
