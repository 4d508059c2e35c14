//! What a check answers: a state, what was seen, and the next step. The command line, the API
//! and the page show the same value.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::time::Timestamp;

/// Examples that a finding names at most, unless every one of them is its answer.
pub const EXAMPLES_MAX: usize = 10;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Could not be looked at; what was seen says why.
    NotLookedAt,
    /// Somebody should look at it.
    Warning,
    /// Something does not work, or will not.
    Problem,
}

impl State {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotLookedAt => "not looked at",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What checks are about, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// The Stripe account and the key to it.
    Stripe,
    /// Events on their way here.
    Webhooks,
    /// Promoters' coupons.
    Coupons,
    /// Finding customers for referrals.
    Matching,
    /// Rules and what they meet.
    Campaigns,
    /// Events read, referrals judged, batches settled.
    Work,
    /// Mail.
    Mail,
}

impl Area {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Stripe,
        Self::Webhooks,
        Self::Coupons,
        Self::Matching,
        Self::Campaigns,
        Self::Work,
        Self::Mail,
    ];

    /// As a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Stripe => "Stripe account and key",
            Self::Webhooks => "Webhooks",
            Self::Coupons => "Coupons",
            Self::Matching => "Referrals and customers",
            Self::Campaigns => "Campaigns and payments",
            Self::Work => "Queue and batches",
            Self::Mail => "Mail",
        }
    }
}

/// One check, before it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// A stable name, lower snake case, append-only.
    pub id: &'static str,
    /// What it is about.
    pub area: Area,
    /// What people call it.
    pub title: &'static str,
}

impl Check {
    /// A check.
    pub const fn new(area: Area, id: &'static str, title: &'static str) -> Self {
        Self { id, area, title }
    }

    /// As it should be.
    pub fn ok(self, seen: impl Into<String>) -> Finding {
        self.found(State::Ok, seen, None)
    }

    /// Somebody should look at it.
    pub fn warning(self, seen: impl Into<String>, next: impl Into<String>) -> Finding {
        self.found(State::Warning, seen, Some(next.into()))
    }

    /// Something does not work, or will not.
    pub fn problem(self, seen: impl Into<String>, next: impl Into<String>) -> Finding {
        self.found(State::Problem, seen, Some(next.into()))
    }

    /// Could not be looked at, and why.
    pub fn not_looked_at(self, why: impl Into<String>) -> Finding {
        self.found(State::NotLookedAt, why, None)
    }

    fn found(self, state: State, seen: impl Into<String>, next: Option<String>) -> Finding {
        Finding {
            id: self.id,
            area: self.area,
            title: self.title,
            state,
            seen: seen.into(),
            next,
            examples: Vec::new(),
        }
    }
}

/// What a check answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DoctorCheck")]
pub struct Finding {
    /// A stable name of the check; checks are added, never renamed.
    pub id: &'static str,
    /// What it is about.
    pub area: Area,
    /// What people call it.
    pub title: &'static str,
    /// How it ended.
    pub state: State,
    /// What was seen, or why it could not be looked at.
    pub seen: String,
    /// What to do next.
    pub next: Option<String>,
    /// What it is about in particular: ids, names of events, reasons.
    pub examples: Vec<String>,
}

impl Finding {
    /// Names a few of what it is about.
    #[must_use]
    pub fn such_as(self, examples: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.naming(examples.into_iter().take(EXAMPLES_MAX))
    }

    /// Names all of what it is about.
    #[must_use]
    pub fn naming(mut self, examples: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.examples = examples.into_iter().map(Into::into).collect();
        self
    }

    /// What to do next, where it could not be looked at.
    #[must_use]
    pub fn and_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

/// How far Stripe was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// It answered.
    Asked,
    /// It was not asked: no key, or it was not to be.
    NotAsked,
    /// It did not answer.
    Unreachable,
}

/// How many checks ended in each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[schemars(rename = "DoctorCounts")]
pub struct Counts {
    /// As it should be.
    pub ok: usize,
    /// Not looked at.
    pub not_looked_at: usize,
    /// To be looked at by somebody.
    pub warning: usize,
    /// Does not work.
    pub problem: usize,
}

/// Every check's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DoctorReport")]
pub struct Report {
    /// When it was looked.
    pub at: Timestamp,
    /// How far Stripe was asked.
    pub stripe: Reach,
    /// When Stripe was asked, if it was: within the last few seconds it is not asked again.
    pub stripe_asked_at: Option<Timestamp>,
    /// How many checks ended in each way.
    pub counts: Counts,
    /// Every check, by area.
    pub checks: Vec<Finding>,
}

impl Report {
    pub(crate) fn new(
        at: Timestamp,
        (stripe, stripe_asked_at): (Reach, Option<Timestamp>),
        mut checks: Vec<Finding>,
    ) -> Self {
        checks.sort_by_key(|finding| finding.area);
        let count = |state| checks.iter().filter(|one| one.state == state).count();
        Self {
            at,
            stripe,
            stripe_asked_at,
            counts: Counts {
                ok: count(State::Ok),
                not_looked_at: count(State::NotLookedAt),
                warning: count(State::Warning),
                problem: count(State::Problem),
            },
            checks,
        }
    }

    /// The checks of one area.
    pub fn of(&self, area: Area) -> impl Iterator<Item = &Finding> {
        self.checks.iter().filter(move |one| one.area == area)
    }

    /// The outcome in one sentence.
    pub fn sentence(&self) -> String {
        let Counts {
            ok,
            not_looked_at,
            warning,
            problem,
        } = self.counts;
        let number = |count: usize, one: &str| match count {
            0 => format!("no {one}s"),
            1 => format!("1 {one}"),
            more => format!("{more} {one}s"),
        };
        let mut words = format!(
            "{}, {}, {ok} ok",
            number(problem, "problem"),
            number(warning, "warning")
        );
        if not_looked_at > 0 {
            words = format!("{words}, {not_looked_at} not looked at");
        }
        words
    }
}
