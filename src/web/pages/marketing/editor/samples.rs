//! The samples of the rules folder, inside the binary: a new campaign begins with one of them.

use askama::Template;

use crate::domain::campaign::Mode;
use crate::rules;
use crate::web::answer::{Answer, page};
use crate::web::layout::Page;
use crate::web::pages::marketing::rules_words::words;
use crate::web::parts::Link;
use crate::web::{View, url};

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        /// (name, campaign file)
        pub(crate) const SAMPLES: &[(&str, &str)] = &[$((
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/rules/", $name, ".toml")),
        ),)*];
    };
}

samples![
    "spring-2026",
    "partner-coupons",
    "third-month",
    "net-of-tax",
    "pro-plan",
    "ambassadors",
    "family-accounts",
    "newcomers",
    "tokyo-2026",
    "invoiced-b2b",
];

/// `/new-campaign`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/editor/samples.html", config = ".askama.toml")]
pub(crate) struct SamplesPage {
    pub page: Page,
    pub rows: Vec<SampleRow>,
}

/// A sample's line.
#[derive(Debug)]
pub(crate) struct SampleRow {
    pub link: Link,
    pub earned_by: String,
    pub reward: String,
}

/// The page of samples.
pub(crate) fn choose(view: &View) -> Answer {
    page(&SamplesPage {
        page: view
            .page("New campaign", "/campaigns")
            .under("Campaigns", "/campaigns"),
        rows: rows(),
    })
}

fn rows() -> Vec<SampleRow> {
    let row = |(name, source): &(&str, &str)| {
        let rules = rules::parse(name, source).ok()?;
        let said = words(&rules);
        let about = |what: &str| {
            let found = said.iter().find(|(about, _)| *about == what);
            found.map(|(_, says)| says.clone()).unwrap_or_default()
        };
        Some(SampleRow {
            link: Link::new(&rules.name, url::with("/new-campaign", &[("sample", name)])),
            earned_by: format!("{} {}", about("Earned by"), about("Time")),
            reward: about("Reward"),
        })
    };
    SAMPLES.iter().filter_map(row).collect()
}

/// A sample's file, for a connection of this mode: with its remarks where it fits as it is.
pub(super) fn fitted(name: &str, mode: Mode) -> Option<String> {
    let (name, source) = SAMPLES.iter().find(|(known, _)| *known == name)?;
    let mut rules = rules::parse(name, source).ok()?;
    if rules.account.is_none() && rules.mode == mode {
        return Some((*source).to_owned());
    }
    rules.account = None;
    rules.mode = mode;
    Some(rules::to_toml(&rules))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold};

    #[test]
    fn every_sample_of_the_folder_is_offered() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/rules")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let files = names
            .filter(|name| name.matches('.').eq(["."]) && name.strip_suffix(".toml").is_some());
        assert_eq!(files.count(), SAMPLES.len());
        assert_eq!(rows().len(), SAMPLES.len());
        for (name, _) in SAMPLES {
            let test = fitted(name, Mode::Test).unwrap();
            assert_eq!(rules::parse(name, &test).unwrap().mode, Mode::Test);
        }
        let page = frame(Role::Marketer).page("New campaign", "/campaigns");
        let rows = rows();
        hold("new_campaign", &SamplesPage { page, rows });
    }
}
