//! Backtests in little memory say, byte for byte, what judging everything at once says: on
//! generated histories full of conflicts, cut into the smallest pieces, and on the demo's story.
//!
//! `PROPTEST_CASES=5000 cargo test --test streamed` is the full run.

#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a history that cannot be told has failed"
)]
#![allow(dead_code, reason = "stories are shared with other tests")]

#[path = "support/everything.rs"]
mod everything;
#[path = "support/model.rs"]
mod model;
#[path = "support/render.rs"]
mod render;
#[path = "support/rules.rs"]
mod rules;
#[path = "support/story.rs"]
mod story;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use qualify::domain::campaign::Campaign;
use qualify::domain::time::Timestamp;
use qualify::offline::streamed::{Held, Means, Output, Unwatched};
use qualify::offline::{Files, Notes, Request, backtest_files};
use serde_json::{Value, json};

use everything::Everything;
use render::{Era, events};
use story::Story;

/// Cases unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 60;

/// As little as possible is held: facts go to the disk at once, every verdict is a run of its
/// own, and customers that hang together are read again one group at a time.
const TINY: Held = Held {
    facts: 0,
    verdict_bytes: 1,
    persons: 1,
};

/// What is tried, in files.
struct Tried {
    folder: tempfile::TempDir,
}

impl Tried {
    fn new(events: &[String], promoters: &str, referrals: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("events", events.join("\n").as_str()),
            ("promoters", promoters),
            ("referrals", referrals),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn request<'c>(&self, campaigns: &'c [Campaign], held: Held, threads: usize) -> Request<'c> {
        Request {
            campaigns,
            against: None,
            at: None,
            output: Output::Json,
            means: Means {
                threads,
                folder: Some(self.folder.path().to_owned()),
                held,
            },
        }
    }

    fn streamed(&self, request: &Request<'_>) -> (String, qualify::offline::Answer) {
        let files = Files {
            events: vec![self.file("events")],
            promoters: Some(self.file("promoters")),
            referrals: Some(self.file("referrals")),
            strict: false,
        };
        let (mut said, mut out) = (Vec::new(), Vec::new());
        let answer = backtest_files(
            &files,
            request,
            &mut Notes::new(&mut said),
            &Unwatched,
            &mut out,
        );
        let answer = answer.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&said)));
        (String::from_utf8(out).unwrap(), answer)
    }

    fn everything(&self, campaigns: &[Campaign]) -> Everything {
        let read = |name: &str| std::fs::read_to_string(self.file(name)).unwrap();
        Everything::read(
            &read("events"),
            &read("promoters"),
            &read("referrals"),
            campaigns,
        )
    }

    /// Holds the streamed path, in tiny pieces and in memory, to everything at once.
    fn agree(&self, sets: &[&[Campaign]]) -> Result<(), TestCaseError> {
        let all: Vec<Campaign> = sets.iter().flat_map(|set| set.iter().cloned()).collect();
        let everything = self.everything(&all);
        let as_of = everything.newest();
        let expected = everything.judge(sets[0], as_of);
        for (held, threads) in [(TINY, 3), (Held::default(), 1)] {
            let mut request = self.request(sets[0], held, threads);
            request.against = sets.get(1).copied();
            let (told, answer) = self.streamed(&request);
            prop_assert_eq!(&everything::lines(&expected), &told, "{:?}", held);
            prop_assert_eq!(answer.as_of, as_of);
            let difference = sets
                .get(1)
                .map(|other| everything::difference(&expected, &everything.judge(other, as_of)));
            prop_assert_eq!(&difference, &answer.difference);
            request.output = Output::Table;
            let (told, _) = self.streamed(&request);
            prop_assert_eq!(everything::tables(sets[0], &expected, as_of), told);
        }
        let left = std::fs::read_dir(self.folder.path()).unwrap().count();
        prop_assert_eq!(left, 3, "nothing is left behind");
        Ok(())
    }
}

/// How one of several stories comes into the history.
#[derive(Debug, Clone)]
struct Part {
    story: Story,
    era: Era,
    live: bool,
    account: Option<&'static str>,
    /// Its customers are the same people as in the other parts.
    shares_people: bool,
    /// Which events have their object's customer changed, and to whom.
    moved: Vec<(usize, Option<usize>)>,
}

