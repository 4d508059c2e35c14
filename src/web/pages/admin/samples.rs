//! The desk's pages with made-up cases and near misses, as they are rendered.

use std::collections::BTreeMap;

use askama::Template;

use super::case::filled;
use super::cases::HERE;
use super::near_miss;
use crate::domain::access::Role;
use crate::domain::currency::Currency;
use crate::domain::decision::{CaseKind, Choice, Decision, Subject};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::PromoterId;
use crate::domain::money::Money;
use crate::domain::people::Referral;
use crate::domain::reason::ReasonCode;
use crate::domain::verdict::{MatchedBy, Reason, Reward, RewardTo, Verdict, VerdictState};
use crate::registry::case_view::{Candidate, CaseView};
use crate::registry::desk::{Desk, Known, Outcome};
use crate::registry::effects::{Consequence, Effect};
use crate::registry::near_misses::NearView;
use crate::store::cases::{CaseState, StoredCase};
use crate::store::near_misses::NearMiss;
use crate::web::input::Fields;
use crate::web::parts::Errors;
use crate::web::samples::{frame, hold, now};

fn verdict(state: VerdictState, code: ReasonCode, detail: &str) -> Verdict {
    Verdict {
        campaign: "spring-2026".into(),
        revision: "sha256:0".into(),
        referral: "ref_1".into(),
        promoter: Some("prom_ana".into()),
        state,
        reasons: vec![Reason::new(code, detail)],
        customers: Vec::new(),
        spend: Vec::new(),
        payments: Vec::new(),
        window: None,
        qualified_at: None,
        settle_after: None,
        rewards: Vec::new(),
        missing: None,
        case: None,
    }
}

fn rewards(sign: i64) -> Vec<Reward> {
    let reward = |to, amount: i64| Reward {
        to,
        amount_minor: amount * sign,
        currency: Currency::USD,
    };
    vec![
        reward(RewardTo::Promoter, 2_000),
        reward(RewardTo::Invited, 1_000),
    ]
}

fn review() -> Verdict {
    let seen = "2 customers match by email: cus_1, cus_2";
    verdict(VerdictState::Review, ReasonCode::DuplicateCustomers, seen)
}

fn qualifies() -> Effect {
    let met = "64.00 USD of at least 50.00 USD";
    Effect {
        before: Some(review()),
        after: Some(verdict(
            VerdictState::Qualified,
            ReasonCode::ThresholdMet,
            met,
        )),
        money: vec![Consequence::Queued {
            promoter: "prom_ana".into(),
            rewards: rewards(1),
            settle_after: now().plus_days(4),
        }],
    }
}

fn refuses() -> Effect {
    let refused = "an admin refused it";
    Effect {
        before: Some(review()),
        after: Some(verdict(
            VerdictState::Rejected,
            ReasonCode::RejectedByAdmin,
            refused,
        )),
        money: vec![
            Consequence::Withdrawn {
                rewards: rewards(1),
            },
            Consequence::Booked {
                changes: rewards(-1),
            },
        ],
    }
}

fn candidate(id: &str, spend: Option<i64>) -> Candidate {
    Candidate {
        customer: id.into(),
        created: Some(now().plus_seconds(-86_400 * 8)),
        emails: CanonicalEmail::parse("bea@example.com")
            .into_iter()
            .collect(),
        deleted: spend.is_none(),
        matched_by: MatchedBy::Email,
        payments: if spend.is_some() { 2 } else { 0 },
        paid_last: spend.map(|_| now().plus_seconds(-3_600)),
        coupons: if spend.is_some() {
            vec!["ANA10".into()]
        } else {
            Vec::new()
        },
        uids: vec![("fp_uid".to_owned(), format!("user_{id}"))],
        counted_payments: usize::from(spend.is_some()),
        counted_spend: spend
            .map(|minor| Money::new(minor, Currency::USD))
            .into_iter()
            .collect(),
    }
}

fn desk(state: CaseState) -> Desk {
    let case = StoredCase {
        id: "case_1".into(),
        kind: CaseKind::DuplicateCustomers,
        campaign: "spring-2026".into(),
        referral: "ref_1".into(),
        state,
        opened_at: now().plus_seconds(-86_400 * 2),
        changed_at: now().plus_seconds(-7_200),
    };
    let decision = Decision {
        id: "dec_1".into(),
        subject: Subject::Case {
            case: case.id.clone(),
        },
        choice: Some(Choice::Customer {
            customer: "cus_2".into(),
        }),
        actor: "user:Mara Lind".to_owned(),
        reason: "She wrote to us <b>twice</b>".to_owned(),
        decided_at: now().plus_seconds(-7_200),
    };
    let customer = |id: &str| Choice::Customer {
        customer: id.into(),
    };
    let previews = vec![
        (customer("cus_1"), Vec::new()),
        (customer("cus_2"), vec![qualifies()]),
        (Choice::Combine, vec![qualifies()]),
        (Choice::Reject, vec![refuses()]),
    ];
    let is_open = state == CaseState::Open;
    let candidates = match state {
        CaseState::Gone => Vec::new(),
        _ => vec![candidate("cus_1", None), candidate("cus_2", Some(6_400))],
    };
    Desk {
        view: CaseView {
            detail: review().reasons[0].detail.clone(),
            candidates,
            choices: previews.iter().map(|(choice, _)| choice.clone()).collect(),
            decision: (state == CaseState::Resolved).then(|| decision.clone()),
            case,
        },
        campaign: "Spring 2026".to_owned(),
        referral: Some(referral()),
        promoters: BTreeMap::from([(PromoterId::from("prom_ana"), "Ana Lima".to_owned())]),
        people: [(
            "cus_2".into(),
            Known {
                name: Some("Bea Stone".to_owned()),
                subscriptions: vec![("sub_1".to_owned(), "active".to_owned())],
            },
        )]
        .into(),
        previews: if is_open { previews } else { Vec::new() },
        outcome: (state == CaseState::Resolved).then(|| Outcome {
            did: vec![qualifies()],
            undo: vec![refuses()],
            qualifications: Vec::new(),
            is_settled: false,
        }),
        history: if is_open { Vec::new() } else { vec![decision] },
    }
}

