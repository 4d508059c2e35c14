//! Referral links: the page that a campaign's links lead to, how long a click is remembered,
//! and how both are written into addresses. Who followed a link is nobody's business here.

use serde::{Serialize, Serializer};
use url::Url;

use super::ids::CampaignId;
use super::time::{DAY_SECONDS, Timestamp};

/// The parameter of the landing page's address that carries the promoter's code.
pub const CODE_PARAMETER: &str = "ref";
/// The parameter that carries the campaign.
pub const CAMPAIGN_PARAMETER: &str = "ref_campaign";
/// Parameters that a landing page's own address may not have: the script reads them.
const TAKEN: [&str; 3] = [CODE_PARAMETER, "fp_ref", CAMPAIGN_PARAMETER];

/// Days that a click is remembered unless the campaign says otherwise.
pub const COOKIE_DAYS: u32 = 60;
/// Days that a click is remembered at most.
pub const COOKIE_DAYS_MAX: u32 = 365;
/// Days of clicks that are shown as one number.
pub const CLICK_DAYS: i64 = 30;
/// Longest landing page, in bytes.
pub const LANDING_BYTES_MAX: usize = 1024;
/// Other origins that a campaign may name.
pub const ORIGINS_MAX: usize = 10;

/// The page that a campaign's links lead to: `https` (or `http`), a host, no user, no password,
/// and none of the parameters that the links add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LandingPage(Url);

impl LandingPage {
    /// Reads an address; an error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.len() > LANDING_BYTES_MAX {
            return Err("an address has at most 1,024 bytes");
        }
        let Ok(url) = Url::parse(text) else {
            return Err("write the whole address, like https://www.example.com/welcome");
        };
        if !is_web(&url) {
            return Err("write an address that begins with https:// or http://, without a user");
        }
        if url.query_pairs().any(|(name, _)| TAKEN.contains(&&*name)) {
            return Err("the address may not have ref, fp_ref or ref_campaign: links add them");
        }
        Ok(Self(url))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Its origin as browsers send it, `https://www.example.com`.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The address with who sent the visitor.
    pub fn with(&self, code: &str, campaign: &CampaignId) -> String {
        let mut url = self.0.clone();
        url.query_pairs_mut()
            .append_pair(CODE_PARAMETER, code)
            .append_pair(CAMPAIGN_PARAMETER, campaign.as_str());
        url.into()
    }
}

impl Serialize for LandingPage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An origin as browsers send it; `None` if the text is more than an origin, or none.
pub fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok().filter(is_web)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    bare.then(|| url.origin().ascii_serialization())
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "http")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
}

/// A campaign's referral links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReferralLink {
    /// The campaign.
    pub campaign: CampaignId,
    /// Where its links lead.
    pub landing_page: LandingPage,
    /// Other origins whose pages may register leads, in order.
    pub origins: Vec<String>,
    /// Days that a click is remembered, 1 to 365.
    pub cookie_days: u32,
    /// When it was given a landing page first.
    pub created_at: Timestamp,
    /// When it changed last.
    pub changed_at: Timestamp,
}

impl ReferralLink {
    /// Whether pages of this origin may register leads.
    pub fn takes(&self, origin: &str) -> bool {
        self.landing_page.origin() == origin || self.origins.iter().any(|one| one == origin)
    }

    /// Seconds that a click is remembered.
    pub fn cookie_seconds(&self) -> i64 {
        i64::from(self.cookie_days).saturating_mul(DAY_SECONDS)
    }
}

/// The name of the cookie that remembers who sent a visitor to a campaign. A campaign's id is
/// made of characters that a cookie's name may have.
pub fn cookie_name(campaign: &CampaignId) -> String {
    format!("qualify_ref_{campaign}")
}

/// The day of an instant, counted from 1970-01-01, in UTC.
pub fn day(at: Timestamp) -> i64 {
    at.unix().div_euclid(DAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_landing_page_is_a_whole_address_of_the_web() {
        let with = |text: &str, code: &str| {
            let page = LandingPage::parse(text).unwrap();
            page.with(code, &CampaignId::from("spring"))
        };
        assert_eq!(
            with("https://www.example.com", "ANA10"),
            "https://www.example.com/?ref=ANA10&ref_campaign=spring"
        );
        assert_eq!(
            with(
                " https://Bücher.example/a?x=1#top ",
                "ä &\r\nSet-Cookie: x=1"
            ),
            "https://xn--bcher-kva.example/a?x=1&ref=%C3%A4+%26%0D%0ASet-Cookie%3A+x%3D1\
             &ref_campaign=spring#top"
        );
        for bad in [
            "",
            "www.example.com",
            "/welcome",
            "//evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://example.com",
            "https://user:secret@example.com",
            "https://example.com/?ref=BEN",
            "https://",
            &format!("https://example.com/{}", "x".repeat(LANDING_BYTES_MAX)),
        ] {
            assert!(LandingPage::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        let page = LandingPage::parse("https://Shop.Example:443/welcome").unwrap();
        assert_eq!(page.origin(), "https://shop.example");
        assert_eq!(
            origin("https://App.Example/"),
            Some("https://app.example".into())
        );
        assert_eq!(
            origin("http://localhost:3000"),
            Some("http://localhost:3000".into())
        );
        for bad in [
            "*",
            "null",
            "app.example",
            "https://app.example/x",
            "https://a.example?x",
        ] {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }
}
