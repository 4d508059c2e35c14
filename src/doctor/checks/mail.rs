//! Mail: whether it can be sent, and whether it was.

use super::{Seen, plural_of};
use crate::doctor::finding::{Area, Check, Finding};
use crate::doctor::stored::MAILS_DAYS;

const SERVER: Check = Check::new(Area::Mail, "mail_server", "Mail can be sent");
const DELIVERED: Check = Check::new(Area::Mail, "mails_delivered", "Mail is delivered");

pub(super) fn mail_server(seen: &Seen) -> Finding {
    if seen.settings.has_mail_server {
        return SERVER.ok("SMTP_URL is set");
    }
    match seen.stored.people {
        0 => SERVER.ok("SMTP_URL is not set, and nobody has to be written to yet"),
        people => SERVER.warning(
            format!(
                "SMTP_URL is not set, and {} can only be written to by mail",
                if people == 1 {
                    "1 person".to_owned()
                } else {
                    format!("{people} people")
                }
            ),
            "Set SMTP_URL. Until then `qualify user link` prints a link to hand over.",
        ),
    }
}

pub(super) fn mails_delivered(seen: &Seen) -> Finding {
    let given_up = &seen.stored.given_up;
    let count: i64 = given_up.iter().map(|(_, count)| *count).sum();
    if count == 0 {
        return DELIVERED.ok(format!("none was given up in the last {MAILS_DAYS} days"));
    }
    DELIVERED
        .warning(
            format!("{} given up in the last {MAILS_DAYS} days", plural_of(count, "mail")),
            "Mend what the mail server says, then have the people ask for a new link, or send one from Users.",
        )
        .such_as(given_up.iter().map(|(why, count)| format!("{why}: {count}")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{healthy, nothing};
    use super::*;
    use crate::doctor::State::{Ok as Fine, Warning};

    #[test]
    fn a_mail_server_is_missed_once_there_is_somebody_to_write_to() {
        assert_eq!(mail_server(&healthy()).state, Fine);
        let mut seen = nothing();
        assert_eq!(mail_server(&seen).state, Fine);
        seen.stored.people = 1;
        let found = mail_server(&seen);
        assert!(
            found.state == Warning && found.seen.contains("1 person can"),
            "{found:?}"
        );
    }

    #[test]
    fn mails_that_were_given_up_say_why() {
        let mut seen = healthy();
        assert_eq!(mails_delivered(&seen).state, Fine);
        seen.stored.given_up = vec![("no such mailbox".to_owned(), 2)];
        let found = mails_delivered(&seen);
        assert_eq!(
            (found.state, found.examples),
            (Warning, vec!["no such mailbox: 2".to_owned()])
        );
    }
}
