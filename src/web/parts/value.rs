//! Single values: a state, an instant, how far something has come.

use askama::Template;

use crate::domain::time::Timestamp;
use crate::domain::verdict::VerdictState;
use crate::web::format;

/// What a colour may add to an icon and a word; never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Done, earned, healthy.
    Good,
    /// Under way.
    Wait,
    /// Somebody should look.
    Warn,
    /// Failed, refused, taken back.
    Bad,
}

impl Tone {
    /// Its class in the style sheet.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "tone-good",
            Self::Wait => "tone-wait",
            Self::Warn => "tone-warn",
            Self::Bad => "tone-bad",
        }
    }
}

/// A drawn sign; the word beside it says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="{{ self.path() }}"/></svg>"#
)]
pub enum Icon {
    /// A tick.
    Check,
    /// A clock.
    Clock,
    /// A cross.
    Cross,
    /// A raised hand, drawn as a question.
    Question,
    /// A coin put into a slot.
    Coin,
    /// An arrow that turns back.
    Back,
    /// A triangle with a mark.
    Alert,
    /// A circle with an i.
    Info,
    /// A bar across.
    Minus,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Check => "M4.5 12.5l5 5L20 7",
            Self::Clock => "M12 3a9 9 0 1 0 .01 0M12 7.5V12l3 2",
            Self::Cross => "M6 6l12 12M18 6L6 18",
            Self::Question => {
                "M12 3a9 9 0 1 0 .01 0M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.7.4-1.1.9-1.1 1.8M12 16.6v.2"
            }
            Self::Coin => "M3 17c2-2 4-2 6 0s4 2 6 0 4-2 6 0M12 4v8M8.5 9l3.5 3.5L15.5 9",
            Self::Back => "M9 6L4 11l5 5M4 11h10a6 6 0 0 1 0 8h-3",
            Self::Alert => "M12 4L2.5 20h19zM12 10v4.5M12 17v.2",
            Self::Info => "M12 3a9 9 0 1 0 .01 0M12 11v5.5M12 7.5v.2",
            Self::Minus => "M5 12h14",
        }
    }
}

/// A state: icon and word.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<span class="state {{ tone.class() }}">{{ icon }}{{ word }}</span>"#
)]
pub struct State {
    /// What its colour says.
    pub tone: Tone,
    /// Its sign.
    pub icon: Icon,
    /// Its word.
    pub word: String,
}

impl State {
    /// A state of these three.
    pub fn new(tone: Tone, icon: Icon, word: impl Into<String>) -> Self {
        let word = word.into();
        Self { tone, icon, word }
    }

    /// What a verdict's state looks like; `settled` when its reward is in the ledger.
    pub fn verdict(state: VerdictState, settled: bool) -> Self {
        match state {
            _ if settled => Self::new(Tone::Good, Icon::Coin, "Settled"),
            VerdictState::Qualified => Self::new(Tone::Good, Icon::Check, "Qualified"),
            VerdictState::Pending => Self::new(Tone::Wait, Icon::Clock, "Pending"),
            VerdictState::Review => Self::new(Tone::Warn, Icon::Question, "In review"),
            VerdictState::Rejected => Self::new(Tone::Bad, Icon::Cross, "Rejected"),
        }
    }
}

/// An instant with its zone, and how far away it is.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<time datetime="{{ iso }}"><span class="nowrap">{{ words }}</span>{% if !hint.is_empty() %} <small class="nowrap">{{ hint }}</small>{% endif %}</time>"#
)]
pub struct When {
    iso: String,
    words: String,
    hint: String,
}

impl When {
    /// `2026-03-12 09:00 UTC`, `in 3 days`.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        Self {
            iso: at.to_string(),
            words: at.words(),
            hint: format::relative(at, now),
        }
    }

    /// The instant without how far away it is, for dense tables.
    pub fn bare(at: Timestamp) -> Self {
        Self {
            iso: at.to_string(),
            words: at.words(),
            hint: String::new(),
        }
    }

    /// The date alone, `2026-03-12`.
    pub fn date(at: Timestamp) -> Self {
        Self {
            iso: at.to_string(),
            words: at.date(),
            hint: String::new(),
        }
    }
}

/// Words in which back-ticks stand around what is typed or named as it is: shown as code. What
/// stands in them is text, whatever it holds; a back-tick without another stays one.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"{% for piece in pieces %}{% match piece %}{% when Piece::Words(text) %}{{ text }}{% when Piece::Code(text) %}<code>{{ text }}</code>{% endmatch %}{% endfor %}"#
)]
pub struct Coded {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Words(String),
    Code(String),
}

impl Coded {
    /// Words such as: run `qualify serve`.
    pub fn new(words: impl AsRef<str>) -> Self {
        let mut pieces = Vec::new();
        let mut left = words.as_ref();
        while let Some((before, rest)) = left.split_once('`') {
            let Some((code, after)) = rest.split_once('`') else {
                break;
            };
            pieces.push(Piece::Words(before.to_owned()));
            pieces.push(Piece::Code(code.to_owned()));
            left = after;
        }
        pieces.push(Piece::Words(left.to_owned()));
        Self { pieces }
    }
}

/// How far something has come: a bar, and the same in words.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<div class="progress"><progress value="{{ done }}" max="{{ whole }}" aria-label="{{ label }}">{{ words }}</progress><span class="small num">{{ words }}</span></div>"#
)]
pub struct Progress {
    done: i64,
    whole: i64,
    label: String,
    words: String,
}

impl Progress {
    /// `done` of `whole`, which is above zero; `words` say the same.
    pub fn new(label: impl Into<String>, done: i64, whole: i64, words: impl Into<String>) -> Self {
        let whole = whole.max(1);
        Self {
            done: done.clamp(0, whole),
            whole,
            label: label.into(),
            words: words.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_an_icon_and_a_word() {
        let html = State::verdict(VerdictState::Review, false).to_string();
        assert!(
            html.contains("<svg")
                && html.contains(">In review</span>")
                && html.contains("tone-warn")
        );
        let html = State::new(Tone::Good, Icon::Check, "<b>").to_string();
        assert!(html.contains("&#60;b&#62;"), "{html}");
    }

    #[test]
    fn what_stands_in_back_ticks_is_code_and_nothing_is_markup() {
        let html = |words: &str| Coded::new(words).to_string();
        assert_eq!(
            html("Run `a` or `b`."),
            "Run <code>a</code> or <code>b</code>."
        );
        assert_eq!(html("`<b>` & `"), "<code>&#60;b&#62;</code> &#38; `");
        assert_eq!(html("plain"), "plain");
    }

    #[test]
    fn a_time_has_its_zone_and_its_distance() {
        let now = Timestamp::parse("2026-03-10T12:00:00Z").unwrap();
        insta::assert_snapshot!(When::new(now.plus_days(2), now), @r#"<time datetime="2026-03-12T12:00:00Z"><span class="nowrap">2026-03-12 12:00 UTC</span> <small class="nowrap">in 2 days</small></time>"#);
        assert!(!When::date(now).to_string().contains("UTC"));
    }

    #[test]
    fn progress_stays_inside_its_bar() {
        let html = Progress::new("Spend", 900, 500, "all").to_string();
        assert!(html.contains(r#"value="500" max="500""#), "{html}");
    }
}
