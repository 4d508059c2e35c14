//! What surrounds every page: the product's and the connection's name, who is signed in, where
//! they may go, and the words after something was done.

mod nav;
mod note;

use askama::Template;

pub use nav::{NavGroup, NavLink, nav, with_open_cases};
pub use note::{COOKIE, Note, Said};

use crate::domain::access::Role;
use crate::web::parts::{Link, State};

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// What people call them.
    pub name: String,
    /// Their email.
    pub email: String,
    /// What they are here.
    pub role: Role,
}

/// The frame of every page of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The connection's name; empty where there is none yet.
    pub connection: String,
    /// Whether it is Stripe's test mode.
    pub test: bool,
    /// Whether everything is made up.
    pub demo: bool,
    /// Who is signed in.
    pub person: Option<Person>,
    /// Where they may go.
    pub nav: Vec<NavGroup>,
    /// What has just been done.
    pub note: Option<Note>,
}

impl Frame {
    /// A page of this title inside the frame; `here` is the entry of the navigation it is under.
    pub fn page(self, title: impl Into<String>, here: &str) -> Page {
        let mut frame = self;
        for link in frame.nav.iter_mut().flat_map(|group| &mut group.links) {
            link.current = link.href == here;
        }
        Page {
            title: title.into(),
            frame,
            ..Page::default()
        }
    }
}

/// One page as its template's base needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// What it is called: in the window's title and as the one `h1`.
    pub title: String,
    /// The pages above it.
    pub crumbs: Vec<Link>,
    /// Whether a form on it was refused.
    pub has_errors: bool,
    /// Where there is no JavaScript: seconds after which it is read again, and its address.
    pub refresh: Option<(u32, String)>,
    /// What surrounds it.
    pub frame: Frame,
}

impl Page {
    /// A page above it, from the top down.
    #[must_use]
    pub fn under(mut self, label: impl Into<String>, href: impl Into<String>) -> Self {
        self.crumbs.push(Link::new(label, href));
        self
    }

    /// A form on it was refused.
    #[must_use]
    pub fn with_errors(mut self, has_errors: bool) -> Self {
        self.has_errors = has_errors;
        self
    }

    /// Read again after so many seconds where there is no JavaScript. `place` is its own address
    /// without a fragment: browsers that are at one do not read their page again by themselves.
    #[must_use]
    pub fn refreshed(mut self, seconds: u32, place: String) -> Self {
        self.refresh = Some((seconds, place));
        self
    }
}

/// A page for what went wrong, in the words that the API uses too.
#[derive(Debug, Template)]
#[template(path = "layout/problem.html", config = ".askama.toml")]
pub struct ProblemPage {
    /// Its frame and title.
    pub page: Page,
    /// HTTP's number for it.
    pub status: u16,
    /// What was wrong and what to do.
    pub detail: String,
    /// What to quote when asking for help.
    pub request_id: String,
    /// The next step; none without a label.
    pub step: Link,
}

/// A page that asks once more before something is done.
#[derive(Debug, Template)]
#[template(path = "layout/confirm.html", config = ".askama.toml")]
pub struct ConfirmPage {
    /// Its frame; the title is the question.
    pub page: Page,
    /// What will happen, one sentence each.
    pub says: Vec<String>,
    /// The state of what it is about.
    pub state: Option<State>,
    /// Where the form goes.
    pub action: String,
    /// What the form carries along: (name, value).
    pub hidden: Vec<(String, String)>,
    /// What the button says.
    pub button: String,
    /// Whether it cannot be taken back.
    pub danger: bool,
    /// Where "Cancel" leads.
    pub cancel: String,
}
