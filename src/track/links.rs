//! `GET /r/{code}`: on to the campaign's landing page, with who sent the visitor. It leads to
//! no other page than the one the campaign names, whatever the address says.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, COOKIE, LOCATION, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Track;
use super::resolve::{Target, choose, targets};
use crate::domain::campaign::Touch;
use crate::domain::ids::{CampaignId, PromoterId};
use crate::domain::people::Promoter;
use crate::domain::referral_link::{cookie_name, day};
use crate::http::Problem;
use crate::registry::leads::promoter_of;
use crate::store::referral_links::count_click;
use crate::store::{StoreError, retry};

/// The parameter of a link that names its campaign.
const CAMPAIGN: &str = "c";

/// A promoter's link: of one campaign, or of the one that had its landing page first.
pub fn address(base_url: &str, code: &str, campaign: Option<&CampaignId>) -> String {
    let code = encoded(code);
    match campaign {
        Some(campaign) => format!("{base_url}/r/{code}?{CAMPAIGN}={campaign}"),
        None => format!("{base_url}/r/{code}"),
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(rename = "c")]
    campaign: Option<String>,
}

/// `GET /r/{code}`
pub(super) async fn follow(
    State(track): State<Arc<Track>>,
    code: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
    parts: Parts,
) -> Response {
    let code = code.map(|Path(code)| code).unwrap_or_default();
    let campaign = asked.ok().and_then(|Query(asked)| asked.campaign);
    match on_from_here(&track, code.trim(), campaign.as_deref(), &parts).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn on_from_here(
    track: &Track,
    code: &str,
    campaign: Option<&str>,
    parts: &Parts,
) -> Result<Response, Problem> {
    let app = &track.app;
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let promoter = promoter_of(&mut tx, &app.connection, code).await?;
    let targets = targets(&mut tx, &app.connection).await?;
    tx.rollback().await?;
    let promoter = promoter.ok_or_else(unknown)?;
    let target = choose(targets, campaign, now).ok_or_else(unknown)?;
    // Nobody is referred by a promoter who is suspended, or into a campaign that does not run.
    if promoter.suspended || !target.runs(now) {
        return onwards(target.link.landing_page.as_str());
    }
    let code = promoter.code.as_deref().unwrap_or(code);
    let mut response = onwards(&target.link.landing_page.with(code, &target.campaign.id))?;
    if let Some(cookie) = cookie(&target, code, &parts.headers, app.access.is_secure()) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    if is_person(&parts.method, &parts.headers) {
        count(track, &promoter, &target.campaign.id, parts).await;
    }
    Ok(response)
}

/// For codes that are nobody's, and for links that lead nowhere yet.
fn unknown() -> Problem {
    let detail = "This referral link does not work: its code is not known here, or it leads \
                  nowhere yet. Check that it is complete, or ask whoever gave it to you.";
    let title = "Link not known";
    Problem::new(
        StatusCode::NOT_FOUND,
        "referral_link_unknown",
        title,
        detail,
    )
}

fn onwards(address: &str) -> Result<Response, Problem> {
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    let address = HeaderValue::from_str(address).map_err(|_| Problem::internal())?;
    headers.insert(LOCATION, address);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let robots = HeaderName::from_static("x-robots-tag");
    headers.insert(robots, HeaderValue::from_static("noindex, nofollow"));
    Ok(response)
}

/// The cookie on this server's own host, for landing pages that share it. With `first`, the
/// one that is there already stays.
fn cookie(
    target: &Target,
    code: &str,
    headers: &HeaderMap,
    is_secure: bool,
) -> Option<HeaderValue> {
    let name = cookie_name(&target.campaign.id);
    let is_first = target.campaign.attribution.touch == Touch::First;
    if is_first && remembered(headers, &target.campaign.id).is_some() {
        return None;
    }
    let (code, life) = (encoded(code), target.link.cookie_seconds());
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!("{name}={code}; Path=/; Max-Age={life}; SameSite=Lax{secure}");
    HeaderValue::from_str(&cookie).ok()
}

/// The code that a cookie on this host remembers for a campaign.
fn remembered(headers: &HeaderMap, campaign: &CampaignId) -> Option<String> {
    let name = cookie_name(campaign);
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name);
    let (_, value) = values.next()?;
    let query = format!("v={value}");
    let decoded = url::form_urlencoded::parse(query.as_bytes()).next();
    decoded.map(|(_, code)| code.into_owned())
}

