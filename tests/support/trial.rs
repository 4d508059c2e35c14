//! A story's verdicts through the whole pure pipeline: bodies, facts, payments, matching,
//! verdicts; and what differs from what the story expects.

use std::collections::BTreeMap;

use qualify::domain::campaign::Mode;
use qualify::domain::decision::{CaseKind, Choice, Decision, Decisions, Subject};
use qualify::domain::email::CanonicalEmail;
use qualify::domain::fact::FactBook;
use qualify::domain::ids::{CouponId, CustomerId, DecisionId, PromoterId, ReferralId};
use qualify::domain::money::Money;
use qualify::domain::people::{Promoter, Referral};
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::Verdict;
use qualify::evaluate::backtest::{Trial, backtest};
use qualify::matching::Promoters;
use qualify::payments;
use qualify::stripe::{self, Reading};

use super::scenario::{DecideStep, Expect, Scenario, Step, What};
use super::stripe_events::{Era, Told, minor, tell};

/// Ways in which the same events may arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    AsHappened,
    Reversed,
    /// Each twice, far apart.
    Twice,
}

impl Order {
    pub const ALL: [Self; 3] = [Self::AsHappened, Self::Reversed, Self::Twice];

    fn of(self, told: Vec<Told>) -> Vec<Told> {
        let reversed = || told.iter().rev().cloned();
        match self {
            Self::AsHappened => told,
            Self::Reversed => reversed().collect(),
            Self::Twice => reversed().chain(told.iter().cloned()).collect(),
        }
    }
}

/// What the rules say at an instant, by what had happened until then.
pub fn verdicts(scenario: &Scenario, as_of: Timestamp, era: Era, order: Order) -> Vec<Verdict> {
    let story = &scenario.story;
    let mut told = tell(&story.steps, era);
    told.retain(|told| told.at <= as_of);
    let mut books: BTreeMap<Mode, FactBook> = BTreeMap::new();
    for told in order.of(told) {
        let event = stripe::read_event(told.body.as_bytes());
        let event = event.unwrap_or_else(|e| panic!("{}: {e}: {}", scenario.file, told.body));
        match event.reading {
            Reading::Facts(facts) => books.entry(event.envelope.mode).or_default().extend(facts),
            other => panic!("{}: {other:?} for {}", scenario.file, told.body),
        }
    }
    let customers = |mode| {
        let book = books.get(&mode);
        book.map(payments::customers).unwrap_or_default()
    };
    let (live, test) = (customers(Mode::Live), customers(Mode::Test));
    let (mine, other) = match scenario.campaign.mode {
        Mode::Live => (&live, &test),
        Mode::Test => (&test, &live),
    };
    let past = |step: &&Step| step.at <= as_of;
    let trial = Trial {
        customers: mine,
        other_mode: other,
        referrals: &referrals(scenario, as_of),
        promoters: &promoters(scenario, story.steps.iter().filter(past)),
        decisions: &decisions(scenario, story.steps.iter().filter(past)),
        as_of,
    };
    backtest(&scenario.campaign, &trial)
}

fn referrals(scenario: &Scenario, as_of: Timestamp) -> Vec<Referral> {
    let rows = scenario.story.referrals.iter();
    let known = rows.filter(|row| row.referred_at <= as_of);
    known
        .map(|row| Referral {
            id: ReferralId::from(row.id.as_str()),
            campaign: scenario.campaign.id.clone(),
            promoter: Some(PromoterId::from(row.promoter.as_str())),
            email: row
                .email
                .as_deref()
                .map(|e| CanonicalEmail::parse(e).unwrap()),
            uid: row.uid.clone(),
            stripe_customer_id: row.stripe_customer_id.clone(),
            referred_at: row.referred_at,
        })
        .collect()
}

fn promoters<'s>(scenario: &Scenario, steps: impl Iterator<Item = &'s Step>) -> Promoters {
    let suspended: Vec<&str> = steps
        .filter_map(|step| match &step.what {
            What::Suspend(promoter) => Some(promoter.as_str()),
            _ => None,
        })
        .collect();
    let rows = scenario.story.promoters.iter();
    rows.map(|row| Promoter {
        id: PromoterId::from(row.id.as_str()),
        name: row.id.clone(),
        email: row
            .email
            .as_deref()
            .map(|e| CanonicalEmail::parse(e).unwrap()),
        code: None,
        coupons: row
            .coupons
            .iter()
            .map(|c| CouponId::from(c.as_str()))
            .collect(),
        stripe_customer_id: row.stripe_customer_id.clone(),
        suspended: suspended.contains(&row.id.as_str()),
    })
    .collect()
}

fn decisions<'s>(scenario: &Scenario, steps: impl Iterator<Item = &'s Step>) -> Decisions {
    let mut decisions = Decisions::default();
    for (number, step) in steps.enumerate() {
        if let What::Decide(decide) = &step.what {
            decisions.fold(Decision {
                id: DecisionId::new(format!("dec_{number:04}")),
                subject: subject(scenario, decide),
                choice: choice(decide),
                actor: decide.by.clone(),
                reason: decide.reason.clone(),
                decided_at: step.at,
            });
        }
    }
    decisions
}

