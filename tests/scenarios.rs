//! Runs every story of `fixtures/scenarios` and every sample campaign's cases through the real
//! pipeline, in both shapes and several orders, and counts the codes that they show.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;

use qualify::domain::reason::{LeftOut, ReasonCode};
use support::scenario::{Scenario, all};
use support::stripe_events::Era;
use support::trial::{Order, differences, verdicts};

/// Codes that no verdict of the evaluator has.
const NOT_THE_EVALUATORS: [ReasonCode; 1] = [
    // Said of a referral whose reward is in the ledger; only the running service has one.
    ReasonCode::Settled,
];

#[test]
fn every_expectation_holds_in_every_shape_and_order() {
    let scenarios = all();
    let failures: Vec<String> = scenarios.iter().flat_map(failures).collect();
    assert!(
        failures.is_empty(),
        "{} expectations differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// What differs in one story, each with its place.
fn failures(scenario: &Scenario) -> Vec<String> {
    let mut failures = Vec::new();
    for (index, expect) in scenario.story.expects.iter().enumerate() {
        let place = format!(
            "{} [[expect]] {} ({} at {})",
            scenario.file,
            index + 1,
            expect.referral,
            expect.at
        );
        let first = verdicts(scenario, expect.at, Era::Of2020, Order::AsHappened);
        let found = differences(expect, &first);
        failures.extend(found.into_iter().map(|d| format!("{place}: {d}")));
        for era in Era::BOTH {
            for order in Order::ALL {
                let again = verdicts(scenario, expect.at, era, order);
                if again != first {
                    let changed = first.iter().zip(&again).find(|(a, b)| a != b);
                    failures.push(format!(
                        "{place}: {era:?} {order:?} differs: {}",
                        changed.map_or("another number of verdicts".to_owned(), |(a, b)| format!(
                            "\n  {}\n  {}",
                            serde_json::to_string(a).unwrap(),
                            serde_json::to_string(b).unwrap()
                        ))
                    ));
                }
            }
        }
    }
    failures
}

#[test]
fn every_code_is_shown_by_a_story() {
    let scenarios = all();
    let expects = || scenarios.iter().flat_map(|s| &s.story.expects);
    let reasons: BTreeSet<ReasonCode> = expects().flat_map(|e| e.reasons.clone()).collect();
    let left_out: BTreeSet<LeftOut> = expects()
        .flat_map(|e| e.left_out.values().copied())
        .collect();
    let exempt = |code: &&ReasonCode| !NOT_THE_EVALUATORS.contains(code);
    let unseen = ReasonCode::ALL.iter().filter(exempt);
    let mut unseen: Vec<&str> = unseen
        .filter(|code| !reasons.contains(code))
        .map(|code| code.code())
        .collect();
    let payments = LeftOut::ALL.iter().filter(|code| !left_out.contains(code));
    unseen.extend(payments.map(|code| code.code()));
    assert_eq!(unseen, Vec::<&str>::new(), "no story expects these codes");
    for code in NOT_THE_EVALUATORS {
        assert!(
            !reasons.contains(&code),
            "{code} is shown; it is no exception any more"
        );
    }
}

#[test]
fn every_story_says_what_it_is_about_and_expects_something() {
    for scenario in all() {
        let story = &scenario.story;
        assert!(
            !story.title.is_empty() && !story.expects.is_empty(),
            "{}",
            scenario.file
        );
    }
}
