//! `/doctor`: every check by area. What is stored is shown at once; what Stripe says is asked
//! for by a second look, which browsers with JavaScript take by themselves.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State as Shared;

use crate::access::routes::DOCTOR;
use crate::doctor::{Area, Ask, Finding, Report, State, Subject, run};
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::web::answer::{Answer, page};
use crate::web::input::Asked;
use crate::web::layout::Page;
use crate::web::parts::{Coded, Icon, Link, State as Badge, Tone, When};
use crate::web::{View, Web};

/// How long Stripe may take in all while somebody waits for the page.
const PATIENCE: Duration = Duration::from_secs(4);
/// The page with Stripe asked.
const NOW: &str = "/doctor?stripe=now";

/// `/doctor`
#[derive(Debug, Template)]
#[template(path = "pages/admin/doctor.html", config = ".askama.toml")]
pub(crate) struct DoctorPage {
    pub page: Page,
    /// Where the look at Stripe's side is, while it has not been taken.
    pub ask: Option<&'static str>,
    pub at: When,
    /// When Stripe was asked, if it was.
    pub asked_at: Option<When>,
    pub figures: Vec<(&'static str, usize)>,
    pub areas: Vec<AreaPart>,
}

/// The checks of one area.
#[derive(Debug)]
pub(crate) struct AreaPart {
    pub id: String,
    pub title: &'static str,
    pub rows: Vec<Row>,
}

/// One check.
#[derive(Debug)]
pub(crate) struct Row {
    pub title: &'static str,
    pub state: Badge,
    pub seen: Coded,
    pub examples: Vec<Coded>,
    pub next: Option<Coded>,
    pub link: Option<Link>,
}

/// `GET /doctor`
pub(crate) async fn show(Shared(web): Shared<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let app = &web.app;
    // The settings are of one connection; nobody of another sees what is wrong with them.
    if *view.connection() != app.connection {
        return Err(Problem::not_found("There is nothing at this address."));
    }
    let subject = Subject {
        config: &app.config,
        db: &app.db,
        connection: &app.connection,
        clock: app.clock.as_ref(),
        lately: &app.doctor,
    };
    let asks = query.text("stripe") == "now";
    let whom = if asks {
        Ask::Within(PATIENCE)
    } else {
        Ask::Nobody
    };
    let report = run(&subject, whom).await?;
    let can_ask = app.config.stripe.api_key.is_some();
    let ask = (can_ask && !asks).then_some(NOW);
    page(&made(
        view.page("Doctor", DOCTOR.path()),
        &report,
        ask,
        &view,
    ))
}

fn made(page: Page, report: &Report, ask: Option<&'static str>, view: &View) -> DoctorPage {
    filled(page, report, ask, view.now)
}

fn filled(page: Page, report: &Report, ask: Option<&'static str>, now: Timestamp) -> DoctorPage {
    let counts = report.counts;
    DoctorPage {
        page,
        ask,
        at: When::new(report.at, now),
        asked_at: report.stripe_asked_at.map(|at| When::new(at, now)),
        figures: vec![
            ("Problems", counts.problem),
            ("Warnings", counts.warning),
            ("Not looked at", counts.not_looked_at),
            ("In order", counts.ok),
        ],
        areas: Area::ALL
            .into_iter()
            .map(|area| part(area, report))
            .collect(),
    }
}

fn part(area: Area, report: &Report) -> AreaPart {
    AreaPart {
        id: format!("{area:?}").to_lowercase(),
        title: area.title(),
        rows: report.of(area).map(row).collect(),
    }
}

fn row(finding: &Finding) -> Row {
    Row {
        title: finding.title,
        state: badge(finding.state),
        seen: Coded::new(&finding.seen),
        examples: finding.examples.iter().map(Coded::new).collect(),
        next: finding.next.as_ref().map(Coded::new),
        link: finding.next.as_ref().and_then(|_| place(finding.id)),
    }
}

fn badge(state: State) -> Badge {
    match state {
        State::Ok => Badge::new(Tone::Good, Icon::Check, "Ok"),
        State::NotLookedAt => Badge::new(Tone::Wait, Icon::Minus, "Not looked at"),
        State::Warning => Badge::new(Tone::Warn, Icon::Alert, "Warning"),
        State::Problem => Badge::new(Tone::Bad, Icon::Cross, "Problem"),
    }
}

/// The page on which the next step is taken, if it is one of ours.
fn place(check: &str) -> Option<Link> {
    let (words, href) = match check {
        "webhook_last_event" | "webhook_deliveries" | "events_quarantined" => {
            ("Events", "/admin/events")
        }
        "batch_on_time" => ("Batches", "/admin/batches"),
        "customers_sharing_email" => ("Cases", "/admin/cases"),
        "mail_server" | "mails_delivered" => ("Users", "/admin/users"),
        "promoters_sharing_code" => ("Promoters", "/promoters"),
        check if check.starts_with("coupons_") => ("Promoters", "/promoters"),
        check if check.starts_with("campaign_") => ("Campaigns", "/campaigns"),
        "referral_keys" | "uncounted_payments" => ("Campaigns", "/campaigns"),
        _ => return None,
    };
    Some(Link::new(words, href))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Reach;
    use crate::doctor::finding::Check;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    fn report(stripe: Reach) -> Report {
        let key = Check::new(Area::Stripe, "api_key", "API key works");
        let coupons = Check::new(Area::Coupons, "coupons_exist", "Coupons exist at Stripe");
        let events = Check::new(
            Area::Work,
            "events_quarantined",
            "Every event could be read",
        );
        let batch = Check::new(Area::Work, "batch_on_time", "Batches settle on time");
        let checks = vec![
            match stripe {
                Reach::Asked => key.ok("Stripe accepts it"),
                _ => key.not_looked_at("Stripe has not been asked"),
            },
            coupons
                .problem(
                    "1 coupon not there",
                    "Give the promoter the ID of the coupon.",
                )
                .such_as(["ANA10 of prom_ana: Stripe knows no such coupon"]),
            events
                .warning(
                    "2 events quarantined for 1 reason",
                    "Look at them under Events, or read them again with `qualify replay <b>`.",
                )
                .such_as(["amount_invalid: 2"]),
            batch.ok("the one of 2026-03-10 00:00 UTC is done"),
        ];
        let asked_at = (stripe == Reach::Asked).then(|| now().plus_seconds(-3));
        Report::new(now(), (stripe, asked_at), checks)
    }

    #[test]
    fn the_doctors_page() {
        let page = || frame(Role::Admin).page("Doctor", "/doctor");
        let asked = report(Reach::Asked);
        hold("doctor", &filled(page(), &asked, None, now()));
        let unasked = report(Reach::NotAsked);
        hold(
            "doctor_before_asking",
            &filled(page(), &unasked, Some(NOW), now()),
        );
    }
}