fn subject(scenario: &Scenario, decide: &DecideStep) -> Subject {
    let referral = ReferralId::from(decide.referral.as_str());
    match (&decide.case, &decide.customer) {
        (Some(case), _) => {
            let kind: CaseKind = serde_json::from_value(case.as_str().into()).unwrap();
            let case = kind.case_id(&scenario.campaign.id, &referral);
            Subject::Case { case }
        }
        (None, Some(customer)) => Subject::Match {
            referral,
            customer: CustomerId::from(customer.as_str()),
        },
        (None, None) => Subject::Referral { referral },
    }
}

fn choice(decide: &DecideStep) -> Option<Choice> {
    Some(match decide.choose.as_str() {
        "undo" => return None,
        "customer" => Choice::Customer {
            customer: CustomerId::from(decide.customer.clone().unwrap()),
        },
        "promoter" => Choice::Promoter {
            promoter: PromoterId::from(decide.promoter.clone().unwrap()),
        },
        "combine" => Choice::Combine,
        "link" => Choice::Link,
        "coupon" => Choice::Coupon,
        "allow" => Choice::Allow,
        "reject" => Choice::Reject,
        other => panic!("`choose = \"{other}\"` is not a choice"),
    })
}

/// What differs, one sentence each.
pub fn differences(expect: &Expect, verdicts: &[Verdict]) -> Vec<String> {
    let found = verdicts
        .iter()
        .find(|v| v.referral.as_str() == expect.referral);
    let Some(verdict) = found else {
        return vec!["there is no verdict of this referral".to_owned()];
    };
    let mut differences = Vec::new();
    let mut differ = |what: &str, expected: String, seen: String| {
        if expected != seen {
            differences.push(format!("{what}: expected {expected}, seen {seen}"));
        }
    };
    let codes: Vec<&str> = verdict.reasons.iter().map(|r| r.code.code()).collect();
    let told = codes.get(..expect.reasons.len()).unwrap_or(&codes);
    let expected: Vec<&str> = expect.reasons.iter().map(|code| code.code()).collect();
    let (state, wanted) = (verdict.state.name(), expect.verdict.name());
    differ("verdict", wanted.to_owned(), state.to_owned());
    differ("reasons", format!("{expected:?}"), format!("{told:?}"));
    if let Some(counted) = &expect.counted {
        let expected = counted.iter().map(|(c, text)| (*c, minor(text, *c)));
        let expected: BTreeMap<_, _> = expected.filter(|(_, minor)| *minor != 0).collect();
        let seen = verdict.spend.iter().map(|s| (s.currency, s.counted_minor));
        let seen: BTreeMap<_, _> = seen.filter(|(_, minor)| *minor != 0).collect();
        differ("counted", format!("{expected:?}"), format!("{seen:?}"));
    }
    if let Some(missing) = &expect.missing {
        let expected = missing.iter().map(|(c, text)| (*c, minor(text, *c)));
        let expected: BTreeMap<_, _> = expected.collect();
        let seen = verdict.spend.iter().map(|s| (s.currency, s.missing_minor));
        let seen: BTreeMap<_, _> = seen.collect();
        differ("missing", format!("{expected:?}"), format!("{seen:?}"));
    }
    if let Some(customers) = &expect.customers {
        let seen: Vec<&str> = verdict.customers.iter().map(|c| c.id.as_str()).collect();
        differ("customers", format!("{customers:?}"), format!("{seen:?}"));
    }
    for (payment, why) in &expect.left_out {
        let seen = verdict.payments.iter().find(|p| p.id.as_str() == payment);
        let seen = seen.map_or("no such payment".to_owned(), |p| {
            p.why.map_or("counted", |why| why.code()).to_owned()
        });
        differ(payment, why.code().to_owned(), seen);
    }
    if let Some(presumed) = &expect.presumed {
        let seen = verdict.payments.iter().filter(|p| p.presumed_link);
        let seen: Vec<&str> = seen.map(|p| p.id.as_str()).collect();
        differ("presumed", format!("{presumed:?}"), format!("{seen:?}"));
    }
    if let Some(promoter) = &expect.promoter {
        differ(
            "promoter",
            format!("{:?}", Some(promoter)),
            format!("{:?}", verdict.promoter.as_ref().map(PromoterId::as_str)),
        );
    }
    let times = [
        ("qualified_at", expect.qualified_at, verdict.qualified_at),
        ("settle_after", expect.settle_after, verdict.settle_after),
    ];
    for (what, expected, seen) in times {
        if let Some(expected) = expected {
            let seen = seen.map_or("none".to_owned(), |at| at.to_string());
            differ(what, expected.to_string(), seen);
        }
    }
    if let Some(rewards) = &expect.rewards {
        let seen = verdict.rewards.iter().map(|reward| {
            let amount = Money::new(reward.amount_minor, reward.currency);
            format!("{} {amount}", reward.to.name())
        });
        let seen: Vec<String> = seen.collect();
        differ("rewards", format!("{rewards:?}"), format!("{seen:?}"));
    }
    differences
}
