//! Samples: every page and part with made-up values, as it is rendered. Snapshots hold them, and
//! a few rules hold for all: a title, one `h1`, labelled fields, nothing inline.

use std::path::Path;

use askama::Template;

use super::layout::{ConfirmPage, Frame, Page, Person, ProblemPage, Said, nav};
use super::parts::{
    Choice, Diff, Empty, Errors, Field, Icon, Link, Pager, Point, Progress, Sort, State, Tabs,
    Tone, Trend, When,
};
use super::{assets, format};
use crate::domain::access::Role;
use crate::domain::currency::Currency;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::domain::verdict::VerdictState;

/// The instant at which every sample is looked at.
pub fn now() -> Timestamp {
    Timestamp::parse("2026-03-10T09:00:00Z").unwrap()
}

/// The frame as somebody of this role sees it.
pub fn frame(role: Role) -> Frame {
    Frame {
        connection: "Acme Inc.".to_owned(),
        test: false,
        demo: true,
        person: Some(Person {
            name: "Mara Lind".to_owned(),
            email: "mara@example.com".to_owned(),
            role,
        }),
        nav: nav(role),
        note: None,
    }
}

/// Checks what holds for every page, and holds the page to its snapshot.
pub fn hold(name: &str, page: &impl Template) {
    let html = page.render().unwrap();
    check(name, &html);
    // To look at the samples in a browser.
    if let Some(folder) = std::env::var_os("QUALIFY_PAGES") {
        std::fs::write(Path::new(&folder).join(format!("{name}.html")), &html).unwrap();
    }
    snapshot(name, &html);
}

/// Holds a part to its snapshot.
pub fn hold_part(name: &str, part: &impl Template) {
    snapshot(&format!("part_{name}"), &part.render().unwrap());
}

fn snapshot(name: &str, html: &str) {
    // Their names change with their content; pages do not.
    let html = html
        .replace(assets::css(), "/assets/qualify.css")
        .replace(assets::script(), "/assets/htmx.js")
        .replace(assets::icon(), "/assets/icon.svg");
    insta::with_settings!({
        snapshot_path => "../../tests/snapshots/web",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, html);
    });
}

/// A title, one `h1`, every field labelled, ids once, nothing inline.
pub fn check(name: &str, html: &str) {
    let count = |what: &str| html.matches(what).count();
    assert!(
        count("<title>") >= 1 && !html.contains("<title> –"),
        "{name}: a title"
    );
    assert_eq!(count("<h1"), 1, "{name}: one h1");
    assert_eq!(count("<main"), 1, "{name}: one main");
    assert_eq!(count(" style="), 0, "{name}: no inline style");
    assert_eq!(count("<style"), 0, "{name}: no inline style sheet");
    assert_eq!(count("javascript:"), 0, "{name}: no script in an address");
    for on in [
        " onclick=",
        " onload=",
        " onsubmit=",
        " onchange=",
        " hx-on",
    ] {
        assert_eq!(count(on), 0, "{name}: no {on}");
    }
    assert_eq!(
        count("<script"),
        count("<script src="),
        "{name}: no inline script"
    );
    let ids = attributes(html, " id=\"");
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(
        once.len(),
        ids.len(),
        "{name}: an id is there twice: {ids:?}"
    );
    for field in ["<input ", "<select ", "<textarea "] {
        for (at, _) in html.match_indices(field) {
            let tag = &html[at..at + html[at..].find('>').unwrap()];
            if tag.contains("type=\"hidden\"") {
                continue;
            }
            let id = attributes(tag, " id=\"");
            let labelled = tag.contains("aria-label")
                || id
                    .first()
                    .is_some_and(|id| html.contains(&format!("for=\"{id}\"")));
            assert!(labelled, "{name}: no label for {tag}");
        }
    }
    for target in attributes(html, " aria-describedby=\"")
        .iter()
        .flat_map(|t| t.split(' '))
    {
        assert!(
            ids.contains(&target),
            "{name}: described by {target}, which is not there"
        );
    }
}

fn attributes<'h>(html: &'h str, before: &str) -> Vec<&'h str> {
    let found = html.match_indices(before);
    found
        .map(|(at, _)| {
            let rest = &html[at + before.len()..];
            &rest[..rest.find('"').unwrap()]
        })
        .collect()
}

#[derive(Template)]
#[template(path = "layout/sample.html", config = ".askama.toml")]
struct Gallery {
    page: Page,
    states: Vec<State>,
    when: When,
    money: Vec<String>,
    progress: Progress,
    errors: Errors,
    fields: Vec<Field>,
    tabs: Tabs,
    sort: Sort,
    empty: Empty,
    pager: Pager,
    diff: Diff,
    trend: Trend,
}

