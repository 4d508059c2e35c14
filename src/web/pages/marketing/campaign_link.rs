//! `/campaigns/{id}/link`: where a campaign's referral links lead, and the lines that its
//! landing page needs.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::campaigns::parsed;
use super::no_such;
use super::promoter_form::errors;
use crate::domain::ids::CampaignId;
use crate::domain::referral_link::{COOKIE_DAYS, ReferralLink};
use crate::registry::RegistryError;
use crate::registry::referral_links::{LinkInput, set_link};
use crate::store::campaigns::current_campaign;
use crate::store::referral_links::get_campaign_link;
use crate::track;
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::{Fields, Sent};
use crate::web::layout::{Page, Said};
use crate::web::parts::{Errors, Field};
use crate::web::{View, Web, url};

/// `/campaigns/{id}/link`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/campaign_link.html", config = ".askama.toml")]
pub(crate) struct CampaignLinkPage {
    pub page: Page,
    pub errors: Errors,
    pub fields: Vec<Field>,
    pub action: String,
    pub cancel: String,
    /// What goes into the landing page, once there is one.
    pub snippet: Option<String>,
    /// What a promoter's link looks like.
    pub example: String,
}

/// The campaign whose links these are.
struct Of {
    id: String,
    name: String,
    link: Option<ReferralLink>,
}

async fn find(web: &Web, view: &View, id: String) -> Result<Of, crate::http::Problem> {
    let campaign = CampaignId::from(id.as_str());
    let mut tx = web.app.db.read().await?;
    let current = current_campaign(&mut tx, view.connection(), &campaign).await?;
    let link = get_campaign_link(&mut tx, view.connection(), &campaign).await?;
    tx.rollback().await?;
    let current = current.ok_or_else(|| no_such("campaign"))?;
    let name = parsed(&current).map_or_else(|| id.clone(), |rules| rules.name);
    Ok(Of { id, name, link })
}

/// `GET /campaigns/{id}/link`
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
) -> Answer {
    let of = find(&web, &view, id).await?;
    let filled = fields_of(of.link.as_ref());
    page(&form(&web, &view, &of, &filled, Errors::none()))
}

/// `POST /campaigns/{id}/link`
pub(crate) async fn save(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Sent(sent): Sent,
) -> Answer {
    let of = find(&web, &view, id).await?;
    match put(&web, &view, &of, &sent).await {
        Ok(_) => {
            let here = format!("{}/link", url::campaign(&of.id));
            on_to(&here, Some(Said::LinkSaved))
        }
        Err(error) => refused(&form(&web, &view, &of, &sent, errors(error)?)),
    }
}

async fn put(
    web: &Web,
    view: &View,
    of: &Of,
    sent: &Fields,
) -> Result<ReferralLink, RegistryError> {
    let days = sent.some("cookie_days");
    let input = LinkInput {
        landing_page: sent.text("landing_page").to_owned(),
        // What is no number is out of range, and refused in the same words.
        cookie_days: days.map(|days| days.parse().unwrap_or(0)),
        origins: lines(sent.raw("origins")),
    };
    let (app, campaign) = (&web.app, CampaignId::from(of.id.as_str()));
    let clock = app.clock.as_ref();
    set_link(
        &app.db,
        view.connection(),
        clock,
        &campaign,
        &input,
        &view.by,
    )
    .await
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

fn fields_of(link: Option<&ReferralLink>) -> Fields {
    let page = link.map_or("", |link| link.landing_page.as_str());
    let days = link.map_or(COOKIE_DAYS, |link| link.cookie_days);
    let origins = link.map_or_else(String::new, |link| link.origins.join("\n"));
    let pairs = [
        ("landing_page", page.to_owned()),
        ("cookie_days", days.to_string()),
        ("origins", origins),
    ];
    Fields::new(pairs.map(|(name, value)| (name.to_owned(), value)))
}

fn form(web: &Web, view: &View, of: &Of, sent: &Fields, errors: Errors) -> CampaignLinkPage {
    let base = web.app.access.base_url();
    let here = url::campaign(&of.id);
    let page = view
        .page("Referral link", "/campaigns")
        .under("Campaigns", "/campaigns")
        .under(&of.name, &here)
        .with_errors(errors.any());
    filled(page, (base, of), sent, errors)
}

fn filled(page: Page, (base, of): (&str, &Of), sent: &Fields, errors: Errors) -> CampaignLinkPage {
    let here = url::campaign(&of.id);
    let campaign = CampaignId::from(of.id.as_str());
    let fill = |field: Field, name: &str| field.value(sent.raw(name)).error(errors.at(name));
    let fields = vec![
        fill(
            Field::text("landing_page", "Landing page").hint(
                "The whole address that the links lead to, like https://www.example.com/welcome",
            ),
            "landing_page",
        ),
        fill(
            Field::text("cookie_days", "Days that a click is remembered")
                .hint("From 1 to 365. Whoever signs up within them was referred.")
                .width("short"),
            "cookie_days",
        ),
        fill(
            Field::area("origins", "Other sites where people sign up", 3).hint(
                "One a line, like https://app.example.com. The landing page’s own site is always \
                 taken.",
            ),
            "origins",
        ),
    ];
    CampaignLinkPage {
        page,
        fields,
        action: format!("{here}/link"),
        cancel: here,
        snippet: of.link.as_ref().map(|_| snippet(base, &of.id)),
        example: track::address(base, "CODE", Some(&campaign)),
        errors,
    }
}

/// The lines: the script, what takes calls until it is there, and what the page calls once somebody has signed up.
fn snippet(base: &str, campaign: &str) -> String {
    format!(
        "<script src=\"{base}/t.js\" data-campaign=\"{campaign}\" async></script>\n\
         <script>\n  window.qualify = window.qualify || function () {{ (qualify.q = qualify.q || []).push(arguments) }};\n  \
         // When somebody has signed up:\n  \
         qualify('lead', {{ email: 'their@email.example', uid: 'their id, if any' }});\n</script>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::domain::referral_link::LandingPage;
    use crate::web::samples::{frame, hold, now};

    #[test]
    fn the_form_before_and_after() {
        let page = || {
            frame(Role::Marketer)
                .page("Referral link", "/campaigns")
                .under("Campaigns", "/campaigns")
                .under("Spring 2026", "/campaigns/spring-2026")
        };
        let base = "https://refer.example.com";
        let mut of = Of {
            id: "spring-2026".to_owned(),
            name: "Spring 2026".to_owned(),
            link: None,
        };
        let wrong = Fields::new([("landing_page".to_owned(), "example.com".to_owned())]);
        let error = LandingPage::parse("example.com").unwrap_err();
        let error = RegistryError::invalid("landing_page_invalid", "/landing_page", error);
        let refused = filled(
            page().with_errors(true),
            (base, &of),
            &wrong,
            errors(error).unwrap(),
        );
        hold("campaign_link_refused", &refused);
        of.link = Some(ReferralLink {
            campaign: "spring-2026".into(),
            landing_page: LandingPage::parse("https://www.example.com/welcome").unwrap(),
            origins: vec!["https://app.example.com".to_owned()],
            cookie_days: 30,
            created_at: now(),
            changed_at: now(),
        });
        let sent = fields_of(of.link.as_ref());
        hold(
            "campaign_link",
            &filled(page(), (base, &of), &sent, Errors::none()),
        );
    }
}
