//! A story's verdicts through the whole pure pipeline: bodies, facts, payments, matching,
//! verdicts; and what differs from what the story expects.

use std::collections::BTreeMap;
use std::fmt::Debug;

use qualify::domain::campaign::Mode;
use qualify::domain::currency::Currency;
use qualify::domain::decision::{CaseKind, Choice, Decision, Decisions, Subject};
use qualify::domain::email::CanonicalEmail;
use qualify::domain::fact::FactBook;
use qualify::domain::ids::{CouponId, CustomerId, DecisionId, PromoterId, ReferralId};
use qualify::domain::money::Money;
use qualify::domain::people::{Promoter, Referral};
use qualify::domain::reason::LeftOut;
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

    pub fn of(self, told: Vec<Told>) -> Vec<Told> {
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

pub fn referrals(scenario: &Scenario, as_of: Timestamp) -> Vec<Referral> {
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

pub fn promoters<'s>(scenario: &Scenario, steps: impl Iterator<Item = &'s Step>) -> Promoters {
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
    let mut found = Differences(Vec::new());
    let codes: Vec<&str> = verdict.reasons.iter().map(|r| r.code.code()).collect();
    let told = codes.get(..expect.reasons.len()).unwrap_or(&codes);
    let expected: Vec<&str> = expect.reasons.iter().map(|code| code.code()).collect();
    found.differ("verdict", &expect.verdict, &verdict.state);
    found.differ("reasons", &expected.as_slice(), &told);
    let promoter = verdict.promoter.as_ref().map(PromoterId::as_str);
    found.wanted("promoter", expect.promoter.as_deref().map(Some), &promoter);
    let (qualified_at, settle_after) = (expect.qualified_at, expect.settle_after);
    found.wanted(
        "qualified_at",
        qualified_at.map(Some),
        &verdict.qualified_at,
    );
    found.wanted(
        "settle_after",
        settle_after.map(Some),
        &verdict.settle_after,
    );
    evidence(expect, verdict, &mut found);
    found.0
}

/// Sums, customers, payments, rewards.
fn evidence(expect: &Expect, verdict: &Verdict, found: &mut Differences) {
    let sums = |amounts: &BTreeMap<Currency, String>| -> BTreeMap<Currency, i64> {
        amounts
            .iter()
            .map(|(c, text)| (*c, minor(text, *c)))
            .collect()
    };
    let spend = verdict.spend.iter();
    let counted = spend.clone().map(|s| (s.currency, s.counted_minor));
    let counted: BTreeMap<_, _> = counted.filter(|(_, minor)| *minor != 0).collect();
    found.wanted("counted", expect.counted.as_ref().map(sums), &counted);
    let missing = spend.map(|s| (s.currency, s.missing_minor)).collect();
    found.wanted("missing", expect.missing.as_ref().map(sums), &missing);
    let customers = verdict.customers.iter().map(|c| c.id.to_string()).collect();
    found.wanted("customers", expect.customers.clone(), &customers);
    for (payment, why) in &expect.left_out {
        let seen = verdict.payments.iter().find(|p| p.id.as_str() == payment);
        let seen = seen.map_or("no such payment", |p| {
            p.why.map_or("counted", LeftOut::code)
        });
        found.differ(payment, &why.code(), &seen);
    }
    let presumed = verdict.payments.iter().filter(|p| p.presumed_link);
    let presumed = presumed.map(|p| p.id.to_string()).collect();
    found.wanted("presumed", expect.presumed.clone(), &presumed);
    let rewards = verdict.rewards.iter().map(|reward| {
        let amount = Money::new(reward.amount_minor, reward.currency);
        format!("{} {amount}", reward.to.name())
    });
    found.wanted("rewards", expect.rewards.clone(), &rewards.collect());
}

/// Sentences about what is not as expected.
struct Differences(Vec<String>);

impl Differences {
    fn differ<T: PartialEq + Debug>(&mut self, what: &str, expected: &T, seen: &T) {
        if expected != seen {
            let sentence = format!("{what}: expected {expected:?}, seen {seen:?}");
            self.0.push(sentence);
        }
    }

    /// The same for what a story may leave unsaid.
    fn wanted<T: PartialEq + Debug>(&mut self, what: &str, expected: Option<T>, seen: &T) {
        if let Some(expected) = expected {
            self.differ(what, &expected, seen);
        }
    }
}
