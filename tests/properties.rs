//! Properties of the whole pure core, on stories that a model of Stripe tells as events. Money,
//! order, duplicates and eras; not storage, settlement or the web.
//!
//! `PROPTEST_CASES=5000 cargo test --test properties` is the full run.

#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

#[path = "support/engine.rs"]
mod engine;
#[path = "support/found.rs"]
mod found;
#[path = "support/model.rs"]
mod model;
#[path = "support/oracle.rs"]
mod oracle;
#[path = "support/render.rs"]
mod render;
#[path = "support/rules.rs"]
mod rules;
#[path = "support/story.rs"]
mod story;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{Verdict, VerdictState};
use serde_json::Value;

use engine::{Told, as_expected};
use oracle::Oracle;
use render::{Era, events};
use story::{DAY, Fate, How, Payment, Refund, RefundEnd, Story};

/// Cases of each property unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 400;

fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    config.failure_persistence = None;
    config
}

/// The oracle against the engine, in one era.
fn agree(story: &Story, text: &str, era: Era) -> Result<(), TestCaseError> {
    let rules = rules::campaign(text);
    let expected = Oracle {
        story,
        rules: &rules,
    }
    .judge_all();
    let verdicts = Told::of(&events(story, era)).verdicts(story, &rules);
    let found: Vec<_> = verdicts.iter().map(as_expected).collect();
    prop_assert_eq!(
        &expected,
        &found,
        "in {:?} under\n{}\n{:#?}",
        era,
        text,
        verdicts
    );
    Ok(())
}

#[test]
fn what_was_found_stays_right() {
    for found in found::all() {
        let text = format!(
            "schema = 1\nid = \"c\"\nname = \"C\"\n{}[reward.promoter]\npercent = \"10\"\n",
            found.rules
        );
        let campaign = rules::campaign(&text);
        for era in Era::ALL
            .into_iter()
            .filter(|era| era.can_tell(&found.story))
        {
            let verdicts = Told::of(&events(&found.story, era)).verdicts(&found.story, &campaign);
            let verdict = verdicts
                .iter()
                .find(|v| v.referral.as_str() == found.referral);
            let answer = verdict.map(|v| (v.state, v.code().unwrap()));
            assert_eq!(
                answer,
                Some(found.verdict),
                "{} in {era:?}: {verdict:#?}",
                found.name
            );
            agree(&found.story, &text, era).unwrap_or_else(|e| panic!("{}: {e}", found.name));
        }
    }
}

