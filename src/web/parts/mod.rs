//! What pages are put together from. A part is a small value that writes its own HTML: a page's
//! template says `{{ row.at }}` or `{{ form.email }}`, and gets the same markup everywhere.

mod chart;
mod diff;
mod form;
mod list;
mod value;

pub use chart::{Point, Trend};
pub use diff::{Diff, DiffLine};
pub use form::{Choice, Errors, Field};
pub use list::{Empty, Link, Pager, Sort, Tab, Tabs};
pub use value::{Coded, Icon, Progress, State, Tone, When};

/// Parts write HTML that is finished: a template that shows one does not escape it again.
macro_rules! finished {
    ($($part:ty),* $(,)?) => { $(impl askama::filters::HtmlSafe for $part {})* };
}

finished!(
    Coded, Diff, Empty, Errors, Field, Icon, Link, Pager, Progress, Sort, State, Tabs, Trend, When
);
