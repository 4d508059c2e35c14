//! What a decision would change, or has changed: referral by referral, with the money.

use std::collections::BTreeMap;

use askama::Template;

use super::words;
use crate::domain::ids::PromoterId;
use crate::domain::money::Money;
use crate::domain::verdict::{Reward, Verdict};
use crate::evaluate::explain::sentence;
use crate::registry::effects::{Consequence, Effect};
use crate::web::parts::{Icon, Link, State as Badge, Tone};
use crate::web::{format, url};

/// All of it.
#[derive(Debug, Template)]
#[template(path = "pages/admin/effects.html", config = ".askama.toml")]
pub(crate) struct Effects {
    pub rows: Vec<EffectRow>,
    /// What is said where there is nothing.
    pub nothing: &'static str,
}

impl askama::filters::HtmlSafe for Effects {}

/// One referral.
#[derive(Debug)]
pub(crate) struct EffectRow {
    pub link: Link,
    pub before: Option<Badge>,
    pub after: Option<Badge>,
    /// The verdict then.
    pub sentence: String,
    pub money: Vec<MoneyLine>,
}

/// What happens to money.
#[derive(Debug)]
pub(crate) struct MoneyLine {
    pub state: Badge,
    pub words: String,
}

type Names = BTreeMap<PromoterId, String>;

impl Effects {
    /// What a choice would do.
    pub(crate) fn of(effects: &[Effect], promoters: &Names) -> Self {
        Self {
            rows: effects.iter().map(|one| row(one, promoters)).collect(),
            nothing: "Nothing changes: no verdict would be another, and no money moves.",
        }
    }

    /// What a decision has done; its money is told by the queue and the ledger.
    pub(crate) fn done(effects: &[Effect], promoters: &Names) -> Self {
        let mut done = Self::of(effects, promoters);
        for row in &mut done.rows {
            row.money.clear();
        }
        done.nothing = "It makes no difference: every verdict is what it would be without it.";
        done
    }

    /// The money alone, a sentence for each line.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let lines = self.rows.iter().flat_map(|row| {
            let of = move |line: &MoneyLine| {
                format!("{}: {} ({})", line.state.word, line.words, row.link.label)
            };
            row.money.iter().map(of)
        });
        lines.collect()
    }
}

fn row(effect: &Effect, promoters: &Names) -> EffectRow {
    let badge = |verdict: &Verdict| Badge::verdict(verdict.state, false);
    let about = effect.after.as_ref().or(effect.before.as_ref());
    let id = about.map_or("", |verdict| verdict.referral.as_str());
    // A sentence of one word says no more than the sign beside it.
    let say = |verdict: &Verdict| Some(sentence(verdict)).filter(|words| words.contains(' '));
    let then = effect
        .after
        .as_ref()
        .map(|then| say(then).unwrap_or_default());
    EffectRow {
        link: Link::new(id, url::referral(id)),
        before: effect.before.as_ref().map(badge),
        after: effect.after.as_ref().map(badge),
        sentence: then.unwrap_or_else(|| {
            "There is no such referral then: its customer belongs to another one.".to_owned()
        }),
        money: effect
            .money
            .iter()
            .flat_map(|money| lines(money, promoters))
            .collect(),
    }
}

fn lines(consequence: &Consequence, promoters: &Names) -> Vec<MoneyLine> {
    let line = |tone, icon, word: &str, words: String| MoneyLine {
        state: Badge::new(tone, icon, word),
        words,
    };
    match consequence {
        Consequence::Withdrawn { rewards } => {
            let words = format!("{}, no longer queued", words::rewards(rewards, None));
            vec![line(Tone::Warn, Icon::Minus, "Withdrawn", words)]
        }
        Consequence::Queued {
            promoter,
            rewards,
            settle_after,
        } => {
            let name = promoters.get(promoter);
            let name = name.map_or(promoter.as_str(), String::as_str);
            let words = format!(
                "{}, settled by the first batch from {}",
                words::rewards(rewards, Some(name)),
                settle_after.words()
            );
            vec![line(Tone::Good, Icon::Clock, "Queued", words)]
        }
        Consequence::Booked { changes } => changes
            .iter()
            .map(|change| {
                let (tone, icon, word) = if change.amount_minor < 0 {
                    (Tone::Bad, Icon::Back, "Taken back")
                } else {
                    (Tone::Good, Icon::Coin, "Given again")
                };
                line(tone, icon, word, booked(change))
            })
            .collect(),
    }
}

fn booked(change: &Reward) -> String {
    let money = Money::new(change.amount_minor.saturating_abs(), change.currency);
    let way = if change.amount_minor < 0 {
        "from"
    } else {
        "to"
    };
    let (money, person) = (format::money(money), change.to.person());
    format!("{money} {way} the {person}, by the next batch")
}
