//! The other way to do it: every fact in one book, every customer assembled, every verdict in
//! memory. Short and slow; what the streamed way is held to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Cursor;

use qualify::domain::campaign::{Campaign, Mode};
use qualify::domain::decision::Decisions;
use qualify::domain::fact::FactBook;
use qualify::domain::ids::{AccountId, CampaignId};
use qualify::domain::payment::Customer;
use qualify::domain::people::Referral;
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{Verdict, VerdictState};
use qualify::evaluate::backtest::{Changed, Difference, Summary, Trial, backtest};
use qualify::evaluate::explain;
use qualify::matching::Promoters;
use qualify::offline::source::Source;
use qualify::offline::{Notes, promoters, referrals};
use qualify::rules::KnownCoupons;
use qualify::stripe::{Reading, read_event};

/// A whole history.
pub struct Everything {
    books: BTreeMap<(Option<AccountId>, Mode), FactBook>,
    newest: Option<Timestamp>,
    promoters: Promoters,
    referrals: Vec<Referral>,
}

fn source(text: &str) -> Source {
    Source {
        name: "t".to_owned(),
        input: Box::new(Cursor::new(text.to_owned().into_bytes())),
    }
}

impl Everything {
    pub fn read(events: &str, people: &str, referred: &str, campaigns: &[Campaign]) -> Self {
        let mut books: BTreeMap<(Option<AccountId>, Mode), FactBook> = BTreeMap::new();
        let (mut newest, mut seen) = (None, BTreeSet::new());
        for line in events.lines() {
            let Ok(event) = read_event(line.as_bytes()) else {
                continue;
            };
            let origin = (event.envelope.account, event.envelope.mode);
            if !seen.insert((origin.clone(), event.envelope.id)) {
                continue;
            }
            newest = newest.max(Some(event.envelope.created));
            if let Reading::Facts(facts) = event.reading {
                books.entry(origin).or_default().extend(facts);
            }
        }
        let mut said = Vec::new();
        let notes = &mut Notes::new(&mut said);
        let read = promoters::read(source(people), &KnownCoupons::new(), notes).unwrap();
        let promoters: Promoters = read.promoters.into_iter().collect();
        let ids: BTreeSet<CampaignId> = campaigns.iter().map(|c| c.id.clone()).collect();
        let referrals = referrals::read(source(referred), &ids, &promoters, notes).unwrap();
        Self {
            books,
            newest,
            promoters,
            referrals,
        }
    }

    pub fn newest(&self) -> Timestamp {
        self.newest.unwrap()
    }

    fn customers(&self, account: Option<&AccountId>, mode: Mode) -> Vec<Customer> {
        let mut all = FactBook::default();
        for ((named, of), book) in &self.books {
            if *of == mode && (named.is_none() || named.as_ref() == account) {
                all.extend(book.clone());
            }
        }
        qualify::payments::customers(&all)
    }

    /// Every campaign's verdicts, campaigns in the order of their ids.
    pub fn judge(&self, campaigns: &[Campaign], as_of: Timestamp) -> Vec<Verdict> {
        let mut campaigns: Vec<&Campaign> = campaigns.iter().collect();
        campaigns.sort_by_key(|campaign| &campaign.id);
        let named = self.books.keys().find_map(|(account, _)| account.as_ref());
        let judge = |campaign: &Campaign| {
            let account = campaign.account.as_ref().or(named);
            let other = match campaign.mode {
                Mode::Live => Mode::Test,
                Mode::Test => Mode::Live,
            };
            let trial = Trial {
                customers: &self.customers(account, campaign.mode),
                other_mode: &self.customers(account, other),
                referrals: &self.referrals,
                promoters: &self.promoters,
                decisions: &Decisions::default(),
                as_of,
            };
            backtest(campaign, &trial)
        };
        campaigns.into_iter().flat_map(judge).collect()
    }
}

/// The verdicts as `--json` prints them.
pub fn lines(verdicts: &[Verdict]) -> String {
    let lines = verdicts.iter();
    let lines = lines.map(|v| serde_json::to_string(v).unwrap() + "\n");
    lines.collect()
}

fn sum(verdicts: &[&Verdict]) -> Summary {
    let mut summary = Summary::default();
    for verdict in verdicts {
        summary.add(verdict.state, &verdict.rewards);
    }
    summary
}

/// The verdicts as people see them, laid out by a table of another make.
pub fn tables(campaigns: &[Campaign], verdicts: &[Verdict], as_of: Timestamp) -> String {
    let mut campaigns: Vec<&Campaign> = campaigns.iter().collect();
    campaigns.sort_by_key(|campaign| &campaign.id);
    let mut text = String::new();
    for campaign in campaigns {
        let mine: Vec<&Verdict> = verdicts
            .iter()
            .filter(|v| v.campaign == campaign.id)
            .collect();
        let summary = sum(&mine);
        let counts = ["qualified", "pending", "review", "rejected"]
            .map(|state| format!("{} {state}", summary.states.get(state).unwrap_or(&0)));
        let rewards = summary.rewards.iter();
        let rewards = rewards.map(|(currency, minor)| {
            qualify::domain::money::Money::new(*minor, *currency).to_string()
        });
        let rewards: Vec<String> = rewards.collect();
        let rewards = if rewards.is_empty() {
            "none".to_owned()
        } else {
            rewards.join(", ")
        };
        writeln!(text, "{}  {}", campaign.id, campaign.name).unwrap();
        writeln!(
            text,
            "  {} ({}, as of {})",
            counts.join(", "),
            campaign.mode.name(),
            as_of.words()
        )
        .unwrap();
        writeln!(text, "  rewards: {rewards}").unwrap();
        if mine.is_empty() {
            text += "  no referrals\n\n";
            continue;
        }
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_content_arrangement(comfy_table::ContentArrangement::Disabled);
        table.set_header(["REFERRAL", "PROMOTER", "VERDICT"]);
        for verdict in mine {
            let limit = verdict
                .reasons
                .get(1)
                .filter(|_| verdict.state == VerdictState::Qualified);
            let limit = limit.map_or(String::new(), |r| format!("; {}: {}", r.code, r.detail));
            table.add_row([
                verdict.referral.to_string(),
                verdict
                    .promoter
                    .as_ref()
                    .map_or("-".to_owned(), ToString::to_string),
                explain::sentence(verdict) + &limit,
            ]);
        }
        for line in table.lines() {
            writeln!(text, " {}", line.trim_end()).unwrap();
        }
        text += "\n";
    }
    text
}

/// What other rules would change.
pub fn difference(live: &[Verdict], draft: &[Verdict]) -> Difference {
    let qualified = |verdicts: &[Verdict]| -> BTreeSet<Changed> {
        let qualified = verdicts
            .iter()
            .filter(|v| v.state == VerdictState::Qualified);
        qualified
            .map(|v| Changed {
                campaign: v.campaign.clone(),
                referral: v.referral.clone(),
                promoter: v.promoter.clone(),
            })
            .collect()
    };
    let (before, after) = (qualified(live), qualified(draft));
    let all = |verdicts: &[Verdict]| sum(&verdicts.iter().collect::<Vec<_>>()).rewards;
    let mut change = all(draft);
    for (currency, minor) in all(live) {
        *change.entry(currency).or_default() -= minor;
    }
    change.retain(|_, minor| *minor != 0);
    Difference {
        newly_qualified: after.difference(&before).cloned().collect(),
        dropped_out: before.difference(&after).cloned().collect(),
        rewards_change: change,
    }
}