fn gallery() -> Gallery {
    let errors = Errors::one("email", "Enter an email address, like ana@example.com");
    let states = [
        VerdictState::Qualified,
        VerdictState::Pending,
        VerdictState::Review,
        VerdictState::Rejected,
    ];
    let mut frame = frame(Role::Owner);
    frame.test = true;
    frame.note = Some(Said::CampaignSaved.note());
    let policies = vec![
        Choice::new("hold", "A person decides").hint("A case is opened"),
        Choice::new("combine", "Their spend is added"),
    ];
    Gallery {
        fields: vec![
            Field::email("email", "Email address")
                .hint("Where the link goes")
                .value("ana(at)example")
                .error(errors.at("email")),
            Field::password("password", "Password", "current-password"),
            Field::text("amount", "Amount")
                .width("short")
                .value("50.00"),
            Field::select(
                "currency",
                "Currency",
                vec![Choice::new("usd", "USD"), Choice::new("eur", "EUR")],
            )
            .width("short")
            .value("eur"),
            Field::radios("duplicates", "Several customers match", policies).value("hold"),
            Field::checks("keys", "Recognised by", vec![Choice::new("email", "Email")]),
            Field::tick("coupons", "Coupons attribute a payment", true),
            Field::code("source", "Campaign file", 6).value("id = \"spring-2026\"\n"),
        ],
        page: frame
            .page("Every part of a page", "/campaigns")
            .under("Campaigns", "/campaigns")
            .under("Spring 2026", "/campaigns/spring-2026")
            .with_errors(true),
        states: states
            .into_iter()
            .map(|state| State::verdict(state, false))
            .chain([
                State::verdict(VerdictState::Qualified, true),
                State::new(Tone::Bad, Icon::Back, "Reversed"),
            ])
            .collect(),
        when: When::new(now().plus_days(2), now()),
        money: [425_190, -40_200]
            .map(|minor| format::money(Money::new(minor, Currency::USD)))
            .to_vec(),
        progress: Progress::new("Spend", 3_760, 5_000, "37.60 of 50.00 USD"),
        errors,
        tabs: Tabs::new("Editor", "/form", &[("Form", "/form"), ("File", "/file")]),
        sort: Sort {
            label: "Referred".to_owned(),
            href: "?sort=referred".to_owned(),
            sorted: Some(true),
            numeric: false,
        },
        empty: Empty::new(
            "No campaigns yet",
            "A campaign says when a referral is earned.",
        )
        .step("New campaign", "/campaigns/new"),
        pager: Pager {
            first: Some("/referrals".to_owned()),
            next: Some("/referrals?after=ref_9".to_owned()),
        },
        diff: Diff::new("From 1 to 2", "a = 1\nb = 2\n", "a = 1\nb = 3\n"),
        trend: Trend {
            title: "Referrals by week, and how many of them qualified".to_owned(),
            span: "Week of".to_owned(),
            first: "Referred".to_owned(),
            second: "Qualified".to_owned(),
            points: (0..26_u32)
                .map(|week| Point {
                    label: now().plus_days(week * 7).date(),
                    first: i64::from(week * 7 % 11 + 2),
                    second: i64::from(week * 3 % 5),
                })
                .collect(),
        },
    }
}

#[test]
fn the_parts() {
    hold("gallery", &gallery());
}

#[test]
fn a_problem() {
    let page = ProblemPage {
        page: frame(Role::Viewer).page("Not found", ""),
        status: 404,
        detail: "There is no campaign of this id.".to_owned(),
        request_id: "0199".to_owned(),
        step: Link::new("To the dashboard", "/"),
    };
    hold("problem", &page);
    let bare = ProblemPage {
        page: Frame::default().page("Not available at the moment", ""),
        status: 503,
        detail: "The database does not answer; please repeat the request.".to_owned(),
        request_id: String::new(),
        step: Link::new("Try again", "/campaigns"),
    };
    hold("problem_signed_out", &bare);
}

#[test]
fn a_confirmation() {
    let page = ConfirmPage {
        page: frame(Role::Admin).page("Suspend Ana Lima?", "/promoters"),
        says: vec!["Open referrals are judged again.".to_owned()],
        state: None,
        action: "/promoters/prom_ana/suspend".to_owned(),
        hidden: vec![("reason".to_owned(), "fraud".to_owned())],
        button: "Suspend".to_owned(),
        danger: true,
        cancel: "/promoters/prom_ana".to_owned(),
    };
    hold("confirm", &page);
}
