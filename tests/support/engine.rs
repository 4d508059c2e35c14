//! The product's pure core as one function: events in, verdicts out.

use std::collections::{BTreeMap, BTreeSet};

use qualify::domain::campaign::Campaign;
use qualify::domain::decision::Decisions;
use qualify::domain::fact::FactBook;
use qualify::domain::payment::Customer;
use qualify::domain::people::Referral;
use qualify::domain::verdict::Verdict;
use qualify::evaluate::backtest::{Trial, backtest};
use qualify::matching::Promoters;
use qualify::stripe::{Reading, read_event};
use serde_json::Value;

use super::oracle::Expected;
use super::story::Story;

/// What a stream of events came to.
pub struct Told {
    pub book: FactBook,
    pub customers: Vec<Customer>,
}

impl Told {
    /// Reads and folds events; every one of them has to be readable.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut book = FactBook::default();
        for event in events {
            let read = read_event(event.to_string().as_bytes()).unwrap();
            match read.reading {
                Reading::Facts(facts) => book.extend(facts),
                Reading::Ignored { .. } => {}
                Reading::Quarantined { reason } => panic!("{reason:?}: {event}"),
            }
        }
        let customers = qualify::payments::customers(&book);
        Self { book, customers }
    }

    /// Judges a story's referrals on these facts.
    pub fn verdicts(&self, story: &Story, campaign: &Campaign) -> Vec<Verdict> {
        judge(story, campaign, &self.customers, &story.referrals())
    }

    /// Judges some referrals on some people, by their positions in the story.
    pub fn part(
        &self,
        story: &Story,
        campaign: &Campaign,
        referrals: &BTreeSet<usize>,
        people: &BTreeSet<usize>,
    ) -> Vec<Verdict> {
        let all = story.referrals();
        let referrals: Vec<Referral> = referrals.iter().map(|r| all[*r].clone()).collect();
        let ids: BTreeSet<_> = people.iter().map(|who| story.customer_id(*who)).collect();
        let customers = self.customers.iter().filter(|c| ids.contains(&c.id));
        let customers: Vec<Customer> = customers.cloned().collect();
        judge(story, campaign, &customers, &referrals)
    }
}

fn judge(
    story: &Story,
    campaign: &Campaign,
    customers: &[Customer],
    referrals: &[Referral],
) -> Vec<Verdict> {
    let promoters: Promoters = story.promoters().into_iter().collect();
    let trial = Trial {
        customers,
        other_mode: &[],
        referrals,
        promoters: &promoters,
        decisions: &Decisions::default(),
        as_of: story.as_of(),
    };
    backtest(campaign, &trial)
}

/// A verdict as far as the oracle speaks of it.
pub fn as_expected(verdict: &Verdict) -> Expected {
    let spend = verdict.spend.iter().filter(|s| s.counted_minor > 0);
    let rewards = verdict.rewards.iter();
    let spend: BTreeMap<String, i64> = spend
        .map(|s| (s.currency.code().to_owned(), s.counted_minor))
        .collect();
    Expected {
        referral: verdict.referral.to_string(),
        promoter: verdict.promoter.as_ref().map(ToString::to_string),
        state: verdict.state,
        code: verdict.code().unwrap(),
        spend,
        qualified_at: verdict.qualified_at,
        settle_after: verdict.settle_after,
        rewards: rewards
            .map(|r| (r.to, r.currency.code().to_owned(), r.amount_minor))
            .collect(),
    }
}