fn referral() -> Referral {
    Referral {
        id: "ref_1".into(),
        campaign: "spring-2026".into(),
        promoter: Some("prom_ana".into()),
        email: CanonicalEmail::parse("bea@example.com"),
        uid: None,
        stripe_customer_id: None,
        referred_at: now().plus_seconds(-86_400 * 9),
    }
}

fn case(desk: &Desk, sent: &[(&str, &str)], errors: Errors, role: Role) -> super::case::CasePage {
    let page = frame(role)
        .page("Several customers, one person", HERE)
        .under("Cases", HERE)
        .with_errors(errors.any());
    let sent = sent
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let sent = Fields::new(sent);
    filled(page, now(), desk, (&sent, errors), role == Role::Admin)
}

#[test]
fn a_case_on_the_desk() {
    let open = desk(CaseState::Open);
    hold("case_open", &case(&open, &[], Errors::none(), Role::Admin));
    hold(
        "case_seen_by_a_viewer",
        &case(&open, &[], Errors::none(), Role::Viewer),
    );
    let mut errors = Errors::one("choice", "Choose one of these");
    errors.add("reason", "Say why; it is kept with the decision");
    let sent = [("choice", "combine"), ("reason", " ")];
    hold("case_refused", &case(&open, &sent, errors, Role::Admin));
}

#[test]
fn a_case_that_is_over() {
    let mut resolved = desk(CaseState::Resolved);
    let page = |desk: &Desk| case(desk, &[], Errors::none(), Role::Admin);
    hold("case_resolved", &page(&resolved));
    if let Some(outcome) = &mut resolved.outcome {
        outcome.is_settled = true;
    }
    let settled = page(&resolved).render().unwrap();
    assert!(settled.contains("is settled, so it stays") && !settled.contains("/undo\""));
    hold("case_gone", &page(&desk(CaseState::Gone)));
}

#[test]
fn every_kind_of_case_has_its_words() {
    for kind in CaseKind::ALL {
        let mut open = desk(CaseState::Open);
        open.view.case.kind = kind;
        let choices = [
            Choice::Link,
            Choice::Coupon,
            Choice::Allow,
            Choice::Promoter {
                promoter: "prom_ana".into(),
            },
        ];
        open.previews = choices.map(|choice| (choice, Vec::new())).into();
        let html = case(&open, &[], Errors::none(), Role::Admin)
            .render()
            .unwrap();
        assert!(html.contains(super::words::question(kind)), "{kind:?}");
        assert!(html.contains("Ana Lima brought them") && html.contains("Nothing changes"));
    }
}

fn near(kind: &str, link: Option<Vec<Effect>>) -> NearView {
    NearView {
        near: NearMiss {
            near_miss_id: "near_1".into(),
            kind: kind.to_owned(),
            campaign_id: Some("spring-2026".into()),
            referral_id: link.as_ref().map(|_| "ref_1".into()),
            customer_id: Some("cus_1".into()),
            detail: "b***@e***.com differs only by tag or dots".to_owned(),
            found_at: now().unix() - 7_200,
        },
        campaign: Some("Spring 2026".to_owned()),
        promoters: BTreeMap::from([(PromoterId::from("prom_ana"), "Ana Lima".to_owned())]),
        referral: link.as_ref().map(|_| referral()),
        customer: None,
        known: Known {
            name: Some("Bea Stone".to_owned()),
            subscriptions: vec![("sub_1".to_owned(), "active".to_owned())],
        },
        link,
    }
}

#[test]
fn a_near_miss() {
    let page = |view: &NearView, errors: Errors| {
        let page = frame(Role::Admin)
            .page(
                super::near_misses::kind(&view.near.kind),
                super::near_misses::HERE,
            )
            .under("Near misses", super::near_misses::HERE);
        near_miss::filled(page, now(), view, (&Fields::default(), errors), true)
    };
    let linkable = near("similar_email", Some(vec![qualifies()]));
    hold("near_miss", &page(&linkable, Errors::none()));
    let coupon = near("similar_coupon", None);
    hold("near_miss_of_a_coupon", &page(&coupon, Errors::none()));
    for kind in ["same_uid", "just_outside_window"] {
        let html = page(&near(kind, Some(Vec::new())), Errors::none()).render();
        assert!(!html.unwrap().contains("Look at both sides"), "{kind}");
    }
}
