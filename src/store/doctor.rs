//! What the doctor looks at. Each is one statement that reads an index or a stated number of
//! rows, the newest where there is an order in time; none of it is read by anything that decides.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::from_json;
use super::statement::Statement;
use crate::domain::campaign::Mode;
use crate::domain::currency::Currency;
use crate::domain::ids::{CampaignId, ConnectionId, CustomerId};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;

/// How many arrivals are looked through for one that came as a webhook: imported ones did not.
const ARRIVALS: i64 = 1_000;

/// Referrals of one campaign that have the same kinds of key.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct KeyMix {
    /// The campaign.
    pub campaign_id: String,
    /// 1 if they have an email.
    pub email: i64,
    /// 1 if they have a uid.
    pub uid: i64,
    /// 1 if that uid looks like a Stripe customer's id.
    pub uid_is_customer: i64,
    /// 1 if they have a Stripe customer's id.
    pub stripe_id: i64,
    /// How many.
    pub referrals: i64,
}

/// Which keys the newest `most` registered referrals have.
pub async fn key_mixes(
    tx: &mut Tx,
    connection: &ConnectionId,
    most: u32,
) -> Result<Vec<KeyMix>, StoreError> {
    Statement::new(
        "SELECT campaign_id,
                CAST(CASE WHEN email IS NULL THEN 0 ELSE 1 END AS BIGINT) AS email,
                CAST(CASE WHEN uid IS NULL THEN 0 ELSE 1 END AS BIGINT) AS uid,
                CAST(CASE WHEN substr(uid, 1, 4) = 'cus_' THEN 1 ELSE 0 END AS BIGINT)
                    AS uid_is_customer,
                CAST(CASE WHEN stripe_customer_id IS NULL THEN 0 ELSE 1 END AS BIGINT) AS stripe_id,
                COUNT(*) AS referrals
         FROM (SELECT campaign_id, email, uid, stripe_customer_id FROM referrals
               WHERE connection_id = $1
               ORDER BY referred_at DESC, referral_id DESC
               LIMIT $2) AS newest
         GROUP BY 1, 2, 3, 4, 5
         ORDER BY 1, 2, 3, 4, 5",
    )
    .bind(connection)
    .bind(most)
    .fetch_all(tx)
    .await
}

/// Emails that lead to several customers, among the first `most` in their order: one of the
/// customers, and how many there are; the most first, a thousand emails at most.
pub async fn shared_emails(
    tx: &mut Tx,
    connection: &ConnectionId,
    most: u32,
) -> Result<Vec<(CustomerId, i64)>, StoreError> {
    let rows: Vec<(String, i64)> = Statement::new(
        "SELECT MIN(customer_id), COUNT(*)
         FROM (SELECT key_value, customer_id FROM customer_keys
               WHERE connection_id = $1 AND key_kind = 'email'
               ORDER BY key_value, customer_id
               LIMIT $2) AS looked_at
         GROUP BY key_value HAVING COUNT(*) > 1
         ORDER BY COUNT(*) DESC, MIN(customer_id)
         LIMIT 1000",
    )
    .bind(connection)
    .bind(most)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(id, n)| (id.into(), n)).collect())
}

