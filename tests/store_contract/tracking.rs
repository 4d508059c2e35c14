//! Referral links, clicks, and what a promoter is shown of their own.

use qualify::domain::ids::ConnectionId;
use qualify::domain::people::Referral;
use qualify::domain::referral_link::{LandingPage, ReferralLink};
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::VerdictState;
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
    assert_eq!(rewards.unwrap(), [first]);

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
