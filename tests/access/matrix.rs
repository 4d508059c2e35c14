//! Every route of the table, asked by nobody, by everybody, and for one's own, another's and a
//! missing object. What each is answered is kept beside this, to be read by a person; a route
//! that is not in there fails the test.

use std::fmt::Write as _;

use qualify::access::routes::{ALL, Area, Route};
use qualify::domain::access::{Permission, Role};

use crate::bench::{Bench, cookie};

/// Who asks, and with what.
struct Asker {
    name: String,
    header: Option<(&'static str, String)>,
}

/// The object in a route's path: one's own, and another's. A route with a parameter that is not
/// known here fails the test.
struct Objects {
    rows: Vec<(&'static str, String, String)>,
}

impl Objects {
    async fn of(bench: &Bench, key: &str) -> Self {
        let auth = [("authorization", key)];
        let first = async |path: &str| {
            let answer = bench.ask("GET", path, &auth).await;
            let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            body["data"][0]["id"].as_str().unwrap_or("none").to_owned()
        };
        let both = |id: &str| (id.to_owned(), id.to_owned());
        let mut rows = Vec::new();
        let mut row = |prefix, (own, other)| rows.push((prefix, own, other));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        row("/api/v1/promoters/", pair("prom_ana", "prom_ben"));
        row("/api/v1/referrals/", pair("ref_1", "ref_2"));
        row("/api/v1/campaigns/", both("spring"));
        row("/webhooks/stripe/", pair("live", "test"));
        row("/promoters/", pair("prom_ana", "prom_ben"));
        row("/r/", pair("ana", "ben-x"));
        row("/referrals/", pair("ref_1", "ref_2"));
        row("/campaigns/", both("spring"));
        // None is there: whoever may answer one finds nothing.
        row("/api/v1/near-misses/", both("near_none"));
        row("/admin/near-misses/", both("near_none"));
        row("/api/v1/backtests/", both("of_nobody"));
        row("/api/v1/customers/", pair("cus_1", "cus_2x"));
        row("/api/v1/payments/", pair("ch_cus_1", "ch_cus_2x"));
        row("/api/v1/connections/", pair("live", "test"));
        row("/api/docs/", both("campaigns"));
        // None runs, so that nobody finds one.
        row("/backtests/", both("of_nobody"));
        let sheet = qualify::web::assets::css();
        row("/assets/", both(sheet.trim_start_matches("/assets/")));
        for (prefix, list) in [
            ("/api/v1/cases/", "/api/v1/cases"),
            ("/api/v1/qualifications/", "/api/v1/qualifications"),
            ("/api/v1/batches/", "/api/v1/batches"),
            ("/api/v1/events/", "/api/v1/events"),
            ("/admin/batches/", "/api/v1/batches"),
        ] {
            let id = first(list).await;
            assert_ne!(id, "none", "{list} shows nothing to ask for");
            row(prefix, both(&id));
            match prefix {
                "/api/v1/cases/" => row("/admin/cases/", both(&id)),
                "/api/v1/events/" => row("/admin/events/", both(&id)),
                _ => {}
            }
        }
        // Somebody of their own, because asking deactivates them: whoever asks goes on asking.
        bench.person("away@example.com", Role::Viewer, None).await;
        let away = bench.access().user_of("away@example.com").await;
        let away = away.unwrap().unwrap().id.to_string();
        row("/api/v1/users/", both(&away));
        row("/admin/users/", both(&away));
        // Two, because asking by the API deletes the one. Nobody listens there.
        for prefix in ["/api/v1/webhook_endpoints/", "/admin/webhooks/"] {
            let new = serde_json::json!({ "url": "http://127.0.0.1:9/", "topics": ["*"] });
            let made = bench
                .json("POST", "/api/v1/webhook_endpoints", &auth, new)
                .await;
            assert_eq!(made.status, 201, "{made:?}");
            let made: serde_json::Value = serde_json::from_str(&made.body).unwrap();
            let id = made["id"].as_str().unwrap().to_owned();
            rows.push((prefix, id.clone(), id));
        }
        // A key of its own, because asking takes it back.
        bench.key("live", &["audit:read", "cases:read"], 202).await;
        let list = bench.ask("GET", "/api/v1/keys?limit=100", &auth).await;
        let list: serde_json::Value = serde_json::from_str(&list.body).unwrap();
        let keys = list["data"].as_array().unwrap();
        let two = |key: &&serde_json::Value| key["scopes"].as_array().unwrap().len() == 2;
        let key = keys.iter().find(two).unwrap()["id"].as_str().unwrap();
        rows.push(("/api/v1/keys/", key.to_owned(), key.to_owned()));
        // Asking by the API takes it back; the page answers as well for what was taken back.
        rows.push(("/admin/keys/", key.to_owned(), key.to_owned()));
        Self { rows }
    }