/// Codes of referral links that several promoters have, with how many, sorted.
pub async fn shared_codes(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<(String, i64)>, StoreError> {
    Statement::new(
        "SELECT code, COUNT(*) FROM promoters WHERE connection_id = $1 AND code IS NOT NULL
         GROUP BY code HAVING COUNT(*) > 1
         ORDER BY code
         LIMIT 1000",
    )
    .bind(connection)
    .fetch_all(tx)
    .await
}

/// Which of these currencies occur among `most` payments, sorted.
pub async fn currencies_paid_in(
    tx: &mut Tx,
    connection: &ConnectionId,
    wanted: &[Currency],
    most: u32,
) -> Result<Vec<Currency>, StoreError> {
    // A payment has one currency, and nothing else in its record is written like this.
    let pattern = |currency: &Currency| format!("%\"currency\":\"{}\"%", currency.code());
    let rows: Vec<(String,)> = Statement::new(
        "WITH wanted (currency, pattern) AS ({rows})
         SELECT wanted.currency FROM wanted
         WHERE EXISTS (
             SELECT 1 FROM (SELECT record FROM payments WHERE connection_id = $1
                            ORDER BY group_id LIMIT $2) AS looked_at
             WHERE looked_at.record LIKE wanted.pattern)",
    )
    .bind(connection)
    .bind(most)
    .rows(
        wanted
            .iter()
            .map(|currency| [currency.code().to_owned().into(), pattern(currency).into()]),
    )
    .fetch_all(tx)
    .await?;
    let mut found: Vec<Currency> = rows
        .iter()
        .filter_map(|(code,)| Currency::parse(code))
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// The campaigns of which some referral has qualified, in order of id.
pub async fn campaigns_that_qualified(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<CampaignId>, StoreError> {
    let rows: Vec<(String,)> = Statement::new(
        "SELECT c.campaign_id FROM campaigns AS c
         WHERE c.connection_id = $1 AND EXISTS (
             SELECT 1 FROM verdicts AS v
             WHERE v.connection_id = c.connection_id AND v.campaign_id = c.campaign_id
               AND v.state = 'qualified')
         ORDER BY c.campaign_id",
    )
    .bind(connection)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}

/// Verdicts that wait for a first payment though they name a customer, among `most` that are
/// pending.
pub async fn waiting_for_payment(
    tx: &mut Tx,
    connection: &ConnectionId,
    most: u32,
) -> Result<Vec<Verdict>, StoreError> {
    let rows: Vec<(String,)> = Statement::new(
        "SELECT p.verdict
         FROM (SELECT v.campaign_id, v.referral_id, v.code, v.verdict
               FROM campaigns AS c
               JOIN verdicts AS v ON v.connection_id = c.connection_id
                AND v.campaign_id = c.campaign_id AND v.state = 'pending'
               WHERE c.connection_id = $1
               LIMIT $2) AS p
         WHERE p.code = 'no_payment_yet' AND EXISTS (
             SELECT 1 FROM verdict_customers AS k
             WHERE k.connection_id = $1 AND k.campaign_id = p.campaign_id
               AND k.referral_id = p.referral_id)
         ORDER BY p.campaign_id, p.referral_id",
    )
    .bind(connection)
    .bind(most)
    .fetch_all(tx)
    .await?;
    let read = rows.iter().map(|(text,)| from_json("verdicts", text));
    read.collect()
}

/// An event that came as a webhook, with a signature that held.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Webhook {
    /// Stripe's `api_version`.
    pub api_version: Option<String>,
    /// Stripe's `created`, unix seconds.
    pub created_at: i64,
    /// Our clock, unix microseconds.
    pub received_at_us: i64,
    /// Which of the signing secrets matched, from 0.
    pub secret_index: i64,
}

/// The newest of them, among the last thousand arrivals.
pub async fn newest_webhook(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Option<Webhook>, StoreError> {
    Statement::new(
        "SELECT api_version, created_at, received_at_us, secret_index
         FROM (SELECT event_id, api_version, created_at, received_at_us, secret_index FROM events
               WHERE connection_id = $1
               ORDER BY received_at_us DESC, event_id DESC
               LIMIT $2) AS newest
         WHERE secret_index IS NOT NULL
         ORDER BY received_at_us DESC, event_id DESC
         LIMIT 1",
    )
    .bind(connection)
    .bind(ARRIVALS)
    .fetch_optional(tx)
    .await
}

/// How many of the newest `most` events are of the other mode and were used all the same.
pub async fn used_of_other_mode(
    tx: &mut Tx,
    connection: &ConnectionId,
    mode: Mode,
    most: u32,
) -> Result<i64, StoreError> {
    let (count,) = Statement::new(
        "SELECT COUNT(*)
         FROM (SELECT event_id, received_at_us, mode FROM events
               WHERE connection_id = $1
               ORDER BY received_at_us DESC, event_id DESC
               LIMIT $3) AS newest
         WHERE newest.mode <> $2
           AND NOT EXISTS (SELECT 1 FROM event_outcomes AS o
                           WHERE o.connection_id = $1 AND o.event_id = newest.event_id)
           AND NOT EXISTS (SELECT 1 FROM event_queue AS q
                           WHERE q.connection_id = $1 AND q.event_id = newest.event_id
                             AND q.received_at_us = newest.received_at_us)",
    )
    .bind(connection)
    .bind(mode.name())
    .bind(most)
    .fetch_one(tx)
    .await?;
    Ok(count)
}

/// Why mails were given up since an instant, and how many for each reason; among `most`
/// messages that are not delivered.
pub async fn mails_given_up(
    tx: &mut Tx,
    connection: &ConnectionId,
    since: Timestamp,
    most: u32,
) -> Result<Vec<(String, i64)>, StoreError> {
    Statement::new(
        "SELECT failure, COUNT(*)
         FROM (SELECT topic, due_at, failure FROM outbox
               WHERE connection_id = $1 AND delivered_at IS NULL AND created_at >= $2
               ORDER BY created_at DESC, outbox_id DESC
               LIMIT $3) AS newest
         WHERE due_at IS NULL AND failure IS NOT NULL AND substr(topic, 1, 5) = 'mail.'
         GROUP BY failure
         ORDER BY COUNT(*) DESC, failure",
    )
    .bind(connection)
    .bind(since)
    .bind(most)
    .fetch_all(tx)
    .await
}

/// How many people with an account can only be reached by mail: owners' links are in the log.
pub async fn people_to_mail(tx: &mut Tx, connection: &ConnectionId) -> Result<i64, StoreError> {
    let (count,) = Statement::new(
        "SELECT COUNT(*) FROM users
         WHERE connection_id = $1 AND state <> 'deactivated' AND role <> 'owner'",
    )
    .bind(connection)
    .fetch_one(tx)
    .await?;
    Ok(count)
}
