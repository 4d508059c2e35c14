//! The work list, verdicts, cases and near misses.

use std::collections::BTreeSet;

use qualify::domain::decision::CaseKind;
use qualify::domain::ids::ConnectionId;
use qualify::domain::reason::ReasonCode;
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{MatchedBy, MatchedCustomer, Reason, Verdict, VerdictState};
use qualify::store::cases::{
    CaseFilter, CaseState, StoredCase, cases_of_referrals, change_case, count_cases, get_case,
    list_cases, upsert_cases,
};
use qualify::store::dirty::{
    DirtyKind, Weight, claim_dirty, clear_dirty, list_dirty, mark_dirty, set_aside, span, waiting,
};
use qualify::store::near_misses::{
    NearMiss, delete_near_misses, get_near_miss, insert_near_misses, list_near_misses,
    near_misses_about,
};
use qualify::store::verdicts::{
    StoredVerdict, VerdictFilter, count_verdicts, delete_verdicts, due_for_recheck, get_verdict,
    keys_with_verdict, list_verdicts, load_verdicts, upsert_verdicts, verdicts_of_customers,
};
use qualify::store::{Db, StoreError};

contract!(
    what_is_marked_again_stays_on_the_list,
    a_row_cleared_and_made_again_is_not_cleared_twice,
    what_is_heavy_waits_apart,
    verdicts_are_written_over_with_their_customers,
    verdicts_are_listed_and_due,
    a_case_changes_only_from_the_state_it_is_in,
    near_misses_are_recorded_once,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

async fn what_is_marked_again_stays_on_the_list(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let customers = set(&["cus_2", "cus_1"]);
    mark_dirty(&mut tx, &conn(), DirtyKind::Customer, &customers, 100)
        .await
        .unwrap();
    mark_dirty(&mut tx, &conn(), DirtyKind::Referral, &set(&["cus_1"]), 50)
        .await
        .unwrap();
    assert_eq!(waiting(&mut tx, &conn()).await.unwrap(), (3, Some(50)));
    assert_eq!(span(&mut tx, &conn()).await.unwrap(), Some((50, 100)));
    assert_eq!(
        claim_dirty(&mut tx, &conn(), Weight::Light, 1)
            .await
            .unwrap()[0]
            .kind,
        DirtyKind::Referral
    );
    let claimed = claim_dirty(&mut tx, &conn(), Weight::Light, 9)
        .await
        .unwrap();
    assert_eq!(claimed.len(), 3);
    // A clock that stands still, or goes back, still makes a new mark.
    mark_dirty(&mut tx, &conn(), DirtyKind::Customer, &set(&["cus_1"]), 90)
        .await
        .unwrap();
    assert_eq!(
        clear_dirty(&mut tx, &conn(), Weight::Light, &claimed)
            .await
            .unwrap(),
        2
    );
    let left = claim_dirty(&mut tx, &conn(), Weight::Light, 9)
        .await
        .unwrap();
    assert_eq!(
        (left.len(), &*left[0].id, left[0].marked_at_us),
        (1, "cus_1", 100)
    );
    assert_eq!(
        clear_dirty(&mut tx, &conn(), Weight::Light, &left)
            .await
            .unwrap(),
        1
    );
    assert_eq!(waiting(&mut tx, &conn()).await.unwrap(), (0, None));
    assert_eq!(span(&mut tx, &conn()).await.unwrap(), None);
}

async fn a_row_cleared_and_made_again_is_not_cleared_twice(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    mark_dirty(&mut tx, &conn(), DirtyKind::Customer, &set(&["cus_1"]), 100)
        .await
        .unwrap();
    let slow = claim_dirty(&mut tx, &conn(), Weight::Light, 9)
        .await
        .unwrap();
    assert_eq!(
        clear_dirty(&mut tx, &conn(), Weight::Light, &slow)
            .await
            .unwrap(),
        1
    );
    mark_dirty(&mut tx, &conn(), DirtyKind::Customer, &set(&["cus_1"]), 101)
        .await
        .unwrap();
    assert_eq!(
        clear_dirty(&mut tx, &conn(), Weight::Light, &slow)
            .await
            .unwrap(),
        0
    );
}

async fn what_is_heavy_waits_apart(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let customers = set(&["cus_1", "cus_2"]);
    mark_dirty(&mut tx, &conn(), DirtyKind::Customer, &customers, 100)
        .await
        .unwrap();
    let claimed = claim_dirty(&mut tx, &conn(), Weight::Light, 9)
        .await
        .unwrap();
    let aside = &claimed[..1];
    assert_eq!(set_aside(&mut tx, &conn(), aside).await.unwrap(), 1);
    assert_eq!(set_aside(&mut tx, &conn(), &[]).await.unwrap(), 0);
    // Marked again, it still waits apart.
    let again = BTreeSet::from([aside[0].id.clone()]);
    mark_dirty(&mut tx, &conn(), DirtyKind::Customer, &again, 200)
        .await
        .unwrap();
    let light = claim_dirty(&mut tx, &conn(), Weight::Light, 9)
        .await
        .unwrap();
    assert_eq!(light, claimed[1..]);
    let heavy = claim_dirty(&mut tx, &conn(), Weight::Heavy, 9)
        .await
        .unwrap();
    assert_eq!((heavy.len(), &heavy[0].id), (1, &aside[0].id));
    assert_eq!(
        clear_dirty(&mut tx, &conn(), Weight::Heavy, aside)
            .await
            .unwrap(),
        0
    );
    let all = list_dirty(&mut tx, &conn()).await.unwrap();
    let ids = ["cus_1", "cus_2"].map(|id| (DirtyKind::Customer, id.to_owned()));
    assert_eq!(all, BTreeSet::from(ids));
    // Cleared and marked once more, it is as light as anything.
    assert_eq!(
        clear_dirty(&mut tx, &conn(), Weight::Heavy, &heavy)
            .await
            .unwrap(),
        1
    );
    mark_dirty(&mut tx, &conn(), DirtyKind::Customer, &again, 300)
        .await
        .unwrap();
    let light = claim_dirty(&mut tx, &conn(), Weight::Light, 9).await;
    assert_eq!(light.unwrap().len(), 2);
}

pub fn verdict(
    campaign: &str,
    referral: &str,
    state: VerdictState,
    customers: &[&str],
) -> StoredVerdict {
    let qualified = state == VerdictState::Qualified;
    let code = if qualified {
        ReasonCode::ThresholdMet
    } else {
        ReasonCode::BelowThreshold
    };
    StoredVerdict {
        verdict: Verdict {
            campaign: campaign.into(),
            revision: "sha256:a".into(),
            referral: referral.into(),
            promoter: Some("ana".into()),
            state,
            reasons: vec![Reason::new(code, "12.40 USD more")],
            customers: customers
                .iter()
                .map(|id| MatchedCustomer {
                    id: (*id).into(),
                    matched_by: MatchedBy::Email,
                })
                .collect(),
            spend: Vec::new(),
            payments: Vec::new(),
            window: None,
            qualified_at: qualified.then(|| at(5)),
            settle_after: qualified.then(|| at(6)),
            rewards: Vec::new(),
            missing: None,
            case: None,
        },
        evaluated_at: at(7),
        next_check_at: (!qualified).then(|| at(8)),
    }
}

async fn verdicts_are_written_over_with_their_customers(db: &Db) {
    use VerdictState::{Pending, Qualified};
    let key = |campaign: &str, referral: &str| (campaign.into(), referral.into());
    let before = verdict("spring", "r1", Pending, &["cus_1", "cus_2"]);
    let other = verdict("autumn", "r1", Pending, &["cus_2"]);
    let after = verdict("spring", "r1", Qualified, &["cus_2", "cus_3"]);
    let mut tx = db.begin().await.unwrap();
    upsert_verdicts(&mut tx, &conn(), &[before, other.clone()])
        .await
        .unwrap();
    upsert_verdicts(&mut tx, &conn(), &[after.clone()])
        .await
        .unwrap();
    let got = get_verdict(&mut tx, &conn(), &"spring".into(), &"r1".into())
        .await
        .unwrap();
    assert_eq!(got, Some(after.clone()));
    let about = ["cus_1".into(), "cus_3".into()];
    let found = verdicts_of_customers(&mut tx, &conn(), &about)
        .await
        .unwrap();
    assert_eq!(found, [key("spring", "r1")]);
    let found = verdicts_of_customers(&mut tx, &conn(), &["cus_2".into()])
        .await
        .unwrap();
    assert_eq!(found, [key("autumn", "r1"), key("spring", "r1")]);
    let both = [
        key("spring", "r1"),
        key("autumn", "r1"),
        key("autumn", "r9"),
    ];
    let with_verdict = keys_with_verdict(&mut tx, &conn(), &both).await.unwrap();
    let loaded = load_verdicts(&mut tx, &conn(), &both).await.unwrap();
    let keys = loaded.into_iter().map(|stored| {
        let verdict = stored.verdict;
        (verdict.campaign, verdict.referral)
    });
    assert_eq!(with_verdict, keys.collect());
    assert_eq!(
        load_verdicts(&mut tx, &conn(), &both).await.unwrap(),
        [other, after]
    );
    assert_eq!(delete_verdicts(&mut tx, &conn(), &both).await.unwrap(), 2);
    let found = verdicts_of_customers(&mut tx, &conn(), &["cus_2".into()])
        .await
        .unwrap();
    assert!(found.is_empty());
}

async fn verdicts_are_listed_and_due(db: &Db) {
    use VerdictState::{Pending, Qualified};
    let mut all = vec![
        verdict("autumn", "r1", Pending, &[]),
        verdict("spring", "r1", Qualified, &[]),
        verdict("spring", "r2", Pending, &[]),
    ];
    all[2].next_check_at = Some(at(3));
    all[2].verdict.promoter = None;
    let mut tx = db.begin().await.unwrap();
    upsert_verdicts(&mut tx, &conn(), &all).await.unwrap();
    let due = due_for_recheck(&mut tx, &conn(), at(7), 9).await.unwrap();
    assert_eq!(due, [("spring".into(), "r2".into())]);
    assert_eq!(
        due_for_recheck(&mut tx, &conn(), at(8), 9)
            .await
            .unwrap()
            .len(),
        2
    );

    let any = VerdictFilter::default();
    let page = list_verdicts(&mut tx, &conn(), &any, None, 1)
        .await
        .unwrap();
    assert_eq!(page, all[..1]);
    let after = ("autumn".into(), "r1".into());
    let page = list_verdicts(&mut tx, &conn(), &any, Some(&after), 9)
        .await
        .unwrap();
    assert_eq!(page, all[1..]);
    let narrow = VerdictFilter {
        campaign: Some("spring".into()),
        promoter: Some("ana".into()),
        referral: Some("r1".into()),
        state: Some(Qualified),
        code: Some(ReasonCode::ThresholdMet),
    };
    assert_eq!(
        list_verdicts(&mut tx, &conn(), &narrow, None, 9)
            .await
            .unwrap(),
        all[1..2]
    );
    let counts = count_verdicts(&mut tx, &conn(), None).await.unwrap();
    let counts: Vec<_> = counts
        .iter()
        .map(|c| (c.0.as_str(), c.1.as_str(), c.3))
        .collect();
    assert_eq!(
        counts,
        [
            ("autumn", "pending", 1),
            ("spring", "pending", 1),
            ("spring", "qualified", 1)
        ]
    );
    let anas = count_verdicts(&mut tx, &conn(), Some(&"ana".into()))
        .await
        .unwrap();
    assert_eq!(anas.len(), 2);
}

async fn a_case_changes_only_from_the_state_it_is_in(db: &Db) {
    use CaseState::{Gone, Open, Resolved};
    let case = |referral: &str, seconds| StoredCase {
        id: CaseKind::TwoCoupons.case_id(&"spring".into(), &referral.into()),
        kind: CaseKind::TwoCoupons,
        campaign: "spring".into(),
        referral: referral.into(),
        state: Open,
        opened_at: at(seconds),
        changed_at: at(seconds),
    };
    let (a, b) = (case("r1", 1), case("r2", 2));
    let mut tx = db.begin().await.unwrap();
    upsert_cases(&mut tx, &conn(), &[b.clone(), a.clone()])
        .await
        .unwrap();
    let found_again = StoredCase {
        changed_at: at(9),
        ..a.clone()
    };
    upsert_cases(&mut tx, &conn(), &[found_again])
        .await
        .unwrap();
    assert_eq!(
        get_case(&mut tx, &conn(), &a.id).await.unwrap(),
        Some(a.clone())
    );
    change_case(&mut tx, &conn(), &a.id, Open, Resolved, at(3))
        .await
        .unwrap();
    let stale = change_case(&mut tx, &conn(), &a.id, Open, Gone, at(4)).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })));
    assert_eq!(count_cases(&mut tx, &conn(), Open).await.unwrap(), 1);
    assert_eq!(
        list_cases(&mut tx, &conn(), CaseFilter::of(Open), None, 9)
            .await
            .unwrap(),
        [b.clone()]
    );
    let after = Some((at(2), &b.id));
    assert!(
        list_cases(&mut tx, &conn(), CaseFilter::of(Open), after, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let of = cases_of_referrals(&mut tx, &conn(), &["r1".into()])
        .await
        .unwrap();
    assert_eq!((of[0].state, of[0].changed_at), (Resolved, at(3)));
    let reopened = StoredCase {
        changed_at: at(10),
        ..a.clone()
    };
    upsert_cases(&mut tx, &conn(), &[reopened]).await.unwrap();
    let both = CaseFilter {
        newest_first: true,
        ..CaseFilter::of(Open)
    };
    let found = list_cases(&mut tx, &conn(), both, None, 9).await.unwrap();
    let ids: Vec<_> = found.iter().map(|case| &case.id).collect();
    assert_eq!(ids, [&b.id, &a.id]);
    let earlier = list_cases(&mut tx, &conn(), both, Some((at(2), &b.id)), 9).await;
    assert_eq!(earlier.unwrap()[0].id, a.id);
    for (kind, count) in [(CaseKind::TwoCoupons, 2), (CaseKind::SelfReferral, 0)] {
        let filter = CaseFilter {
            kind: Some(kind),
            ..CaseFilter::of(Open)
        };
        let found = list_cases(&mut tx, &conn(), filter, None, 9).await.unwrap();
        assert_eq!(found.len(), count, "{kind:?}");
    }
    let open = list_cases(&mut tx, &conn(), CaseFilter::of(Open), None, 1)
        .await
        .unwrap();
    assert_eq!((open[0].opened_at, open[0].changed_at), (at(1), at(10)));
}

async fn near_misses_are_recorded_once(db: &Db) {
    let near = |id: &str, found_at| NearMiss {
        near_miss_id: id.into(),
        kind: "email_case".to_owned(),
        campaign_id: Some("spring".into()),
        referral_id: None,
        customer_id: Some("cus_1".into()),
        detail: "the same but for a dot".to_owned(),
        found_at,
    };
    let mut tx = db.begin().await.unwrap();
    let new = insert_near_misses(&mut tx, &conn(), &[near("b", 2), near("a", 1)])
        .await
        .unwrap();
    let again = insert_near_misses(&mut tx, &conn(), &[near("a", 9), near("c", 3)])
        .await
        .unwrap();
    assert_eq!((new, again), (2, 1));
    let one = get_near_miss(&mut tx, &conn(), &"b".into()).await.unwrap();
    assert_eq!(one, Some(near("b", 2)));
    assert_eq!(
        get_near_miss(&mut tx, &conn(), &"x".into()).await.unwrap(),
        None
    );
    let other = ConnectionId::new("other");
    assert_eq!(
        get_near_miss(&mut tx, &other, &"b".into()).await.unwrap(),
        None
    );
    let listed = list_near_misses(&mut tx, &conn(), None, 2).await.unwrap();
    assert_eq!(listed, [near("c", 3), near("b", 2)]);
    let rest = list_near_misses(&mut tx, &conn(), Some((2, &"b".into())), 9)
        .await
        .unwrap();
    assert_eq!(rest, [near("a", 1)]);
    let gone = delete_near_misses(&mut tx, &conn(), &["a".into(), "z".into()]).await;
    assert_eq!(gone.unwrap(), 1);
    let of_referral = NearMiss {
        referral_id: Some("ref_1".into()),
        ..near("d", 4)
    };
    insert_near_misses(&mut tx, &conn(), &[of_referral])
        .await
        .unwrap();
    let (referral, customer) = (["ref_1".into()], ["cus_1".into()]);
    let about = near_misses_about(&mut tx, &conn(), &referral, &[]).await;
    assert_eq!(about.unwrap(), ["d".into()]);
    let about = near_misses_about(&mut tx, &conn(), &[], &customer).await;
    assert_eq!(
        about.unwrap(),
        ["b".into(), "c".into()],
        "those of a referral are not the customer's"
    );
}
