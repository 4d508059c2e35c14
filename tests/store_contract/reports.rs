//! Sums and counts for pages.

use qualify::domain::currency::Currency;
use qualify::domain::decision::CaseKind;
use qualify::domain::ids::ConnectionId;
use qualify::domain::people::Referral;
use qualify::domain::time::{DAY_SECONDS, Timestamp};
use qualify::domain::verdict::{RewardTo, VerdictState};
use qualify::store::Db;
use qualify::store::cases::{CaseState, StoredCase, upsert_cases};
use qualify::store::ledger::insert_transactions;
use qualify::store::referrals::insert_referrals;
use qualify::store::reports::{
    RewardFilter, RewardSum, Week, matched_by_campaign, open_cases_by_kind,
    qualifications_by_campaign, queued_until, reward_totals, rewards_by_campaign,
    rewards_by_promoter, verdicts_of_promoters, weeks,
};
use qualify::store::verdicts::{upsert_verdicts, verdicts_on_referrals};

use super::settlement::{qualification, start, transaction};
use super::verdicts::verdict;

contract!(
    verdicts_are_counted_once_however_many_customers,
    weeks_hold_what_happened_in_them,
    rewards_are_summed_by_whom_and_what_for,
    the_queue_and_the_cases_are_counted,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

async fn verdicts_are_counted_once_however_many_customers(db: &Db) {
    use VerdictState::{Pending, Qualified};
    let all = [
        verdict("spring", "r1", Qualified, &["cus_1", "cus_2"]),
        verdict("spring", "r2", Pending, &[]),
        verdict("autumn", "r1", Pending, &["cus_1"]),
    ];
    let mut tx = db.begin().await.unwrap();
    upsert_verdicts(&mut tx, &conn(), &all).await.unwrap();
    let matched = matched_by_campaign(&mut tx, &conn()).await.unwrap();
    assert_eq!(matched, [("autumn".into(), 1), ("spring".into(), 1)].into());
    let found = verdicts_on_referrals(&mut tx, &conn(), &["r1".into(), "r9".into()]).await;
    assert_eq!(found.unwrap(), [all[2].clone(), all[0].clone()]);
    let of = verdicts_of_promoters(&mut tx, &conn(), &["ana".into(), "ben".into()]).await;
    let row = |state: &str, count| ("ana".to_owned(), state.to_owned(), count);
    assert_eq!(of.unwrap(), [row("pending", 2), row("qualified", 1)]);
    let elsewhere = ConnectionId::new("other");
    assert!(
        matched_by_campaign(&mut tx, &elsewhere)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn weeks_hold_what_happened_in_them(db: &Db) {
    let week = 7 * DAY_SECONDS;
    let mut tx = start(db, &[]).await;
    let referral = |id: &str, campaign: &str, seconds| Referral {
        id: id.into(),
        campaign: campaign.into(),
        promoter: Some("ana".into()),
        email: None,
        uid: Some(id.to_owned()),
        stripe_customer_id: None,
        referred_at: at(seconds),
    };
    let all = [
        referral("before", "spring", 99),
        referral("first", "spring", 100),
        referral("last", "spring", 99 + week),
        referral("second", "autumn", 100 + week),
        referral("after", "spring", 100 + 2 * week),
    ];
    insert_referrals(&mut tx, &conn(), &all, at(1))
        .await
        .unwrap();
    let mut qualified = verdict("spring", "first", VerdictState::Qualified, &[]);
    qualified.verdict.qualified_at = Some(at(100 + week));
    qualified.verdict.settle_after = Some(at(100 + week));
    upsert_verdicts(&mut tx, &conn(), &[qualified])
        .await
        .unwrap();
    let count = |referred, qualified| Week {
        referred,
        qualified,
    };
    let found = weeks(&mut tx, &conn(), None, at(100), 2).await.unwrap();
    assert_eq!(found, [count(2, 0), count(1, 1)]);
    let only = weeks(&mut tx, &conn(), Some(&"autumn".into()), at(100), 2).await;
    assert_eq!(only.unwrap(), [count(0, 0), count(1, 0)]);
}

async fn rewards_are_summed_by_whom_and_what_for(db: &Db) {
    let mut second = qualification("q2", "p2", 5);
    second.promoter = "ben".into();
    second.campaign = "autumn".into();
    let queued = [qualification("q1", "p1", 5), second];
    let mut tx = start(db, &queued).await;
    let mut bens = transaction(2, "q2", 1, 70);
    bens.promoter = "ben".into();
    bens.campaign = "autumn".into();
    let all = [
        transaction(0, "q1", 1, 2000),
        transaction(1, "q1", 2, -500),
        bens,
    ];
    insert_transactions(&mut tx, &conn(), &all).await.unwrap();
    let any = RewardFilter::default();
    let totals = reward_totals(&mut tx, &conn(), &any).await.unwrap();
    assert_eq!(totals.len(), 1);
    let sum = &totals[0];
    assert_eq!((sum.to, sum.currency), (RewardTo::Promoter, Currency::USD));
    assert_eq!(
        (sum.accrued, sum.taken_back, sum.given_again),
        (2070, -500, 0)
    );
    assert_eq!((sum.owed(), sum.rewards), (1570, 2));
    let by = rewards_by_campaign(&mut tx, &conn(), &any).await.unwrap();
    let campaigns: Vec<(&str, i64)> = by.iter().map(|(c, s)| (c.as_str(), s.owed())).collect();
    assert_eq!(campaigns, [("autumn", 70), ("spring", 1500)]);

    let first = rewards_by_promoter(&mut tx, &conn(), &any, None, 1)
        .await
        .unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].0, ("ana".into(), "spring".into()));
    let rest = rewards_by_promoter(&mut tx, &conn(), &any, Some(&first[0].0), 9).await;
    let rest = rest.unwrap();
    assert_eq!(
        (rest.len(), &rest[0].0),
        (1, &("ben".into(), "autumn".into()))
    );
    for (filter, owed) in [
        (
            RewardFilter {
                promoter: Some("ben".into()),
                ..any.clone()
            },
            vec![70],
        ),
        (
            RewardFilter {
                campaign: Some("spring".into()),
                ..any.clone()
            },
            vec![1500],
        ),
        (
            RewardFilter {
                from: Some(at(102)),
                ..any.clone()
            },
            vec![-500],
        ),
        (
            RewardFilter {
                until: Some(at(101)),
                ..any.clone()
            },
            vec![],
        ),
    ] {
        let found = reward_totals(&mut tx, &conn(), &filter).await.unwrap();
        let found: Vec<i64> = found.iter().map(RewardSum::owed).collect();
        assert_eq!(found, owed, "{filter:?}");
    }
}

async fn the_queue_and_the_cases_are_counted(db: &Db) {
    let queued = [qualification("q1", "p1", 5), qualification("q2", "p2", 9)];
    let mut tx = start(db, &queued).await;
    let row = ("spring".to_owned(), "queued".to_owned(), 2);
    assert_eq!(
        qualifications_by_campaign(&mut tx, &conn()).await.unwrap(),
        [row]
    );
    for (until, count) in [(4, 0), (5, 1), (9, 2)] {
        let found = queued_until(&mut tx, &conn(), at(until)).await.unwrap();
        assert_eq!(found, count, "{until}");
    }
    let case = |referral: &str, state| StoredCase {
        id: CaseKind::TwoCoupons.case_id(&"spring".into(), &referral.into()),
        kind: CaseKind::TwoCoupons,
        campaign: "spring".into(),
        referral: referral.into(),
        state,
        opened_at: at(1),
        changed_at: at(1),
    };
    let both = [case("r1", CaseState::Open), case("r2", CaseState::Resolved)];
    upsert_cases(&mut tx, &conn(), &both).await.unwrap();
    let cases = open_cases_by_kind(&mut tx, &conn()).await.unwrap();
    assert_eq!(cases, [("two_coupons".to_owned(), 1)]);
}
