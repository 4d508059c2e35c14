//! Asks Stripe's API, and only reads: one function an address, each bounded in time and size.
//! The one file of this room that is not pure. What the answers mean is decided elsewhere.

mod failure;
mod shapes;

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

pub use failure::Failure;
pub use shapes::{Coupon, EventHead, Listed, PromotionCode, WebhookEndpoint};

use crate::domain::ids::{AccountId, CouponId};
use crate::domain::time::Timestamp;
use shapes::{AccountShape, CouponShape, EventShape, PromotionCodeShape};

/// The version that answers are asked in: others are understood as well.
pub const API_VERSION: &str = "2024-09-30.acacia";
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// The pause before a request is repeated, unless Stripe says how long.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that is waited for.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read: a hundred events of the largest usual size.
const BODY_BYTES_MAX: usize = 8 << 20;

/// An answer, and Stripe's clock as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// What was asked for.
    pub value: T,
    /// The `Date` of the answer.
    pub date: Option<Timestamp>,
}

/// Somebody who asks with one key, until an instant.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    until: Instant,
}

impl Client {
    /// Asks at `base` (`https://api.stripe.com`) with this key. After `until` every question
    /// ends with [`Failure::TooSlow`], so that all of them together take no longer.
    pub fn new(base: &str, key: &str, until: Instant) -> Result<Self, Failure> {
        // Fails only if a provider is installed already, which is as good.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let base = Url::parse(base).map_err(|_| Failure::Unreachable("the address".to_owned()))?;
        let refused = |_| Failure::KeyRefused { expired: false };
        let mut headers = HeaderMap::new();
        // Marked as sensitive: it is shown by no `Debug`.
        let mut bearer = HeaderValue::from_str(&format!("Bearer {key}")).map_err(refused)?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        headers.insert("stripe-version", HeaderValue::from_static(API_VERSION));
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("qualify/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|_| Failure::Unreachable(host(&base)))?;
        Ok(Self { http, base, until })
    }

    /// The account that the key belongs to.
    pub async fn account(&self) -> Result<Answered<AccountId>, Failure> {
        let answer = self.get::<AccountShape>(&["account"], &[]).await?;
        Ok(answer.map(|account| account.id))
    }

    /// Every webhook endpoint: an account has sixteen at most, a page a hundred.
    pub async fn webhook_endpoints(&self) -> Result<Answered<Listed<WebhookEndpoint>>, Failure> {
        self.get(&["webhook_endpoints"], &[("limit", "100")]).await
    }

    /// The newest hundred events of a span that did not reach every endpoint they are for.
    pub async fn undelivered_events(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Answered<Listed<EventHead>>, Failure> {
        let (from, until) = (from.unix().to_string(), until.unix().to_string());
        let query = [
            ("delivery_success", "false"),
            ("created[gte]", from.as_str()),
            ("created[lte]", until.as_str()),
            ("limit", "100"),
        ];
        let answer = self.get::<Listed<EventShape>>(&["events"], &query).await?;
        Ok(answer.map(Listed::into))
    }

    /// A coupon by its id.
    pub async fn coupon(&self, id: &CouponId) -> Result<Answered<Coupon>, Failure> {
        // As parts of an address these two mean the folder and the one above it.
        if matches!(id.as_str(), "." | "..") {
            return Err(Failure::NotFound);
        }
        let answer = self
            .get::<CouponShape>(&["coupons", id.as_str()], &[])
            .await?;
        Ok(answer.map(Coupon::from))
    }

    /// Some coupon, whichever: whether the key may read them.
    pub async fn any_coupon(&self) -> Result<Answered<Listed<Coupon>>, Failure> {
        let answer = self
            .get::<Listed<CouponShape>>(&["coupons"], &[("limit", "1")])
            .await?;
        Ok(answer.map(Listed::into))
    }

    /// Promotion codes that people would type like this.
    pub async fn promotion_codes_typed(
        &self,
        code: &str,
    ) -> Result<Answered<Listed<PromotionCode>>, Failure> {
        self.promotion_codes(&[("code", code), ("limit", "1")])
            .await
    }

    /// Promotion codes in force that give this coupon, a few of them.
    pub async fn promotion_codes_of(
        &self,
        coupon: &CouponId,
    ) -> Result<Answered<Listed<PromotionCode>>, Failure> {
        let query = [
            ("coupon", coupon.as_str()),
            ("active", "true"),
            ("limit", "10"),
        ];
        self.promotion_codes(&query).await
    }

    /// Some promotion code, whichever: whether the key may read them.
    pub async fn any_promotion_code(&self) -> Result<Answered<Listed<PromotionCode>>, Failure> {
        self.promotion_codes(&[("limit", "1")]).await
    }

    async fn promotion_codes(
        &self,
        query: &[(&str, &str)],
    ) -> Result<Answered<Listed<PromotionCode>>, Failure> {
        let answer = self
            .get::<Listed<PromotionCodeShape>>(&["promotion_codes"], query)
            .await?;
        Ok(answer.map(Listed::into))
    }

    /// Asks once, and once more after a pause if Stripe says so or has a failure.
    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answered<T>, Failure> {
        let work = async {
            let url = self.address(path, query)?;
            let first = self.send(&url).await?;
            match pause_before_another(&first) {
                Some(pause) if Instant::now() + pause < self.until => {
                    drop(first);
                    sleep(pause).await;
                    self.read(self.send(&url).await?).await
                }
                _ => self.read(first).await,
            }
        };
        timeout_at(self.until, work)
            .await
            .unwrap_or(Err(Failure::TooSlow))
    }

    fn address(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| self.unreachable())?
            .pop_if_empty()
            .push("v1")
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn send(&self, url: &Url) -> Result<Response, Failure> {
        let sent = self.http.get(url.clone()).send().await;
        sent.map_err(|error| self.failed(&error))
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<Answered<T>, Failure> {
        let status = response.status();
        let date = response.headers().get(DATE).and_then(date);
        let body = self.body(response).await?;
        if !status.is_success() {
            return Err(failure::of(status.as_u16(), &body));
        }
        let value = serde_json::from_slice(&body).map_err(|_| Failure::Unreadable)?;
        Ok(Answered { value, date })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= BODY_BYTES_MAX => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => return Err(Failure::Unreadable),
                Ok(None) => return Ok(body),
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    fn failed(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() {
            Failure::TooSlow
        } else {
            self.unreachable()
        }
    }

    fn unreachable(&self) -> Failure {
        Failure::Unreachable(host(&self.base))
    }
}

impl<T> Answered<T> {
    fn map<U>(self, read: impl FnOnce(T) -> U) -> Answered<U> {
        Answered {
            value: read(self.value),
            date: self.date,
        }
    }
}

impl<T> Listed<T> {
    fn into<U: From<T>>(self) -> Listed<U> {
        Listed {
            data: self.data.into_iter().map(U::from).collect(),
            has_more: self.has_more,
        }
    }
}

/// How long to wait before a request is sent again; `None` if it is not to be.
fn pause_before_another(response: &Response) -> Option<Duration> {
    let status = response.status();
    let header = |name| response.headers().get(name)?.to_str().ok();
    if !(status.as_u16() == 429 || status.is_server_error())
        || header("stripe-should-retry") == Some("false")
    {
        return None;
    }
    let told = header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
    let pause = told.map_or(PAUSE, Duration::from_secs);
    (pause <= PAUSE_MAX).then_some(pause)
}

/// An HTTP date as an instant.
fn date(value: &HeaderValue) -> Option<Timestamp> {
    let text = value.to_str().ok()?;
    let instant = DateTime::parse_from_rfc2822(text).ok()?;
    Timestamp::from_unix(instant.timestamp())
}

/// The host of an address, for messages.
fn host(base: &Url) -> String {
    base.host_str().unwrap_or("the address").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(base: &str) -> Client {
        let until = Instant::now() + Duration::from_secs(1);
        Client::new(base, "rk_test_verysecret", until).unwrap()
    }

    #[tokio::test]
    async fn addresses_are_under_the_base_and_ids_stay_one_part() {
        let asking = client("https://api.stripe.com");
        let url = asking.address(&["coupons", "A/b c?%"], &[("limit", "1")]);
        assert_eq!(
            url.unwrap().as_str(),
            "https://api.stripe.com/v1/coupons/A%2Fb%20c%3F%25?limit=1"
        );
        let stand_in = client("http://127.0.0.1:9/under/");
        let url = stand_in.address(&["account"], &[]).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:9/under/v1/account");
        assert_eq!(asking.coupon(&"..".into()).await, Err(Failure::NotFound));
    }

    #[tokio::test]
    async fn the_key_is_shown_to_nobody() {
        let asking = client("https://api.stripe.com");
        assert!(!format!("{asking:?}").contains("verysecret"));
        let until = Instant::now();
        let refused = Client::new("https://api.stripe.com", "rk_\n", until);
        assert_eq!(refused.err(), Some(Failure::KeyRefused { expired: false }));
    }

    #[test]
    fn dates_of_answers_are_read() {
        let value = HeaderValue::from_static("Tue, 10 Mar 2026 09:00:00 GMT");
        let expected = Timestamp::parse("2026-03-10T09:00:00Z");
        assert_eq!(date(&value), expected);
        assert_eq!(date(&HeaderValue::from_static("yesterday")), None);
    }
}
