//! Any number of due qualifications with the verdicts behind them, stored in bulk as the judging
//! stage would have: for tests and benches of settlement, which need no events. Ids, persons and
//! referrals are hashes, as in life; they come in nearly the order in which they qualified.

use qualify::domain::currency::Currency;
use qualify::domain::ids::{ConnectionId, PromoterId};
use qualify::domain::people::Promoter;
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{Reward, RewardTo};
use qualify::queue::transition::qualification_id;
use qualify::store::Db;
use qualify::store::promoters::upsert_promoters;
use qualify::store::qualifications::{Qualification, QualificationState, insert_qualifications};
use qualify::store::verdicts::upsert_verdicts;
use sha2::{Digest, Sha256};

use super::verdicts::behind;

/// Rows stored in one transaction, and of these at once, as the judging stage stores them.
const GROUP: usize = 4_096;
const AT_ONCE: usize = 256;
/// How far apart two qualify, and how far out of order they come, in seconds.
const APART: i64 = 5;
const JITTER: i64 = 600;

/// What to store.
#[derive(Debug, Clone)]
pub struct Due {
    /// How many.
    pub count: usize,
    /// How many promoters share them.
    pub promoters: usize,
    /// The campaign they are in, and its revision.
    pub campaign: (String, String),
    /// When the first one qualified.
    pub since: Timestamp,
}

impl Due {
    /// The n-th one.
    pub fn qualification(&self, n: usize) -> Qualification {
        let hash = hash(&format!("{}:{n}", self.campaign.0));
        let number = u64::from_str_radix(&hash[..12], 16).unwrap();
        let spread = i64::try_from(number % JITTER.unsigned_abs()).unwrap();
        let order = i64::try_from(n).unwrap();
        let qualified_at = self.since.plus_seconds(order * APART + spread);
        // Half of them a fixed reward, half a share of what was paid.
        let amount_minor = match n % 2 {
            0 => 2_000,
            _ => i64::try_from(number % 9_000).unwrap() + 100,
        };
        let promoter = usize::try_from(number % 1_000_003).unwrap() % self.promoters;
        let campaign = self.campaign.0.as_str().into();
        let referral = format!("ref_{}", &hash[24..40]).into();
        Qualification {
            id: qualification_id((&campaign, &referral), qualified_at, 0),
            campaign,
            referral,
            person: format!("cus_{}", &hash[40..54]),
            promoter: promoter_id(promoter),
            revision: self.campaign.1.as_str().into(),
            state: QualificationState::Queued,
            reason: "threshold_met".to_owned(),
            qualified_at,
            settle_after: qualified_at,
            rewards: vec![Reward {
                to: RewardTo::Promoter,
                amount_minor,
                currency: Currency::USD,
            }],
            given: Vec::new(),
            adjust_due: false,
            sequence: 0,
            created_at: qualified_at,
            changed_at: qualified_at,
        }
    }

    /// An instant at which all of them are due.
    pub fn until(&self) -> Timestamp {
        let count = i64::try_from(self.count).unwrap();
        self.since.plus_seconds(count * APART + JITTER)
    }

    /// Stores them.
    pub async fn store(&self, db: &Db, connection: &ConnectionId) {
        let promoters: Vec<Promoter> = (0..self.promoters).map(promoter).collect();
        let mut tx = db.begin().await.unwrap();
        upsert_promoters(&mut tx, connection, &promoters, self.since)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        for first in (0..self.count).step_by(GROUP) {
            let last = self.count.min(first + GROUP);
            let group: Vec<_> = (first..last).map(|n| self.qualification(n)).collect();
            let verdicts: Vec<_> = group.iter().map(behind).collect();
            let mut tx = db.begin().await.unwrap();
            upsert_verdicts(&mut tx, connection, &verdicts)
                .await
                .unwrap();
            for few in group.chunks(AT_ONCE) {
                insert_qualifications(&mut tx, connection, few)
                    .await
                    .unwrap();
            }
            tx.commit().await.unwrap();
        }
    }
}

/// The n-th promoter's id.
pub fn promoter_id(n: usize) -> PromoterId {
    format!("prom_{n:06}").into()
}

fn promoter(n: usize) -> Promoter {
    Promoter {
        id: promoter_id(n),
        name: format!("Promoter {n}"),
        email: None,
        code: None,
        coupons: Vec::new(),
        stripe_customer_id: None,
        suspended: false,
    }
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
