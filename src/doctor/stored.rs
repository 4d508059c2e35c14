//! What is stored, gathered in one reading of the database. What is bounded says its bound.

use cron::Schedule;

use crate::domain::campaign::{Campaign, Mode};
use crate::domain::currency::Currency;
use crate::domain::fact::{CustomerState, ObjectKind, ObjectState};
use crate::domain::ids::{AccountId, CampaignId, ConnectionId, CouponId, CustomerId, PromoterId};
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::domain::verdict::{PaymentEvidence, Verdict};
use crate::queue::campaigns::campaigns;
use crate::settle::schedule::latest;
use crate::store::batches::{Batch, batch_by_key, open_batches};
use crate::store::connections::get_connection;
use crate::store::doctor::{
    KeyMix, Webhook, campaigns_that_qualified, currencies_paid_in, key_mixes, mails_given_up,
    newest_webhook, people_to_mail, shared_codes, shared_emails, used_of_other_mode,
    waiting_for_payment,
};
use crate::store::events::{EventFilter, EventState, count_by_reason, list_events};
use crate::store::payments::{count_payments, payment_page};
use crate::store::promoters::all_coupons;
use crate::store::reports::{matched_by_campaign, queued_until};
use crate::store::{StoreError, Tx, dirty, events, objects};

/// Registered referrals whose keys are looked at, the newest.
pub const REFERRALS_MAX: u32 = 100_000;
/// Customers whose fields are looked at.
pub const CUSTOMERS_MAX: u32 = 5_000;
/// Emails of customers that are compared.
pub const EMAILS_MAX: u32 = 200_000;
/// Payments whose currencies are looked at.
pub const PAYMENTS_MAX: u32 = 50_000;
/// Pending verdicts that are looked through for payments that do not count.
pub const PENDING_MAX: u32 = 5_000;
/// Events whose mode is looked at, the newest.
pub const EVENTS_MAX: u32 = 20_000;
/// Undelivered messages that are looked through for mails, the newest.
const MESSAGES_MAX: u32 = 20_000;
/// How far back mails are looked at.
pub const MAILS_DAYS: u32 = 7;

/// Customers with blank fields, among those that were looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blanks {
    /// How many were looked at.
    pub looked_at: usize,
    /// Without an email.
    pub without_email: Vec<String>,
    /// Without a name.
    pub without_name: Vec<String>,
}

/// A referral whose customers have paid, but nothing that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpaid {
    /// The referral.
    pub referral: String,
    /// Its payments, none of which counts; empty if there are only invoices nobody has paid.
    pub payments: Vec<PaymentEvidence>,
}

/// The batch that the schedule wanted last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its instant.
    pub at: Timestamp,
    /// The batch, if there is one.
    pub batch: Option<Batch>,
    /// Rewards that wait since before that instant.
    pub due: i64,
}

/// What is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// The connection's account, once known.
    pub account: Option<AccountId>,
    /// When the connection was made.
    pub since: Timestamp,
    /// The campaigns.
    pub campaigns: Vec<Campaign>,
    /// Promoters' coupons.
    pub coupons: Vec<(CouponId, PromoterId)>,
    /// Keys of registered referrals.
    pub keys: Vec<KeyMix>,
    /// Blank fields of customers.
    pub blanks: Blanks,
    /// Emails that several customers have: one of them, how many.
    pub shared_emails: Vec<(CustomerId, i64)>,
    /// Codes that several promoters have.
    pub shared_codes: Vec<(String, i64)>,
    /// Whether there is any payment.
    pub has_payments: bool,
    /// Which of the campaigns' currencies were paid in.
    pub currencies: Vec<Currency>,
    /// Referrals with a customer, by campaign.
    pub matched: Vec<(CampaignId, i64)>,
    /// Campaigns of which somebody has qualified.
    pub qualified: Vec<CampaignId>,
    /// Referrals whose customers have paid nothing that counts.
    pub unpaid: Vec<Unpaid>,
    /// The newest event that came as a webhook.
    pub webhook: Option<Webhook>,
    /// When the newest thin event came, unix microseconds.
    pub thin_at_us: Option<i64>,
    /// Events of the other mode that were used.
    pub other_mode_used: i64,
    /// Why events were ignored.
    pub ignored: Vec<(String, i64)>,
    /// Why events are quarantined.
    pub quarantined: Vec<(String, i64)>,
    /// Events that wait to be read, and since when the oldest does, unix microseconds.
    pub events_waiting: (i64, Option<i64>),
    /// Since when the oldest on the list to be judged waits, unix microseconds.
    pub judging_since_us: Option<i64>,
    /// The last slot of the schedule.
    pub slot: Option<Slot>,
    /// Batches that are not done.
    pub open_batches: Vec<Batch>,
    /// Why mails were given up.
    pub given_up: Vec<(String, i64)>,
    /// People that can only be reached by mail.
    pub people: i64,
}

