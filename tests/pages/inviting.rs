//! Inviting from the pages: by mail where a mail server is set, by hand where none is. The page
//! says which, before and after.

use std::time::Duration;

use qualify::domain::access::Role;

use crate::browser::{Browser, field};
use crate::smtp::{Received, Server};

const ANA: &str = "ana@promoters.example";

/// The first mail; it is sent beside the answer.
async fn mail(server: &Server) -> Received {
    // Bounded: a mail is sent at once, or never.
    for _ in 0..2_000 {
        if let Some(first) = server.mails().first() {
            return first.clone();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no mail came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoter_is_invited_by_mail_from_their_page() {
    let server = Server::start().await;
    let url = server.url();
    let browser = Browser::owner_with(&[("SMTP_URL", &url)]).await;
    let form = browser.page("/promoters/prom_ana/invite").await;
    assert!(form.contains("A mail with the link goes there."), "{form}");
    assert_eq!(field(&form, "email"), ANA);
    let place = browser
        .done("/promoters/prom_ana/invite", &[("email", ANA)])
        .await;
    let page = browser.page(&place).await;
    for says in ["A mail with the link is on its way", "Send the link again"] {
        assert!(page.contains(says), "{says}: {page}");
    }
    let promoter = browser.page("/promoters/prom_ana").await;
    let says = format!("{ANA} is invited and has not come in yet");
    assert!(promoter.contains(&says), "{promoter}");

    let sent = mail(&server).await;
    assert!(sent.to.iter().any(|to| to.contains(ANA)), "{sent:?}");
    let text = sent.text.replace("=\n", "").replace("=3D", "=");
    let token = text.split_once("/link?token=").unwrap().1;
    let token = token.split_whitespace().next().unwrap();
    let ana = browser.another();
    assert_eq!(ana.done("/link", &[("token", token)]).await, "/");
    assert_eq!(ana.get("/").await.headers["location"], "/portal");
    drop(ana);
    let promoter = browser.page("/promoters/prom_ana").await;
    assert!(promoter.contains(&format!("{ANA} comes in")), "{promoter}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_mail_an_owner_is_shown_the_link_and_others_are_told_whom_to_ask() {
    let browser = Browser::owner().await;
    let form = browser.page("/promoters/prom_ana/invite").await;
    assert!(
        form.contains("No mail is set up, so nothing is sent"),
        "{form}"
    );
    let place = browser
        .done("/promoters/prom_ana/invite", &[("email", ANA)])
        .await;
    let page = browser.page(&place).await;
    for says in [
        "nothing was sent: hand the link over yourself",
        "Show a link",
        "SMTP_URL",
    ] {
        assert!(page.contains(says), "{says}: {page}");
    }
    let shown = browser.post(&format!("{place}/link"), &[]).await;
    assert!(shown.body.contains("/link?token="), "{shown:?}");

    browser.become_a(Role::Marketer).await;
    let form = [("email", "ben@promoters.example")];
    let place = browser.done("/promoters/prom_ben/invite", &form).await;
    assert_eq!(place, "/promoters/prom_ben");
    let page = browser.page(&place).await;
    assert!(
        page.contains("nothing was sent: ask an owner for the link"),
        "{page}"
    );
    browser.end().await;
}