/// Text as one segment of a path, and as a cookie's value.
fn encoded(text: &str) -> String {
    // Blanks as `%20`: in a path, `+` is a plus.
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    form.replace('+', "%20")
}

/// Whether it looks like a person who went there: no robot, no preview of a message, no page
/// fetched ahead, no picture.
fn is_person(method: &Method, headers: &HeaderMap) -> bool {
    const ROBOTS: [&str; 16] = [
        "bot",
        "crawl",
        "spider",
        "slurp",
        "preview",
        "facebookexternalhit",
        "whatsapp",
        "telegram",
        "headless",
        "curl",
        "wget",
        "python",
        "monitor",
        "scan",
        "http-client",
        "okhttp",
    ];
    const AHEAD: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let agent = text(USER_AGENT.as_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is_ahead = AHEAD.iter().filter_map(|name| text(name)).any(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("prefetch") || value.contains("preview") || value.contains("prerender")
    });
    let is_page = text("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    let is_robot = agent.is_empty() || ROBOTS.iter().any(|word| agent.contains(word));
    method == Method::GET && is_page && !is_ahead && !is_robot
}

/// Counts the click, if its address has not clicked too often. What fails is logged: nobody
/// waits for a number.
async fn count(track: &Track, promoter: &Promoter, campaign: &CampaignId, parts: &Parts) {
    let app = &track.app;
    let address: IpAddr = app.access.visitor(parts).address;
    if track.clicks.take(address, app.clock.now_us()).is_err() {
        return;
    }
    if let Err(error) = write_down(track, &promoter.id, campaign).await {
        tracing::warn!(%error, "a click was not counted");
    }
}

async fn write_down(
    track: &Track,
    promoter: &PromoterId,
    campaign: &CampaignId,
) -> Result<(), StoreError> {
    let app = &track.app;
    let today = day(app.clock.now());
    retry(|| async {
        let mut tx = app.db.begin().await?;
        count_click(&mut tx, &app.connection, promoter, campaign, today).await?;
        tx.commit().await
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_cookies_carry_any_code() {
        let spring = CampaignId::from("spring");
        let base = "https://q.example";
        assert_eq!(address(base, "ANA10", None), "https://q.example/r/ANA10");
        let any = "a/b ü+;\r\nx";
        let link = address(base, any, Some(&spring));
        assert_eq!(
            link,
            "https://q.example/r/a%2Fb%20%C3%BC%2B%3B%0D%0Ax?c=spring"
        );
        let mut headers = HeaderMap::new();
        let sent = format!("a=1; qualify_ref_spring={}; b=2", encoded(any));
        headers.insert(COOKIE, sent.parse().unwrap());
        assert_eq!(remembered(&headers, &spring).as_deref(), Some(any));
        assert_eq!(remembered(&headers, &CampaignId::from("autumn")), None);
    }

    #[test]
    fn only_people_who_go_there_are_counted() {
        const FIREFOX: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11) Firefox/130.0");
        let person = |method: Method, pairs: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                let name: HeaderName = name.parse().unwrap();
                headers.insert(name, value.parse().unwrap());
            }
            is_person(&method, &headers)
        };
        assert!(person(Method::GET, &[FIREFOX]));
        assert!(person(
            Method::GET,
            &[FIREFOX, ("sec-fetch-mode", "navigate")]
        ));
        assert!(!person(Method::HEAD, &[FIREFOX]));
        for other in [
            &[][..],
            &[("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")],
            &[("user-agent", "curl/8.5.0")],
            &[FIREFOX, ("sec-purpose", "prefetch;prerender")],
            &[FIREFOX, ("x-moz", "prefetch")],
            &[FIREFOX, ("sec-fetch-mode", "no-cors")],
        ] {
            assert!(!person(Method::GET, other), "{other:?}");
        }
    }
}
