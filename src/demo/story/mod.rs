//! Seed → story: who refers whom, what Stripe reports and when, and what every referral
//! should come to. Pure; the engine is not asked.

mod cast;
mod customers;
mod doubts;
mod launch;
mod money;
mod noise;
mod partners;
mod sakura;
mod script;

use std::collections::BTreeMap;

use crate::domain::reason::ReasonCode;
use crate::domain::time::Timestamp;
use crate::domain::verdict::VerdictState;
use crate::registry::promoters::PromoterInput;
use crate::registry::referrals::ReferralInput;

use script::Script;

/// The first midnight: 2026-01-05.
pub const STARTS_UNIX: i64 = 1_767_571_200;
/// The midnight after the last day: 2026-07-01.
pub const ENDS_UNIX: i64 = 1_782_864_000;
/// The seed that the documentation speaks of.
pub const SEED: u64 = 2026;
/// Who refers most: has referrals in every state, and rewards.
pub const BUSIEST: &str = cast::LAUNCH[0];

/// The campaign files, by file name.
pub const RULES: [(&str, &str); 3] = [
    (
        "launch-2026.toml",
        include_str!("../rules/launch-2026.toml"),
    ),
    (
        "partners-2026.toml",
        include_str!("../rules/partners-2026.toml"),
    ),
    (
        "sakura-2026.toml",
        include_str!("../rules/sakura-2026.toml"),
    ),
];

/// Something that reaches the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Somebody registers a referral.
    Refer(Box<ReferralInput>),
    /// Stripe posts an event; this is its body.
    Deliver(String),
}

/// One act and its instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When it reaches the server.
    pub at: Timestamp,
    /// What does.
    pub act: Act,
}

/// What a referral should come to, by whoever made it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The answer.
    pub state: VerdictState,
    /// The deciding reason.
    pub code: ReasonCode,
}

/// A half year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Everybody who refers.
    pub promoters: Vec<PromoterInput>,
    /// What happens, in order of arrival.
    pub steps: Vec<Step>,
    /// By (campaign, referral): what every verdict should say at the end.
    pub expected: BTreeMap<(String, String), Expected>,
}

impl Story {
    /// The half year of a seed.
    pub fn new(seed: u64) -> Self {
        let mut script = Script::new(seed);
        partners::open(&mut script);
        launch::play(&mut script);
        doubts::play(&mut script);
        partners::play(&mut script);
        sakura::play(&mut script);
        noise::play(&mut script);
        let (steps, expected) = script.finish();
        Self {
            promoters: cast::promoters(),
            steps,
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::time::DAY_SECONDS;
    use crate::stripe::read_envelope;

    #[test]
    fn the_same_seed_tells_the_same_story_and_another_one_another() {
        assert_eq!(Story::new(SEED), Story::new(SEED));
        assert_ne!(Story::new(SEED).steps, Story::new(SEED + 1).steps);
    }

    #[test]
    fn it_lasts_half_a_year_and_is_big_enough_to_be_believed() {
        for seed in [SEED, 1, 2] {
            let story = Story::new(seed);
            let (mut referred, mut events) = (0, 0);
            let (mut ids, mut again) = (BTreeSet::new(), 0);
            let mut late = 0;
            for step in &story.steps {
                assert!(
                    (STARTS_UNIX..ENDS_UNIX).contains(&step.at.unix()),
                    "{step:?}"
                );
                match &step.act {
                    Act::Refer(_) => referred += 1,
                    Act::Deliver(body) => {
                        events += 1;
                        let envelope = read_envelope(body.as_bytes()).unwrap();
                        assert!(envelope.created <= step.at, "{body}");
                        late += i32::from(step.at.unix() - envelope.created.unix() > 3600);
                        again += i32::from(!ids.insert(envelope.id));
                    }
                }
            }
            assert!(story.steps.is_sorted_by_key(|step| step.at));
            assert!((250..400).contains(&referred), "{referred} referrals");
            assert!((3_000..8_000).contains(&events), "{events} events");
            assert!((320..420).contains(&story.expected.len()));
            assert!(again > 20 && late > 20, "{again} duplicates, {late} late");
            let days = (ENDS_UNIX - STARTS_UNIX) / DAY_SECONDS;
            assert_eq!(days, 177);
        }
    }

    #[test]
    fn campaign_files_are_sound() {
        for (name, source) in RULES {
            let campaign = crate::rules::parse(name, source).unwrap();
            assert_eq!(format!("{}.toml", campaign.id), name);
        }
    }
}
