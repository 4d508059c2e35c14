//! What stands around lists: pages of them, how they are sorted, tabs, and their absence.

use askama::Template;

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(ext = "html", source = r#"<a href="{{ href }}">{{ label }}</a>"#)]
pub struct Link {
    /// What it says.
    pub label: String,
    /// Where it leads.
    pub href: String,
}

impl Link {
    /// A link.
    pub fn new(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            href: href.into(),
        }
    }
}

/// Nothing to show, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<div class="empty"><h2>{{ title }}</h2><p>{{ text }}</p>{% if let Some(step) = step %}<a class="button" href="{{ step.href }}">{{ step.label }}</a>{% endif %}</div>"#
)]
pub struct Empty {
    /// What there is none of.
    pub title: String,
    /// Why, and how there comes to be some.
    pub text: String,
    /// The next step.
    pub step: Option<Link>,
}

impl Empty {
    /// Nothing, with a reason.
    pub fn new(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            text: text.into(),
            step: None,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn step(mut self, label: impl Into<String>, href: impl Into<String>) -> Self {
        self.step = Some(Link::new(label, href));
        self
    }
}

/// Under a list: the way back to its beginning and on to its next page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"{% if first.is_some() || next.is_some() %}<nav class="pager" aria-label="Pages">{% if let Some(href) = first %}<a class="button" href="{{ href }}">First page</a>{% endif %}{% if let Some(href) = next %}<a class="button" rel="next" href="{{ href }}">Next page</a>{% endif %}</nav>{% endif %}"#
)]
pub struct Pager {
    /// The list from its beginning, unless this is it.
    pub first: Option<String>,
    /// The rows after these.
    pub next: Option<String>,
}

/// The head of a column by which a list can be sorted.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<th scope="col"{% if let Some(down) = sorted %} aria-sort="{% if *down %}descending{% else %}ascending{% endif %}"{% endif %}{% if numeric %} class="n"{% endif %}><a href="{{ href }}">{{ label }}{% if let Some(down) = sorted %} <span aria-hidden="true">{% if *down %}↓{% else %}↑{% endif %}</span>{% endif %}</a></th>"#
)]
pub struct Sort {
    /// The column.
    pub label: String,
    /// The list sorted by it; sorted the other way if it is already.
    pub href: String,
    /// Sorted by it now: downwards or not.
    pub sorted: Option<bool>,
    /// A column of numbers.
    pub numeric: bool,
}

/// One tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab {
    /// What it says.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// Whether it is the open one.
    pub current: bool,
}

/// Tabs that are links: each has its own address.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<nav aria-label="{{ label }}"><ul class="tabs">{% for tab in tabs %}<li><a href="{{ tab.href }}"{% if tab.current %} aria-current="page"{% endif %}>{{ tab.label }}</a></li>{% endfor %}</ul></nav>"#
)]
pub struct Tabs {
    /// What they choose between.
    pub label: String,
    /// The tabs.
    pub tabs: Vec<Tab>,
}

impl Tabs {
    /// Tabs from (label, address), the open one by its address.
    pub fn new(label: &str, current: &str, tabs: &[(&str, &str)]) -> Self {
        let one = |(label, href): &(&str, &str)| Tab {
            label: (*label).to_owned(),
            href: (*href).to_owned(),
            current: *href == current,
        };
        Self {
            label: label.to_owned(),
            tabs: tabs.iter().map(one).collect(),
        }
    }
}
