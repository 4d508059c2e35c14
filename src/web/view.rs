//! What a page's handler is given: who is signed in, the frame around the page, the instant.
//! Whether they may see the page was decided before, by the table of routes.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::http::request::Parts;

use super::Web;
use super::layout::{self, Frame, Note, Page, Person, Said};
use crate::access::{Denied, Visitor};
use crate::domain::access::{By, Permission, Signed};
use crate::domain::campaign::Mode;
use crate::domain::ids::ConnectionId;
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::store::StoreError;
use crate::store::cases::{CaseState, count_cases};
use crate::store::connections::get_connection;

/// A page that somebody who is signed in looks at.
#[derive(Debug, Clone)]
pub struct View {
    /// Who.
    pub signed: Signed,
    /// They as the one who does something in this request.
    pub by: By,
    /// When.
    pub now: Timestamp,
    frame: Frame,
}

impl View {
    /// A page under an entry of the navigation.
    pub fn page(&self, title: impl Into<String>, here: &str) -> Page {
        self.frame.clone().page(title, here)
    }

    /// What they may see things of.
    pub const fn connection(&self) -> &ConnectionId {
        &self.signed.connection
    }

    /// Whether a button for this is shown.
    pub fn may(&self, permission: Permission) -> bool {
        self.signed.may(permission)
    }
}

impl FromRequestParts<Arc<Web>> for View {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Problem> {
        // Put there by the guard; a page outside of it shows nothing to anybody.
        let signed = parts.extensions.get::<Signed>().cloned();
        let signed = signed.ok_or(Denied::SignIn)?;
        let by = parts.extensions.get::<By>().cloned();
        let frame = frame_of(web, &signed, &parts.headers).await?;
        Ok(Self {
            by: by.ok_or(Denied::SignIn)?,
            signed,
            now: web.app.clock.now(),
            frame,
        })
    }
}

/// A page that is for everybody, such as signing in.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Who knocks.
    pub visitor: Visitor,
    /// Who is signed in, if somebody is.
    pub signed: Option<Signed>,
    /// When.
    pub now: Timestamp,
    frame: Frame,
}

impl Visit {
    /// A page outside of the navigation.
    pub fn page(&self, title: impl Into<String>) -> Page {
        self.frame.clone().page(title, "")
    }
}

impl FromRequestParts<Arc<Web>> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Problem> {
        Ok(Self {
            visitor: web.app.access.visitor(parts),
            signed: parts.extensions.get::<Signed>().cloned(),
            now: web.app.clock.now(),
            frame: outside(web, &parts.headers),
        })
    }
}

/// The frame as somebody sees it.
pub(super) async fn frame_of(
    web: &Web,
    signed: &Signed,
    headers: &HeaderMap,
) -> Result<Frame, StoreError> {
    let mut tx = web.app.db.read().await?;
    let connection = get_connection(&mut tx, &signed.connection).await?;
    let open = if signed.may(Permission::CasesRead) {
        count_cases(&mut tx, &signed.connection, CaseState::Open).await?
    } else {
        0
    };
    tx.rollback().await?;
    let frame = Frame {
        person: Some(Person {
            name: signed.name.clone(),
            email: signed.email.as_str().to_owned(),
            role: signed.role,
        }),
        nav: layout::with_open_cases(layout::nav(signed.role), open),
        ..outside(web, headers)
    };
    Ok(match connection {
        Some(connection) => Frame {
            connection: connection.name,
            test: connection.mode == Mode::Test,
            ..frame
        },
        None => frame,
    })
}

/// The frame as it is before anybody has signed in.
pub(super) fn outside(web: &Web, headers: &HeaderMap) -> Frame {
    Frame {
        test: web.app.config.stripe.mode == Mode::Test,
        demo: web.app.demo,
        note: note(headers),
        ..Frame::default()
    }
}

/// What the page before left to be said.
fn note(headers: &HeaderMap) -> Option<Note> {
    cookie(headers, layout::COOKIE).and_then(Said::read)
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}
