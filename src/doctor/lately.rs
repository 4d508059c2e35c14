//! Stripe's answers of the last seconds. Whoever asks while it is being asked waits for the same
//! answers, so that reloading a page does not use up the requests that an account may make.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::asked::{Answers, ask};
use crate::clock::Clock;
use crate::domain::ids::{CouponId, PromoterId};
use crate::stripe::client::{Client, Failure};

/// For how long answers are given again: long enough for a page and its second look, short enough
/// that whoever has changed something at Stripe sees it when they look again.
const KEPT: Duration = Duration::from_secs(5);

/// What is asked, of whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// Where Stripe's API is.
    pub base: &'a str,
    /// The key; it is sent there and shown nowhere.
    pub key: &'a str,
    /// The coupons that are asked about.
    pub coupons: &'a [(CouponId, PromoterId)],
    /// How long all of it may take.
    pub patience: Duration,
}

/// The last answers, for one key: a process has one.
#[derive(Debug, Default)]
pub struct Lately {
    // Held while Stripe is asked, which is what the others wait for.
    last: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    answers: Answers,
    coupons: Vec<(CouponId, PromoterId)>,
    patience: Duration,
    until: Instant,
}

impl Kept {
    /// Whether these are the answers to that question still. Where time ran out, somebody with
    /// more of it may be told more.
    fn answers(&self, question: &Question<'_>) -> bool {
        let was_cut = self.answers.failures().any(Failure::is_unreachable);
        Instant::now() < self.until
            && self.coupons == question.coupons
            && (!was_cut || question.patience <= self.patience)
    }
}

impl Lately {
    /// Stripe's answers: those of a moment ago, or those that somebody is waiting for already, or
    /// new ones. It takes no longer than the question has patience.
    pub(super) async fn ask(&self, question: Question<'_>, clock: &dyn Clock) -> Answers {
        let until = Instant::now() + question.patience;
        let Ok(mut last) = timeout_at(until, self.last.lock()).await else {
            return Answers::none(&Failure::TooSlow, question.coupons.len(), clock.now());
        };
        if let Some(kept) = last.as_ref().filter(|kept| kept.answers(&question)) {
            return kept.answers.clone();
        }
        let answers = match Client::new(question.base, question.key, until) {
            Ok(client) => ask(&client, clock, question.coupons).await,
            Err(failure) => Answers::none(&failure, question.coupons.len(), clock.now()),
        };
        *last = Some(Kept {
            answers: answers.clone(),
            coupons: question.coupons.to_vec(),
            patience: question.patience,
            until: Instant::now() + KEPT,
        });
        answers
    }
}