fn part() -> impl Strategy<Value = Part> {
    (
        model::stories(),
        prop::sample::select(Era::ALL.to_vec()),
        prop::bool::weighted(0.75),
        prop::option::weighted(0.4, prop::sample::select(vec!["acct_a", "acct_b"])),
        prop::bool::weighted(0.6),
        prop::collection::vec(
            (0..200_usize, prop::option::weighted(0.7, 0..4_usize)),
            0..4,
        ),
    )
        .prop_map(|(story, era, live, account, shares_people, moved)| Part {
            story,
            era,
            live,
            account,
            shares_people,
            moved,
        })
}

/// The events of a part, its Stripe ids told apart from those of the others.
fn told(number: usize, part: &Part) -> Vec<String> {
    let era = if part.era.can_tell(&part.story) {
        part.era
    } else {
        Era::New
    };
    let mut all = events(&part.story, era);
    let count = all.len();
    for (at, to) in &part.moved {
        let object = &mut all[at % count]["data"]["object"];
        if object.get("customer").is_some_and(Value::is_string) {
            object["customer"] = to.map_or(Value::Null, |who| json!(format!("cus_{who}")));
        }
    }
    let rename = |text: &str| -> Option<String> {
        let (kind, _) = text.split_once('_')?;
        let renamed = match kind {
            "cus" => !part.shares_people,
            "evt" | "ch" | "pi" | "in" | "cs" | "re" | "dp" | "du" | "sub" | "di" | "inpay"
            | "cn" => true,
            _ => false,
        };
        renamed.then(|| format!("{text}p{number}"))
    };
    for event in &mut all {
        walk(event, &rename);
        event["livemode"] = json!(part.live);
        if let Some(account) = part.account {
            event["account"] = json!(account);
        }
    }
    all.iter().map(ToString::to_string).collect()
}

fn walk(value: &mut Value, rename: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => *text = rename(text).unwrap_or_else(|| text.clone()),
        Value::Array(all) => all.iter_mut().for_each(|one| walk(one, rename)),
        Value::Object(all) => all.values_mut().for_each(|one| walk(one, rename)),
        _ => {}
    }
}

/// `promoters.csv` and `referrals.csv`: promoters of the first story, referrals of all, so that
/// several claim one person.
fn people(parts: &[Part], campaigns: &[String]) -> (String, String) {
    let mut promoters = String::from("id,name,email,code,coupons\n");
    let first = parts[0].story.promoters();
    for promoter in &first {
        let email = promoter.email.as_ref().map_or("", |email| email.as_str());
        let coupons: Vec<&str> = promoter.coupons.iter().map(|c| c.as_str()).collect();
        promoters += &format!(
            "{},{},{email},,{}\n",
            promoter.id,
            promoter.name,
            coupons.join(";")
        );
    }
    let mut referrals =
        String::from("id,campaign,promoter,email,uid,stripe_customer_id,referred_at\n");
    for (number, part) in parts.iter().enumerate() {
        for (index, referral) in part.story.referrals().iter().enumerate() {
            let promoter = &first[index % first.len()].id;
            let campaign = &campaigns[(index + number) % campaigns.len()];
            let email = referral.email.as_ref().map_or("", |email| email.as_str());
            referrals += &format!(
                "{}p{number},{campaign},{promoter},{email},{},{},{}\n",
                referral.id,
                referral.uid.as_deref().unwrap_or_default(),
                referral.stripe_customer_id.as_deref().unwrap_or_default(),
                referral.referred_at
            );
        }
    }
    (promoters, referrals)
}

/// A rule set of two campaigns of different modes and accounts.
fn rule_set(texts: &[String; 2], account: &'static str) -> Vec<Campaign> {
    let ids = ["c1", "c2"];
    let campaigns = texts.iter().zip(ids).map(|(text, id)| {
        let mode = if id == "c1" { "live" } else { "test" };
        let head = format!("id = \"{id}\"\naccount = \"{account}\"\nmode = \"{mode}\"\n");
        let limits = "\n[limits]\nper_promoter_settled = 1\n";
        let limits = if text.contains("[limits]") {
            ""
        } else {
            limits
        };
        rules::campaign(&(text.replacen("id = \"c\"\n", &head, 1) + limits))
    });
    campaigns.collect()
}

fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    config.failure_persistence = None;
    config
}

