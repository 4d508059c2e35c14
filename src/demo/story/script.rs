//! The story while it is written: time, ids, who expects what, and when Stripe's events
//! arrive: most at once, some late and out of order, some twice.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Act, ENDS_UNIX, Expected, STARTS_UNIX, Step, cast};
use crate::demo::dice::Dice;
use crate::domain::ids::{CampaignId, CustomerId, ReferralId};
use crate::domain::reason::ReasonCode;
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::domain::verdict::VerdictState;
use crate::registry::referrals::ReferralInput;

/// How often something happens, and what.
pub type Scene = (u32, fn(&mut Script));

/// Seconds in an hour.
pub const HOUR: i64 = 3_600;
/// How late an event arrives at most.
const LATE_MAX_SECONDS: i64 = 6 * HOUR;

/// Which shapes Stripe sends for a person's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// API 2025-09-30 and later: charges and invoices do not name each other.
    Modern,
    /// API 2022-11-15: they do.
    Old,
}

impl Era {
    const fn version(self) -> &'static str {
        match self {
            Self::Modern => "2025-09-30.clover",
            Self::Old => "2022-11-15",
        }
    }
}

/// A person who may pay.
#[derive(Debug, Clone)]
pub struct Person {
    /// The Stripe customer; `None` for a guest.
    pub customer: Option<String>,
    /// What it is called.
    pub name: String,
    /// Its email.
    pub email: String,
    /// What it pays in.
    pub currency: &'static str,
    /// Which shapes its objects have.
    pub era: Era,
    /// Its customer's metadata.
    pub metadata: Value,
}

impl Person {
    /// The coupon referral that this person's payments make.
    pub fn coupon_referral(&self, campaign: &str) -> String {
        let customer = CustomerId::from(self.customer.as_deref().unwrap_or_default());
        let id = ReferralId::from_coupon(&CampaignId::from(campaign), &customer);
        id.as_str().to_owned()
    }
}

/// A referral and the person behind it.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// The person.
    pub person: Person,
    /// What the promoter registers.
    pub referral: ReferralInput,
    /// When.
    pub at: Timestamp,
}

/// The story while it is written.
pub struct Script {
    /// Chance.
    pub dice: Dice,
    steps: Vec<Step>,
    expected: BTreeMap<(String, String), Expected>,
    serial: u64,
    people: usize,
}

impl Script {
    /// An empty story.
    pub const fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            steps: Vec::new(),
            expected: BTreeMap::new(),
            serial: 0,
            people: 0,
        }
    }

    /// The steps in order of arrival, and what is expected in the end.
    pub fn finish(mut self) -> (Vec<Step>, BTreeMap<(String, String), Expected>) {
        self.steps.sort_by_key(|step| step.at);
        (self.steps, self.expected)
    }

    /// An id as Stripe makes them; never the same twice.
    pub fn id(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}_1Q{}{:05}", self.dice.letters(9), self.serial)
    }

    /// Some moment between two days (counted from the first), by day.
    pub fn moment(&mut self, first_day: i64, last_day: i64) -> Timestamp {
        let day = self.dice.between(first_day, last_day);
        let second = self.dice.between(7 * HOUR, 20 * HOUR);
        from_start(day * DAY_SECONDS + second)
    }

    /// Some time later, between two numbers of hours.
    pub fn later(&mut self, at: Timestamp, from_hours: i64, to_hours: i64) -> Timestamp {
        at.plus_seconds(self.dice.between(from_hours * HOUR, to_hours * HOUR))
    }

    /// Somebody new, paying in this currency.
    pub fn person(&mut self, currency: &'static str) -> Person {
        let (name, email) = cast::person(self.people);
        self.people += 1;
        Person {
            customer: Some(self.id("cus")),
            name,
            email,
            currency,
            era: if self.dice.one_in(6) {
                Era::Old
            } else {
                Era::Modern
            },
            metadata: json!({}),
        }
    }

    /// Somebody new, referred by email between two days. Nothing has happened yet: tell it
    /// with [`Script::refer`].
    pub fn newcomer(
        &mut self,
        campaign: &str,
        promoters: &[&str],
        currency: &'static str,
        (first_day, last_day): (i64, i64),
    ) -> Newcomer {
        let person = self.person(currency);
        let at = self.moment(first_day, last_day);
        self.serial += 1;
        let referral = ReferralInput {
            id: Some(format!("ref_{:04}", self.serial)),
            campaign: campaign.to_owned(),
            promoter: self.dice.pick(promoters).to_owned(),
            email: Some(person.email.clone()),
            referred_at: Some(at),
            ..ReferralInput::default()
        };
        Newcomer {
            person,
            referral,
            at,
        }
    }

    /// The promoter registers the referral, and this is what it should come to.
    pub fn refer(&mut self, newcomer: &Newcomer, state: VerdictState, code: ReasonCode) {
        let referral = &newcomer.referral;
        let id = referral.id.clone().unwrap_or_default();
        self.expect(&referral.campaign, &id, state, code);
        self.register(newcomer.at, referral.clone());
    }

    /// Somebody registers a referral, whatever comes of it.
    pub fn register(&mut self, at: Timestamp, referral: ReferralInput) {
        let act = Act::Refer(Box::new(referral));
        self.steps.push(Step { at, act });
    }

    /// What a referral should come to.
    pub fn expect(&mut self, campaign: &str, id: &str, state: VerdictState, code: ReasonCode) {
        let key = (campaign.to_owned(), id.to_owned());
        self.expected.insert(key, Expected { state, code });
    }

    /// Stripe reports something that happened to a person's objects.
    pub fn report(&mut self, era: Era, at: Timestamp, event_type: &str, object: &Value) {
        let envelope = json!({
            "id": self.id("evt"),
            "object": "event",
            "api_version": era.version(),
            "created": at.unix(),
            "data": {"object": object},
            "livemode": true,
            "pending_webhooks": 1,
            "request": {"id": null, "idempotency_key": null},
            "type": event_type,
        });
        self.deliver(at, envelope.to_string());
    }

    /// A body reaches the server: at once, or hours late, and now and then a second time.
    pub fn deliver(&mut self, at: Timestamp, body: String) {
        if at.unix() >= ENDS_UNIX {
            return; // the story is over
        }
        let wait = if self.dice.one_in(20) {
            self.dice.between(HOUR, LATE_MAX_SECONDS)
        } else {
            self.dice.between(1, 5)
        };
        if self.dice.one_in(40) {
            let again = wait + self.dice.between(60, LATE_MAX_SECONDS);
            self.arrive(at.plus_seconds(again), body.clone());
        }
        self.arrive(at.plus_seconds(wait), body);
    }

    fn arrive(&mut self, at: Timestamp, body: String) {
        let last = from_start(ENDS_UNIX - STARTS_UNIX - 1);
        let act = Act::Deliver(body);
        self.steps.push(Step {
            at: at.min(last),
            act,
        });
    }
}

/// An instant, counted in seconds from the story's beginning.
pub fn from_start(seconds: i64) -> Timestamp {
    Timestamp::from_unix(STARTS_UNIX + seconds).unwrap_or_default()
}

/// The same day and hour some months later; at most the end of time.
pub fn months_later(at: Timestamp, months: u32) -> Timestamp {
    let later = at
        .to_chrono()
        .checked_add_months(chrono::Months::new(months));
    later
        .and_then(|later| Timestamp::from_unix(later.timestamp()))
        .unwrap_or(Timestamp::MAX)
}

/// Whether an instant lies within the story.
pub fn is_told(at: Timestamp) -> bool {
    at.unix() < ENDS_UNIX
}
