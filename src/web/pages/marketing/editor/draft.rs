//! What is edited, whichever way it is seen: it comes from the store, a backtest or a form that
//! was sent, and its source is always a campaign file.

use super::form;
use crate::backtests::Draft;
use crate::domain::campaign::Campaign;
use crate::rules;
use crate::store::campaigns::StoredRevision;
use crate::web::input::Fields;
use crate::web::parts::Errors;
use crate::web::url;

/// What is edited, whichever way it is seen.
pub(super) struct Edited {
    /// The campaign's id; none for a new one.
    pub campaign: Option<String>,
    pub number: Option<i64>,
    pub source: String,
    pub base: String,
    pub as_file: bool,
    pub reason: String,
    /// The form as it was sent, if it was: shown again as typed.
    pub typed: Option<Fields>,
}

impl Edited {
    pub fn of_draft(draft: &Draft) -> Self {
        Self {
            campaign: draft.campaign.clone(),
            number: draft.number,
            source: draft.source.clone(),
            base: draft.source.clone(),
            as_file: draft.as_file,
            reason: draft.reason.clone(),
            typed: None,
        }
    }

    pub fn of_stored(stored: StoredRevision, as_file: bool) -> Self {
        Self {
            campaign: Some(stored.campaign_id),
            number: Some(stored.number),
            base: stored.source.clone(),
            source: stored.source,
            as_file,
            reason: String::new(),
            typed: None,
        }
    }

    /// What was sent. A form becomes a file at once; one that means the same as before stays as
    /// it was, with its remarks.
    pub fn of_sent(campaign: Option<String>, sent: &Fields) -> Self {
        let as_file = sent.raw("view") == "file";
        let base = plain_lines(sent.raw("base"));
        let (source, typed) = if as_file {
            (plain_lines(sent.raw("source")), None)
        } else {
            let before = rules::parse("base", &base).ok();
            let file = form::to_file(sent, before.as_ref());
            let source = match (rules::parse("form", &file), before) {
                (Ok(after), Some(before)) if after.revision == before.revision => base.clone(),
                (Ok(after), _) => rules::to_toml(&after),
                (Err(_), _) => file,
            };
            (source, Some(sent.clone()))
        };
        Self {
            campaign,
            number: sent.number("number"),
            source,
            base,
            as_file,
            reason: sent.text("reason").to_owned(),
            typed,
        }
    }

    pub fn draft(&self) -> Draft {
        Draft {
            campaign: self.campaign.clone(),
            source: self.source.clone(),
            number: self.number,
            reason: self.reason.clone(),
            as_file: self.as_file,
        }
    }

    /// The rules, or what is wrong with them.
    pub fn rules(&self) -> Result<Campaign, Errors> {
        let rules = rules::parse("the campaign", &self.source).map_err(|problems| {
            if self.as_file {
                in_file(&problems)
            } else {
                form::errors(&problems)
            }
        })?;
        match &self.campaign {
            Some(id) if rules.id.as_str() != id => {
                let words = format!(
                    "The id is `{}`, and this campaign’s is `{id}`. An id stays the same; to have \
                     another campaign, make a new one.",
                    rules.id
                );
                Err(Errors::one("source", words))
            }
            _ => Ok(rules),
        }
    }

    /// Its own address, without a query.
    pub fn action(&self) -> String {
        match &self.campaign {
            Some(id) => format!("{}/edit", url::campaign(id)),
            None => "/new-campaign".to_owned(),
        }
    }
}

/// Browsers send line ends as CR LF; files have LF.
fn plain_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Problems with their line, each leading to the file.
pub(super) fn in_file(problems: &[rules::Problem]) -> Errors {
    let mut errors = Errors::none();
    for problem in problems {
        let key = match problem.key.as_str() {
            "" => String::new(),
            key => format!(" {key}"),
        };
        let words = format!("Line {}:{key} {}", problem.line, problem.message);
        errors.add("source", words);
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_means_the_same_leaves_the_file_as_it_is() {
        let base = include_str!("../../../../../rules/spring-2026.toml");
        let rules = rules::parse("spring", base).unwrap();
        let form = form::of(&rules);
        let with_base = |form: &Fields, extra: (&str, &str)| {
            let mut pairs = vec![("base".to_owned(), base.replace('\n', "\r\n"))];
            for name in ["id", "name", "starts", "ends"] {
                pairs.push((name.to_owned(), form.raw(name).to_owned()));
            }
            pairs.push((extra.0.to_owned(), extra.1.to_owned()));
            for (name, values) in form.each() {
                if !["id", "name", "starts", "ends", extra.0].contains(&name) {
                    pairs.extend(values.iter().map(|v| (name.to_owned(), v.clone())));
                }
            }
            Fields::new(pairs)
        };
        let same = Edited::of_sent(None, &with_base(&form, ("reason", "x")));
        assert_eq!(same.source, base);
        let other = Edited::of_sent(None, &with_base(&form, ("qualify.within_days", "60")));
        assert!(other.source.contains("within_days = 60") && !other.source.contains('#'));
    }
}
