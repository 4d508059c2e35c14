//! Mails as text. Pure: who, what and until when are arguments.

use crate::access::links::LinkPurpose;
use crate::domain::access::Role;
use crate::domain::time::Timestamp;

/// What a mail tells.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// What the link in it opens.
    pub purpose: LinkPurpose,
    /// What the reader is called.
    pub name: &'a str,
    /// What the reader is, or will be.
    pub role: Role,
    /// Who invites them; nobody if they asked themselves.
    pub inviter: Option<&'a str>,
    /// The link.
    pub link: &'a str,
    /// When it ends.
    pub ends_at: Timestamp,
    /// What the server is reached at.
    pub base_url: &'a str,
}

/// A mail's subject and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// Renders a mail.
pub fn render(telling: &Telling<'_>) -> Mail {
    let site = site(telling.base_url);
    let (subject, first) = match telling.purpose {
        LinkPurpose::SignIn => (
            format!("Sign in to {site}"),
            "Here is your link to sign in. It works once.".to_owned(),
        ),
        LinkPurpose::Reset => (
            format!("A new password for {site}"),
            "Here is your link to choose a new password. It works once. All your sessions end \
             when you use it."
                .to_owned(),
        ),
        LinkPurpose::Invitation => (format!("You are invited to {site}"), invited(telling, site)),
        LinkPurpose::Setup => (
            format!("Set up {site}"),
            "Here is the link that makes the first owner. It works once.".to_owned(),
        ),
    };
    let last = match telling.purpose {
        LinkPurpose::Invitation => "If you did not expect this, leave it: nothing happens.",
        _ => "If you did not ask for this, leave it: nothing happens, and nobody has come in.",
    };
    let text = format!(
        "Hello {name},\n\n{first}\n\n{link}\n\nIt is good until {until}.\n\n{last}\n",
        name = plain(telling.name),
        link = telling.link,
        until = telling.ends_at.words(),
    );
    Mail { subject, text }
}

fn invited(telling: &Telling<'_>, site: &str) -> String {
    let what = match telling.role {
        Role::Promoter => format!("to see your referrals and rewards at {site}"),
        role => format!("to {site} as {} {}", article(role), role.name()),
    };
    match telling.inviter {
        Some(inviter) => format!("{} invites you {what}.", plain(inviter)),
        None => format!("You are invited {what}."),
    }
}

const fn article(role: Role) -> &'static str {
    match role {
        Role::Owner | Role::Admin => "an",
        Role::Marketer | Role::Viewer | Role::Promoter => "a",
    }
}

/// A name that somebody chose, without what a mail program would make a link of.
fn plain(name: &str) -> String {
    let shown = name
        .chars()
        .filter(|c| !c.is_control() && !"/:<>@".contains(*c));
    shown.take(NAME_CHARS_MAX).collect()
}

/// Names longer than this are cut in mails.
const NAME_CHARS_MAX: usize = 60;

fn site(base_url: &str) -> &str {
    base_url.split("://").nth(1).unwrap_or(base_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_read_like_this() {
        let mut all = Vec::new();
        for (purpose, role, inviter) in [
            (LinkPurpose::SignIn, Role::Marketer, None),
            (LinkPurpose::Reset, Role::Owner, None),
            (LinkPurpose::Invitation, Role::Admin, Some("Ana Lima")),
            (LinkPurpose::Invitation, Role::Promoter, None),
            // A name is no place for an advertisement.
            (
                LinkPurpose::Invitation,
                Role::Viewer,
                Some("Win at https://evil.example/now\r\nBcc: x@evil.example"),
            ),
        ] {
            let mail = render(&Telling {
                purpose,
                name: "Bea",
                role,
                inviter,
                link: "https://q.example.com/link?token=TOKEN",
                ends_at: Timestamp::parse("2026-03-10T12:49:56Z").unwrap(),
                base_url: "https://q.example.com",
            });
            all.push(format!("Subject: {}\n\n{}\n---", mail.subject, mail.text));
        }
        insta::assert_snapshot!(all.join("\n"));
    }
}