/// Reads it.
pub(super) async fn gather(
    tx: &mut Tx,
    connection: &ConnectionId,
    mode: Mode,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<Stored, StoreError> {
    let known = get_connection(tx, connection).await?;
    let campaigns = campaigns(tx, connection).await?;
    let wanted = currencies(&campaigns);
    let thin = EventFilter {
        state: Some(EventState::Ignored),
        reason_code: Some("thin_event".to_owned()),
        ..EventFilter::default()
    };
    let thin = list_events(tx, connection, &thin, None, 1).await?;
    let mails_since = now.plus_seconds(-i64::from(MAILS_DAYS) * DAY_SECONDS);
    Ok(Stored {
        account: known.as_ref().and_then(|known| known.account.clone()),
        since: known.map(|known| known.created_at).unwrap_or_default(),
        campaigns,
        coupons: all_coupons(tx, connection).await?,
        keys: key_mixes(tx, connection, REFERRALS_MAX).await?,
        blanks: blanks(tx, connection).await?,
        shared_emails: shared_emails(tx, connection, EMAILS_MAX).await?,
        shared_codes: shared_codes(tx, connection).await?,
        has_payments: !payment_page(tx, connection, None, 1).await?.is_empty(),
        currencies: currencies_paid_in(tx, connection, &wanted, PAYMENTS_MAX).await?,
        matched: matched_by_campaign(tx, connection)
            .await?
            .into_iter()
            .collect(),
        qualified: campaigns_that_qualified(tx, connection).await?,
        unpaid: unpaid(tx, connection).await?,
        webhook: newest_webhook(tx, connection).await?,
        thin_at_us: thin.first().map(|event| event.received_at_us),
        other_mode_used: used_of_other_mode(tx, connection, mode, EVENTS_MAX).await?,
        ignored: count_by_reason(tx, connection, EventState::Ignored).await?,
        quarantined: count_by_reason(tx, connection, EventState::Quarantined).await?,
        events_waiting: events::waiting(tx, connection).await?,
        judging_since_us: dirty::span(tx, connection).await?.map(|(oldest, _)| oldest),
        slot: slot(tx, connection, schedule, now).await?,
        open_batches: open_batches(tx, connection).await?,
        given_up: mails_given_up(tx, connection, mails_since, MESSAGES_MAX).await?,
        people: people_to_mail(tx, connection).await?,
    })
}

/// Every currency that a campaign's rules name for spend, once.
pub(super) fn currencies(campaigns: &[Campaign]) -> Vec<Currency> {
    let thresholds = campaigns.iter().flat_map(|one| &one.qualify.spend);
    let mut named: Vec<Currency> = thresholds.map(|one| one.amount.currency).collect();
    named.sort_unstable();
    named.dedup();
    named
}

async fn blanks(tx: &mut Tx, connection: &ConnectionId) -> Result<Blanks, StoreError> {
    let kind = ObjectKind::Customer;
    let found = objects::objects_of_kind(tx, connection, kind, None, CUSTOMERS_MAX).await?;
    let mut blanks = Blanks::default();
    for object in &found {
        let ObjectState::Customer(customer) = &object.state else {
            continue;
        };
        if !is_known(customer) {
            continue;
        }
        blanks.looked_at += 1;
        let id = || object.key.id.clone();
        if customer.email.current().is_none() {
            blanks.without_email.push(id());
        }
        if customer.name.current().is_none() {
            blanks.without_name.push(id());
        }
    }
    Ok(blanks)
}

/// Whether the customer's own object was seen: of one that others only point to, nothing is
/// known to be blank. A deleted one has lost its fields.
fn is_known(customer: &CustomerState) -> bool {
    customer.created.is_some() && !customer.deleted
}

async fn unpaid(tx: &mut Tx, connection: &ConnectionId) -> Result<Vec<Unpaid>, StoreError> {
    let waiting = waiting_for_payment(tx, connection, PENDING_MAX).await?;
    let named = waiting.iter().flat_map(|verdict| &verdict.customers);
    let mut customers: Vec<CustomerId> = named.map(|customer| customer.id.clone()).collect();
    customers.sort_unstable();
    customers.dedup();
    let counts = count_payments(tx, connection, &customers).await?;
    let has_tried = |verdict: &Verdict| {
        let mut of = verdict.customers.iter();
        of.any(|customer| counts.contains_key(&customer.id))
    };
    let with_something = waiting
        .into_iter()
        .filter(|verdict| !verdict.payments.is_empty() || has_tried(verdict));
    let read = with_something.map(|verdict| Unpaid {
        referral: verdict.referral.to_string(),
        payments: verdict.payments,
    });
    Ok(read.collect())
}

async fn slot(
    tx: &mut Tx,
    connection: &ConnectionId,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<Option<Slot>, StoreError> {
    let Some(at) = latest(schedule, now) else {
        return Ok(None);
    };
    let key = format!("slot.{}", at.unix());
    Ok(Some(Slot {
        at,
        batch: batch_by_key(tx, connection, &key).await?,
        due: queued_until(tx, connection, at).await?,
    }))
}
