//! What Stripe answers. Everything is asked at once, coupons a few at a time, and all of it
//! within the time that the client was given.

use futures_util::{StreamExt, stream};

use crate::clock::Clock;
use crate::domain::ids::{AccountId, CouponId, PromoterId};
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::stripe::client::{
    Answered, Client, Coupon, EventHead, Failure, Listed, PromotionCode, WebhookEndpoint,
};

/// Coupons that are asked about at most.
pub const COUPONS_MAX: usize = 200;
/// Coupons that are asked about at a time. An account may ask 25 times a second in test mode, and
/// 100 in live mode, whoever in the company does: most of it is left to them.
const COUPONS_AT_ONCE: usize = 4;
/// How far back deliveries are looked at: Stripe tries for three days.
const DELIVERIES_DAYS: i64 = 3;
/// An event as young as this may still be on its way.
const ON_ITS_WAY_SECONDS: i64 = 600;

/// Why Stripe was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAsked {
    /// There is no key.
    NoKey,
    /// It was not to be.
    Offline,
}

impl NotAsked {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoKey => "no STRIPE_API_KEY is set",
            Self::Offline => "Stripe has not been asked",
        }
    }
}

/// What Stripe says of a promoter's coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponAsked {
    /// The coupon.
    pub id: CouponId,
    /// Whose it is here.
    pub promoter: PromoterId,
    /// What it is.
    pub coupon: Result<Coupon, Failure>,
    /// Promotion codes: those that give it if it exists, else those that are typed like it.
    pub codes: Result<Vec<PromotionCode>, Failure>,
}

/// Everything that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// When it was asked, by our clock.
    pub at: Timestamp,
    /// The key's account.
    pub account: Result<AccountId, Failure>,
    /// The account's webhook endpoints.
    pub endpoints: Result<Vec<WebhookEndpoint>, Failure>,
    /// Events of the last days that did not reach every endpoint they are for.
    pub undelivered: Result<Listed<EventHead>, Failure>,
    /// Which of those are stored here; filled in from the database.
    pub undelivered_but_here: Vec<String>,
    /// Whether coupons may be read.
    pub coupons_readable: Result<(), Failure>,
    /// Whether promotion codes may be read.
    pub codes_readable: Result<(), Failure>,
    /// The promoters' coupons, as many as were asked about.
    pub coupons: Vec<CouponAsked>,
    /// How many coupons there are.
    pub coupons_in_all: usize,
    /// Stripe's clock less ours, in seconds.
    pub ahead_seconds: Option<i64>,
}

impl Answers {
    /// Nothing was answered, for one reason.
    pub fn none(why: &Failure, coupons_in_all: usize, at: Timestamp) -> Self {
        Self {
            at,
            account: Err(why.clone()),
            endpoints: Err(why.clone()),
            undelivered: Err(why.clone()),
            undelivered_but_here: Vec::new(),
            coupons_readable: Err(why.clone()),
            codes_readable: Err(why.clone()),
            coupons: Vec::new(),
            coupons_in_all,
            ahead_seconds: None,
        }
    }

    /// The failures of what was asked once.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        [
            self.account.as_ref().err(),
            self.endpoints.as_ref().err(),
            self.undelivered.as_ref().err(),
            self.coupons_readable.as_ref().err(),
            self.codes_readable.as_ref().err(),
        ]
        .into_iter()
        .flatten()
    }

    /// Why Stripe could not be reached at all, if it could not.
    pub fn unreachable(&self) -> Option<&Failure> {
        let mut count = 0;
        let mut first = None;
        for failure in self.failures().filter(|failure| failure.is_unreachable()) {
            count += 1;
            first = first.or(Some(failure));
        }
        first.filter(|_| count == 5)
    }

    /// Live or test, of everything that was answered and says so.
    pub fn livemodes(&self) -> impl Iterator<Item = bool> {
        let endpoints = self.endpoints.iter().flatten();
        let events = self.undelivered.iter().flat_map(|events| &events.data);
        let coupons = self
            .coupons
            .iter()
            .filter_map(|one| one.coupon.as_ref().ok());
        endpoints
            .map(|endpoint| endpoint.livemode)
            .chain(events.filter_map(|event| event.livemode))
            .chain(coupons.filter_map(|coupon| coupon.livemode))
    }
}

/// Whether Stripe was asked, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It was not.
    Not(NotAsked),
    /// It was.
    Yes(Box<Answers>),
}

/// Asks.
pub(super) async fn ask(
    client: &Client,
    clock: &dyn Clock,
    coupons: &[(CouponId, PromoterId)],
) -> Answers {
    let now = clock.now();
    let (from, until) = (
        now.plus_seconds(-DELIVERIES_DAYS * DAY_SECONDS),
        now.plus_seconds(-ON_ITS_WAY_SECONDS),
    );
    let account = async {
        let answer = client.account().await;
        let ahead = ahead(&answer, clock.now());
        (answer, ahead)
    };
    let ((account, by_account), endpoints, undelivered, any_coupon, any_code, coupons_asked) = tokio::join!(
        account,
        async {
            let answer = client.webhook_endpoints().await;
            let ahead = ahead(&answer, clock.now());
            (answer, ahead)
        },
        client.undelivered_events(from, until),
        client.any_coupon(),
        client.any_promotion_code(),
        ask_coupons(client, coupons),
    );
    let (endpoints, by_endpoints) = endpoints;
    Answers {
        at: now,
        account: value(account),
        endpoints: value(endpoints).map(|listed| listed.data),
        undelivered: value(undelivered),
        undelivered_but_here: Vec::new(),
        coupons_readable: value(any_coupon).map(drop),
        codes_readable: value(any_code).map(drop),
        coupons: coupons_asked,
        coupons_in_all: coupons.len(),
        ahead_seconds: by_account.or(by_endpoints),
    }
}

fn value<T>(answer: Result<Answered<T>, Failure>) -> Result<T, Failure> {
    answer.map(|answer| answer.value)
}

/// How far Stripe's clock is ahead of ours by the date of an answer that has just come.
fn ahead<T>(answer: &Result<Answered<T>, Failure>, now: Timestamp) -> Option<i64> {
    let date = answer.as_ref().ok()?.date?;
    Some(date.unix().saturating_sub(now.unix()))
}

async fn ask_coupons(client: &Client, coupons: &[(CouponId, PromoterId)]) -> Vec<CouponAsked> {
    let mut asked = Vec::new();
    for (id, promoter) in coupons.iter().take(COUPONS_MAX) {
        asked.push(ask_coupon(client, id, promoter));
    }
    stream::iter(asked)
        .buffered(COUPONS_AT_ONCE)
        .collect()
        .await
}

async fn ask_coupon(client: &Client, id: &CouponId, promoter: &PromoterId) -> CouponAsked {
    let coupon = value(client.coupon(id).await);
    let codes = match &coupon {
        Ok(_) => client.promotion_codes_of(id).await,
        Err(Failure::NotFound) => client.promotion_codes_typed(id.as_str()).await,
        Err(other) => Err(other.clone()),
    };
    CouponAsked {
        id: id.clone(),
        promoter: promoter.clone(),
        coupon,
        codes: value(codes).map(|listed| listed.data),
    }
}
