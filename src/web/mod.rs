//! Pages: HTML from the server, that work without JavaScript. One file a page; what a command
//! does is known to the rooms below, who may see a page to the table of routes.
//!
//! [`layout`] is what surrounds a page, [`parts`] what it is put together from, [`mod@format`] how
//! values are written, [`csv`] how they are exported, [`assets`] the files a browser needs.
//! [`View`] is what a handler is given, [`answer`] how it answers, [`problems`] how what went
//! wrong becomes a page.

pub mod answer;
pub mod assets;
pub mod csv;
mod forbidden;
pub mod format;
pub mod input;
pub mod layout;
pub mod pages;
pub mod parts;
pub mod permissions;
pub mod problems;
mod routes;
pub mod url;
mod view;

#[cfg(test)]
mod samples;

use std::sync::Arc;
use std::time::Duration;

pub use routes::{around, routes, web};
pub use view::{View, Visit};

use crate::backtests::Backtests;
use crate::shared::App;

/// What the pages work with.
#[derive(Debug)]
pub struct Web {
    /// What the rooms share.
    pub app: Arc<App>,
    /// Time to send a form.
    pub body_read: Duration,
    /// What is being tried on the past.
    pub backtests: Arc<Backtests>,
}
