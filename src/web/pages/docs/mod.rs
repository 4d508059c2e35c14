//! `/api/docs`: the API's document as pages, without JavaScript and without anybody else's
//! server. Everything on them is read from the document.

mod fields;
mod operation;
mod words;

use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::extract::{Path, State};
use serde_json::Value;

use self::operation::Operation;
use crate::api::document::document;
use crate::http::Problem;
use crate::http::words::capital;
use crate::web::answer::{self, Answer};
use crate::web::layout::{NavGroup, NavLink, Page};
use crate::web::{Visit, Web};

const HOME: &str = "/api/docs";

/// A resource of the document.
#[derive(Debug, Clone, Copy)]
struct Resource {
    name: &'static str,
    title: &'static str,
    says: &'static str,
    href: &'static str,
}

/// Titles and addresses of resources, which live as long as the document.
static TITLES: LazyLock<Vec<(&'static str, String, &'static str, String)>> = LazyLock::new(|| {
    let tags = document().get("tags").and_then(Value::as_array);
    let tags = tags.into_iter().flatten();
    tags.filter_map(|tag| {
        let name = tag.get("name")?.as_str()?;
        let says = tag.get("description")?.as_str()?;
        Some((name, title(name), says, format!("{HOME}/{name}")))
    })
    .collect()
});

/// `near-misses` as `Near misses`.
fn title(name: &str) -> String {
    capital(&name.replace('-', " "))
}

fn resources() -> impl Iterator<Item = Resource> {
    TITLES.iter().map(|(name, title, says, href)| Resource {
        name,
        title,
        says,
        href,
    })
}

/// The first page: what holds everywhere, and every operation.
#[derive(Debug, Template)]
#[template(path = "pages/docs/index.html", config = ".askama.toml")]
pub(crate) struct IndexPage {
    pub page: Page,
    pub introduction: String,
    pub groups: Vec<Group>,
}

/// A resource with its operations, as the first page lists them.
#[derive(Debug)]
pub(crate) struct Group {
    pub title: &'static str,
    pub href: &'static str,
    pub operations: Vec<Operation>,
}

/// One resource.
#[derive(Debug, Template)]
#[template(path = "pages/docs/resource.html", config = ".askama.toml")]
pub(crate) struct ResourcePage {
    pub page: Page,
    pub says: String,
    pub operations: Vec<Operation>,
}

/// The page inside a frame whose navigation are the resources.
fn framed(page: Page, here: &str) -> Page {
    let home = NavLink {
        label: "Overview",
        href: HOME,
        current: false,
        waiting: 0,
    };
    let others = resources().map(|resource| NavLink {
        label: resource.title,
        href: resource.href,
        current: false,
        waiting: 0,
    });
    let mut links: Vec<NavLink> = std::iter::once(home).chain(others).collect();
    for link in &mut links {
        link.current = link.href == here;
    }
    let mut page = page;
    page.frame.nav = vec![NavGroup {
        title: "API",
        links,
    }];
    page
}

fn index(page: Page, base: &str) -> IndexPage {
    let says = document().pointer("/info/description");
    let groups = resources().map(|resource| Group {
        title: resource.title,
        href: resource.href,
        operations: operation::of(resource.name, base),
    });
    IndexPage {
        page: framed(page, HOME),
        introduction: words::blocks(says.and_then(Value::as_str).unwrap_or_default()),
        groups: groups.collect(),
    }
}

fn resource(page: Page, resource: Resource, base: &str) -> ResourcePage {
    ResourcePage {
        page: framed(page, resource.href).under("API", HOME),
        says: words::line(resource.says),
        operations: operation::of(resource.name, base),
    }
}

/// `GET /api/docs`
pub(crate) async fn show(State(web): State<Arc<Web>>, visit: Visit) -> Answer {
    answer::page(&index(visit.page("API"), web.app.access.base_url()))
}

/// `GET /api/docs/{resource}`
pub(crate) async fn show_resource(
    State(web): State<Arc<Web>>,
    visit: Visit,
    Path(name): Path<String>,
) -> Answer {
    let found = resources().find(|resource| resource.name == name);
    let found = found.ok_or_else(|| Problem::not_found("The API has no such resource."))?;
    let page = visit.page(found.title);
    answer::page(&resource(page, found, web.app.access.base_url()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::layout::Frame;
    use crate::web::samples::{check, hold};

    const BASE: &str = "https://qualify.example";

    fn page(title: &str) -> Page {
        Frame::default().page(title, "")
    }

    #[test]
    fn the_first_page() {
        hold("docs", &index(page("API"), BASE));
    }

    #[test]
    fn every_resource_has_a_page() {
        for one in resources() {
            let page = resource(page(one.title), one, BASE);
            assert!(!page.operations.is_empty(), "{}", one.name);
            check(one.name, &page.render().unwrap());
            let is_short = one.name == "connections";
            if is_short {
                hold("docs_connections", &page);
            }
        }
    }
}
