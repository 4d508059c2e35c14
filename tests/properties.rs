//! Properties of the whole pure core, on stories that a model of Stripe tells as events. Money,
//! order, duplicates and eras; not storage, settlement or the web.
//!
//! `PROPTEST_CASES=5000 cargo test --test properties` is the full run.

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

use proptest::prelude::*;

use engine::{Told, as_expected};
use oracle::Oracle;
use render::{Era, events};
use story::Story;

/// Cases of each property unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 300;

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

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_oracle_agrees(story in model::stories(), text in rules::campaigns()) {
        agree(&story, &text, Era::New)?;
    }
}
