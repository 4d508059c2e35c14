//! What a browser does: asks for HTML, keeps cookies, sends forms, follows nothing by itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use qualify::access::users::Invitation;
use qualify::domain::access::{By, Role};

use crate::bench::Bench;
use crate::client::{Answer, Request, send};

pub const EMAIL: &str = "mara@example.com";
pub const PASSWORD: &str = "four words that nobody guesses";

pub struct Browser {
    pub bench: Arc<Bench>,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    /// On a server that nobody has set up yet.
    pub async fn outside() -> Self {
        Self {
            bench: Arc::new(Bench::furnished().await),
            cookies: Mutex::default(),
        }
    }

    /// Somebody else's, on the same server; it has to go before the first one ends.
    pub fn another(&self) -> Self {
        Self {
            bench: Arc::clone(&self.bench),
            cookies: Mutex::default(),
        }
    }

    /// Signed in as the first owner, through the setup link.
    pub async fn owner() -> Self {
        Self::owner_with(&[]).await
    }

    /// The same on a server with further settings.
    pub async fn owner_with(settings: &[(&str, &str)]) -> Self {
        let browser = Self {
            bench: Arc::new(Bench::furnished_with(settings).await),
            cookies: Mutex::default(),
        };
        let link = browser.setup_link().await;
        let token = link.split_once("token=").unwrap().1.to_owned();
        let filled = [
            ("token", token.as_str()),
            ("email", EMAIL),
            ("name", "Mara"),
            ("password", PASSWORD),
        ];
        let answer = browser.post("/link", &filled).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        browser
    }

    /// Signs in again, as after a long while.
    pub async fn sign_in(&self) {
        let form = [("email", EMAIL), ("password", PASSWORD)];
        let answer = self.post("/sign-in", &form).await;
        assert_eq!(answer.status, 303, "{answer:?}");
    }

    /// From now on somebody else, of that role.
    pub async fn become_a(&self, role: Role) {
        let invitation = Invitation {
            email: format!("{}@example.com", role.name()),
            name: String::new(),
            role,
            promoter: None,
        };
        let access = &self.bench.server.app.access;
        let (_, link) = access.add(&invitation, &By::command_line()).await.unwrap();
        self.forget_cookies();
        let token = link.split_once("token=").unwrap().1.to_owned();
        let filled = [
            ("token", token.as_str()),
            ("name", role.name()),
            ("password", PASSWORD),
        ];
        let answer = self.post("/link", &filled).await;
        assert_eq!(answer.status, 303, "{answer:?}");
    }

    pub async fn setup_link(&self) -> String {
        let access = &self.bench.server.app.access;
        access
            .setup_link()
            .await
            .unwrap()
            .expect("nobody is there yet")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Vec::new()).await
    }

    /// A page that has to be there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// A page that has to be there and say this.
    pub async fn says(&self, path: &str, says: &str) -> Answer {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let body = &answer.body;
        assert!(body.contains(says), "{path} does not say {says}: {body}");
        answer
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut body = String::new();
        for (name, value) in form {
            write!(body, "{}={}&", encode(name), encode(value)).unwrap();
        }
        self.ask("POST", path, body.into_bytes()).await
    }

    /// Where a form has led, which has to be a page of ours.
    pub async fn done(&self, path: &str, form: &[(&str, &str)]) -> String {
        let answer = self.post(path, form).await;
        assert_eq!(answer.status, 303, "{path}: {answer:?}");
        answer.headers["location"].clone()
    }

    async fn ask(&self, method: &str, path: &str, body: Vec<u8>) -> Answer {
        let cookies: Vec<String> = {
            let cookies = self.cookies.lock().unwrap();
            cookies.iter().map(|(n, v)| format!("{n}={v}")).collect()
        };
        let headers = [
            ("accept", "text/html"),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("cookie", &cookies.join("; ")),
        ];
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
            body,
            ..Request::default()
        };
        let answer = send(self.bench.server.local_addr, &request).await;
        for cookie in answer
            .headers
            .get("set-cookie")
            .iter()
            .flat_map(|all| all.lines())
        {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    pub fn forget_cookies(&self) {
        self.cookies.lock().unwrap().clear();
    }

    pub async fn end(self) {
        let bench = Arc::into_inner(self.bench).expect("the others have gone");
        bench.end().await;
    }
}

fn encode(text: &str) -> String {
    qualify::web::url::encode(text)
}

/// What stands in a field of a page, as it was written by the server.
pub fn field(page: &str, name: &str) -> String {
    let at = page
        .find(&format!("name=\"{name}\""))
        .unwrap_or_else(|| panic!("no field {name}"));
    let rest = &page[at..];
    let tag = &rest[..rest.find('>').unwrap()];
    let value = tag.split_once("value=\"").map_or("", |(_, rest)| rest);
    let value = &value[..value.find('"').unwrap_or(0)];
    unescaped(value)
}

/// What stands in a text area.
pub fn area(page: &str, name: &str) -> String {
    let at = page.find(&format!("name=\"{name}\"")).unwrap();
    let rest = &page[at..];
    let from = rest.find('>').unwrap() + 1;
    let to = rest.find("</textarea>").unwrap();
    let text = &rest[from..to];
    // Browsers drop one line break behind the tag.
    unescaped(text.strip_prefix('\n').unwrap_or(text))
}

fn unescaped(text: &str) -> String {
    text.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
}