/// Deals events in an order that a number chooses, some of them again.
fn shuffled(events: &[Value], mut seed: u64) -> Vec<Value> {
    let mut next = |below: usize| {
        // A linear congruential generator: any spread will do, and it shrinks with the seed.
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut dealt = events.to_vec();
    for _ in 0..events.len() / 3 {
        dealt.push(events[next(events.len())].clone());
    }
    for last in (1..dealt.len()).rev() {
        dealt.swap(last, next(last + 1));
    }
    dealt
}

/// The same changes under event ids of their own, as two endpoints or a resent event report them.
fn under_new_ids(events: &[Value]) -> Vec<Value> {
    let again = events.iter().map(|event| {
        let mut event = event.clone();
        event["id"] = format!("{}_again", event["id"].as_str().unwrap()).into();
        event
    });
    again.chain(events.iter().cloned()).collect()
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

fn qualified(verdicts: &[Verdict]) -> Vec<(String, Option<Timestamp>)> {
    let qualified = verdicts
        .iter()
        .filter(|v| v.state == VerdictState::Qualified);
    qualified
        .map(|v| (v.referral.to_string(), v.qualified_at))
        .collect()
}

/// What is judged with one referral, or one customer of a coupon: all customers that its keys
/// match, with them all referrals that claim them, and so on until nothing more comes.
fn neighbourhood(oracle: &Oracle<'_>, verdict: &Verdict) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let story = oracle.story;
    let is_it = |r: &usize| format!("ref_{r}") == verdict.referral.as_str();
    let mut referrals: BTreeSet<usize> = (0..story.referrals.len()).filter(is_it).collect();
    let mut people: BTreeSet<usize> = BTreeSet::new();
    if referrals.is_empty() {
        let of_coupon = |who: &usize| {
            format!("coupon:c:{}", story.customer_id(*who)) == verdict.referral.as_str()
        };
        people.extend((0..story.people.len()).filter(of_coupon));
    }
    loop {
        let before = referrals.len() + people.len();
        for who in 0..story.people.len() {
            for r in 0..story.referrals.len() {
                if (referrals.contains(&r) || people.contains(&who)) && oracle.matches(r, who) {
                    referrals.insert(r);
                    people.insert(who);
                }
            }
        }
        if referrals.len() + people.len() == before {
            return (referrals, people);
        }
    }
}

/// A payment that happens after everything else.
fn later(story: &Story, who: usize, currency: &'static str) -> Payment {
    Payment {
        who,
        at: story.last_offset() + DAY,
        currency,
        amount: 7000,
        how: How::Intent,
        ..Payment::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// P2, P3: the engine and the naive evaluator agree, whichever era tells the story.
    #[test]
    fn the_oracle_agrees_in_every_era(story in model::stories(), text in rules::campaigns()) {
        for era in Era::ALL.into_iter().filter(|era| era.can_tell(&story)) {
            agree(&story, &text, era)?;
        }
    }

    /// P2: the same events in any order, any number of times, give the same bytes.
    #[test]
    fn order_and_duplicates_change_no_byte(
        story in model::stories(),
        text in rules::campaigns(),
        era in prop::sample::select(Era::ALL.to_vec()),
        seed in any::<u64>(),
    ) {
        let rules = rules::campaign(&text);
        let events = events(&story, era);
        let in_order = Told::of(&events);
        let dealt = Told::of(&shuffled(&events, seed));
        prop_assert_eq!(json(&in_order.book), json(&dealt.book));
        let verdicts = json(&in_order.verdicts(&story, &rules));
        prop_assert_eq!(&verdicts, &json(&dealt.verdicts(&story, &rules)));
        // The book names the events of texts, so that only the verdicts have to be the same.
        let twice = Told::of(&shuffled(&under_new_ids(&events), seed));
        prop_assert_eq!(&verdicts, &json(&twice.verdicts(&story, &rules)));
    }

    /// More valid spend never un-qualifies, nor moves the instant.
    #[test]
    fn more_spend_never_unqualifies(story in model::stories(), text in rules::campaigns()) {
        let rules = rules::campaign(&text);
        let before = Told::of(&events(&story, Era::New)).verdicts(&story, &rules);
        for verdict in before.iter().filter(|v| v.state == VerdictState::Qualified) {
            let counted = verdict.payments.iter().find(|p| p.counted).unwrap();
            let index: usize = counted.id.as_str().split('_').nth(1).unwrap().parse().unwrap();
            let paid = &story.payments[index];
            let mut more = story.clone();
            more.payments.push(later(&story, paid.who, paid.currency));
            let after = Told::of(&events(&more, Era::New)).verdicts(&more, &rules);
            for still in qualified(std::slice::from_ref(verdict)) {
                prop_assert!(qualified(&after).contains(&still), "{still:?} under\n{text}");
            }
        }
    }

    /// A refund never qualifies.
    #[test]
    fn a_refund_never_qualifies(
        story in model::stories(),
        text in rules::campaigns(),
        which in any::<prop::sample::Index>(),
        amount in 1..6000_i64,
    ) {
        let rules = rules::campaign(&text);
        let before = Told::of(&events(&story, Era::New)).verdicts(&story, &rules);
        let mut less = story.clone();
        let index = which.index(less.payments.len());
        let payment = &mut less.payments[index];
        let gone: i64 = payment.refunds.iter().map(|refund| refund.amount).sum();
        let amount = amount.min(payment.paid() - gone);
        // Not `prop_assume`: thousands of cases would run into the limit of rejected ones.
        if amount <= 0 {
            return Ok(());
        }
        payment.refunds.push(Refund { amount, end: RefundEnd::Succeeded, after: 30 * DAY });
        let after = Told::of(&events(&less, Era::New)).verdicts(&less, &rules);
        let before = qualified(&before);
        for (referral, _) in qualified(&after) {
            let was = before.iter().any(|(id, _)| *id == referral);
            prop_assert!(was, "{referral} qualified by refunding payment {index}, under\n{text}");
        }
    }

    /// P3: what is counted was paid, once, whatever objects tell of it.
    #[test]
    fn no_more_is_counted_than_was_paid(
        story in model::stories(),
        text in rules::campaigns(),
        era in prop::sample::select(Era::ALL.to_vec()),
    ) {
        let rules = rules::campaign(&text);
        let told = Told::of(&events(&story, era));
        for verdict in told.verdicts(&story, &rules) {
            for spend in &verdict.spend {
                let theirs = story.payments.iter().filter(|p| {
                    let id = story.customer_id(p.who);
                    p.currency == spend.currency.code() && verdict.customers.iter().any(|c| c.id == id)
                });
                let outside = |p: &Payment| match p.fate {
                    Fate::OutOfBand if rules.qualify.out_of_band => p.amount,
                    _ => 0,
                };
                let paid: i64 = theirs.map(|p| p.paid() + outside(p)).sum();
                prop_assert!(spend.counted_minor <= paid, "{paid} paid: {verdict:#?}");
            }
        }
    }

    /// A part of the world is as good as all of it, as long as it is closed.
    #[test]
    fn a_closed_part_judges_like_the_whole(story in model::stories(), text in rules::campaigns()) {
        let rules = rules::campaign(&text);
        let told = Told::of(&events(&story, Era::New));
        let oracle = Oracle { story: &story, rules: &rules };
        for verdict in told.verdicts(&story, &rules) {
            let (referrals, people) = neighbourhood(&oracle, &verdict);
            let part = told.part(&story, &rules, &referrals, &people);
            let same = part.iter().find(|v| v.referral == verdict.referral);
            prop_assert_eq!(same.map(json), Some(json(&verdict)));
        }
    }
}

/// Stories that the coverage of features is measured on.
const SAMPLE: usize = 2_000;

#[test]
fn every_feature_is_generated_often_enough() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..SAMPLE {
        let story = model::stories().new_tree(&mut runner).unwrap().current();
        for feature in story.features() {
            *seen.entry(feature).or_insert(0) += 1;
        }
    }
    let often = |feature: &&str| seen.get(*feature).is_some_and(|n| n * 100 >= SAMPLE);
    let rare: Vec<_> = story::FEATURES.iter().filter(|f| !often(f)).collect();
    assert!(
        rare.is_empty(),
        "under 1 % of the stories: {rare:?} of {seen:#?}"
    );
    let known = |name: &String| story::FEATURES.contains(&name.as_str());
    let unlisted: Vec<_> = seen.keys().filter(|name| !known(name)).collect();
    assert!(unlisted.is_empty(), "not in FEATURES: {unlisted:?}");
}