proptest! {
    #![proptest_config(config())]

    /// Whatever is shared, contested, moved between customers, modes and accounts: the verdicts
    /// of the pieces are those of the whole.
    #[test]
    fn pieces_say_what_the_whole_says(
        parts in prop::collection::vec(part(), 1..4),
        texts in [rules::campaigns(), rules::campaigns()],
        drafts in [rules::campaigns(), rules::campaigns()],
        account in prop::sample::select(vec!["acct_a", "acct_b", "acct_c"]),
    ) {
        let lines = parts.iter().enumerate();
        let lines: Vec<String> = lines.flat_map(|(number, part)| told(number, part)).collect();
        let (live, draft) = (rule_set(&texts, account), rule_set(&drafts, account));
        let (promoters, referrals) = people(&parts, &["c1".to_owned(), "c2".to_owned()]);
        Tried::new(&lines, &promoters, &referrals).agree(&[&live, &draft])?;
    }
}

/// The demo's half year: hundreds of people, doubts of every kind, events late and twice.
#[test]
fn the_demos_story_is_judged_alike() {
    use qualify::demo::story::{Act, RULES, SEED, Story};
    let story = Story::new(SEED);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut promoters = String::from("id,name,email,code,coupons\n");
    for p in &story.promoters {
        let row = [
            p.id.clone(),
            p.name.clone(),
            text(&p.email),
            text(&p.code),
            p.coupons.join(";"),
        ];
        promoters += &(row.join(",") + "\n");
    }
    let mut referrals =
        String::from("id,campaign,promoter,email,uid,stripe_customer_id,referred_at\n");
    let mut events = Vec::new();
    for step in &story.steps {
        match &step.act {
            Act::Refer(r) => {
                let at: Timestamp = r.referred_at.unwrap_or(step.at);
                let id =
                    r.id.clone()
                        .unwrap_or_else(|| format!("made_{}", referrals.len()));
                let row = [
                    id,
                    r.campaign.clone(),
                    r.promoter.clone(),
                    text(&r.email),
                    text(&r.uid),
                    text(&r.stripe_customer_id),
                    at.to_string(),
                ];
                referrals += &(row.join(",") + "\n");
            }
            Act::Deliver(body) => {
                let line = qualify::offline::compact::compact(body.as_bytes());
                let line = line.map_or_else(
                    || body.replace('\n', " "),
                    |l| String::from_utf8(l).unwrap(),
                );
                events.push(line);
            }
        }
    }
    let campaigns = RULES.map(|(name, text)| qualify::rules::parse(name, text).unwrap());
    let tried = Tried::new(&events, &promoters, &referrals);
    tried.agree(&[&campaigns, &campaigns[..2]]).unwrap();
    assert!(
        tried
            .everything(&campaigns)
            .judge(&campaigns, Timestamp::MAX)
            .len()
            > 400
    );
}

/// Whoever asks may stop it, and is told how far it is.
#[test]
fn it_can_be_stopped() {
    use std::sync::atomic::{AtomicU64, Ordering};

    use qualify::offline::streamed::{BacktestError, Step, Watch};

    #[derive(Default)]
    struct Impatient(AtomicU64);
    impl Watch for Impatient {
        fn progress(&self, step: Step) {
            if let Step::Events(read) = step {
                self.0.fetch_max(read, Ordering::Relaxed);
            }
        }
        fn is_cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed) > 0
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/backtest");
    let campaigns = qualify::rules::load(&[folder.join("rules")])
        .unwrap()
        .campaigns;
    let files = Files {
        events: vec![folder.join("events.jsonl")],
        promoters: Some(folder.join("promoters.csv")),
        referrals: Some(folder.join("referrals.csv")),
        strict: false,
    };
    let tried = Tried::new(&[], "", "");
    let request = tried.request(&campaigns, Held::default(), 2);
    let (mut said, mut out) = (Vec::new(), Vec::new());
    let watch = Impatient::default();
    let stopped = backtest_files(
        &files,
        &request,
        &mut Notes::new(&mut said),
        &watch,
        &mut out,
    );
    assert!(
        matches!(stopped, Err(BacktestError::Cancelled)),
        "{stopped:?}"
    );
    assert!(out.is_empty());
    assert!(watch.0.load(Ordering::Relaxed) > 10);
}