    /// The paths to ask for: own, another's, missing.
    fn paths(&self, route: &Route) -> Vec<(&'static str, String)> {
        let path = route.path();
        let Some(start) = path.find('{') else {
            return vec![("", path.to_owned())];
        };
        let end = start + path[start..].find('}').unwrap() + 1;
        let known = self
            .rows
            .iter()
            .find(|(prefix, _, _)| *prefix == &path[..start]);
        let (_, own, other) =
            known.unwrap_or_else(|| panic!("teach the matrix what stands in {path}"));
        let with = |id: &str| format!("{}{id}{}", &path[..start], &path[end..]);
        let mut paths = vec![("own", with(own))];
        if own != other {
            paths.push(("other", with(other)));
        }
        paths.push(("missing", with("nothing")));
        paths
    }
}

async fn status(bench: &Bench, route: &Route, path: &str, asker: &Asker) -> u16 {
    let mut headers = vec![("sec-fetch-site", "same-origin")];
    if let Some((name, value)) = &asker.header {
        headers.push((name, value));
    }
    bench.ask(route.verb().name(), path, &headers).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_everybody_as_agreed() {
    let bench = Bench::start_with(&[
        ("APP_SECRET_KEY", "0123456789abcdef0123456789abcdef"),
        ("WEBHOOKS_ALLOW_PRIVATE", "true"),
    ])
    .await;
    let all = bench.furnish("x").await;
    let nobody = Asker {
        name: "nobody".to_owned(),
        header: None,
    };
    // The first of all viewers, for others to change and deactivate: nobody who asks.
    bench
        .person("subject@example.com", Role::Viewer, None)
        .await;
    let mut people = Vec::new();
    for role in Role::ALL {
        let promoter = (role == Role::Promoter).then_some("prom_ana");
        let email = format!("{}@example.com", role.name());
        let started = bench.person(&email, role, promoter).await;
        people.push(Asker {
            name: role.name().to_owned(),
            header: Some(("cookie", cookie(&started))),
        });
    }
    let mut keys = Vec::new();
    let scopes = Permission::ALL.iter().filter(|scope| scope.is_for_keys());
    for (number, scope) in (1_u8..).zip(scopes) {
        let key = bench.key("live", &[scope.name()], number).await;
        keys.push(Asker {
            name: scope.name().to_owned(),
            header: Some(("authorization", key)),
        });
    }
    let everything = Asker {
        name: "*".to_owned(),
        header: Some(("authorization", all.clone())),
    };
    let foreign = Asker {
        name: "* of another connection".to_owned(),
        header: Some(("authorization", bench.key("test", &["*"], 201).await)),
    };
    let objects = Objects::of(&bench, &all).await;

    let mut table = String::new();
    for route in ALL {
        writeln!(table, "{} {}", route.verb().name(), route.path()).unwrap();
        let paths = objects.paths(route);
        let own = paths[0].1.clone();
        let mut line = format!("    nobody {}", status(&bench, route, &own, &nobody).await);
        for person in &people {
            let mut seen = Vec::new();
            for (_, path) in &paths {
                seen.push(status(&bench, route, path, person).await.to_string());
            }
            // One number if it is the same whatever is asked for.
            seen.dedup();
            write!(line, ", {} {}", person.name, seen.join("/")).unwrap();
        }
        writeln!(table, "{line}").unwrap();
        if route.area() == Area::Api {
            let mut lines = Vec::new();
            for key in &keys {
                let seen = status(&bench, route, &own, key).await;
                if seen != 403 {
                    lines.push(format!("{} {seen}", key.name));
                }
            }
            if lines.is_empty() {
                lines.push("none alone".to_owned());
            }
            writeln!(table, "    keys {}, the others 403", lines.join(", ")).unwrap();
            let mut lines = Vec::new();
            // A replay that still waits is refused a second time.
            bench.catch_up().await;
            for (what, path) in &paths {
                let seen = status(&bench, route, path, &everything).await;
                lines.push(format!("{what} {seen}").trim().to_owned());
            }
            let seen = status(&bench, route, &own, &foreign).await;
            lines.push(format!("another connection's {seen}"));
            writeln!(table, "    key * {}", lines.join(", ")).unwrap();
        }
    }
    insta::assert_snapshot!("matrix", table);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_table_has_a_handler() {
    let bench = Bench::start().await;
    let key = bench.key("live", &["*"], 200).await;
    for route in ALL {
        // A parameter that fits nothing: only a path without a handler is answered like this.
        let path = route
            .path()
            .replace("{id}", "x")
            .replace("{code}", "x")
            .replace("{connection}", "x");
        let auth = [
            ("authorization", key.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        let answer = bench.ask(route.verb().name(), &path, &auth).await;
        assert_ne!(answer.status, 405, "{route:?}");
        assert!(
            !answer.body.contains("nothing at this address"),
            "{route:?}"
        );
    }
    bench.end().await;
}
