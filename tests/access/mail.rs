//! Mail: queued with what it is about, delivered by a worker with a link of its own, tried
//! again, given up where it can be seen; and what is told where there is no mail server.

use qualify::access::Filled;
use qualify::access::users::Invitation;
use qualify::config::SecretUrl;
use qualify::domain::access::{By, Role};
use qualify::domain::email::CanonicalEmail;
use qualify::notify::Mailer;
use qualify::notify::worker::{Post, deliver_due};
use qualify::store::Statement;
use qualify::store::audit::{AuditFilter, AuditRow, list_audit};

use crate::bench::{Bench, token};
use crate::smtp::{Mood, Server};

/// Delivers what is due now, beside the server's own worker, which has no mail server and is
/// not told.
async fn deliver(bench: &Bench, mailer: Option<&Mailer>) -> usize {
    let app = &bench.server.app;
    let post = Post {
        db: &app.db,
        connection: &app.connection,
        clock: app.clock.as_ref(),
        base_url: "https://q.example.com",
        mailer,
    };
    deliver_due(&post).await.unwrap()
}

fn mailer(server: &Server) -> Mailer {
    let from = CanonicalEmail::parse("qualify@example.com").unwrap();
    Mailer::new(&SecretUrl::new(&server.url()).unwrap(), &from).unwrap()
}

fn invitation(email: &str) -> Invitation {
    Invitation {
        email: email.to_owned(),
        name: "Bea".to_owned(),
        role: Role::Marketer,
        promoter: None,
    }
}

/// The text of a mail without its transfer encoding.
fn plain(text: &str) -> String {
    text.replace("=\n", "").replace("=3D", "=")
}

async fn outbox(bench: &Bench) -> Vec<(String, String, i64, Option<String>)> {
    let mut tx = bench.server.app.db.read().await.unwrap();
    Statement::new("SELECT topic, payload, attempts, failure FROM outbox WHERE topic LIKE 'mail.%' ORDER BY outbox_id")
        .fetch_all(&mut tx)
        .await
        .unwrap()
}

/// How many mails are not yet delivered, dropped or given up; one that is taken is among them.
async fn under_way(bench: &Bench) -> i64 {
    let mut tx = bench.server.app.db.read().await.unwrap();
    let (count,): (i64,) = Statement::new(
        "SELECT count(*) FROM outbox WHERE topic LIKE 'mail.%' AND due_at IS NOT NULL",
    )
    .fetch_one(&mut tx)
    .await
    .unwrap();
    count
}

async fn given_up(bench: &Bench) -> Vec<AuditRow> {
    let app = &bench.server.app;
    let filter = AuditFilter {
        action: Some("mail.failed".to_owned()),
        ..AuditFilter::default()
    };
    let mut tx = app.db.read().await.unwrap();
    list_audit(&mut tx, &app.connection, &filter, None, 100)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_arrives_and_its_link_lets_in() {
    let smtp = Server::start().await;
    let settings = [
        ("SMTP_URL", smtp.url()),
        ("BASE_URL", "https://q.example.com".to_owned()),
        ("MAIL_FROM", "hello@q.example.com".to_owned()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let bench = Bench::start_with(&settings).await;
    let access = bench.access();
    let owner = bench.person("ana@example.com", Role::Owner, None).await;
    let by = owner.signed.by(None);
    access
        .invite(&invitation("bea@example.com"), &by)
        .await
        .unwrap();
    // The server's own worker delivers it.
    while smtp.mails().is_empty() {
        tokio::task::yield_now().await;
    }
    let mail = smtp.mails().remove(0);
    assert!(mail.from.starts_with("<hello@q.example.com>"), "{mail:?}");
    assert_eq!(mail.to, ["<bea@example.com>"]);
    let text = plain(&mail.text);
    for part in [
        "From: qualify <hello@q.example.com>\n",
        "To: bea@example.com\n",
        "Subject: You are invited to q.example.com\n",
        "Auto-Submitted: auto-generated\n",
        "Hello Bea,",
        "ana invites you to q.example.com as a marketer.",
        "https://q.example.com/link?token=",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let link = text
        .lines()
        .find(|line| line.contains("/link?token="))
        .unwrap();
    let filled = Filled::default();
    let visitor = bench.visitor("10.1.1.1");
    let started = access
        .use_link(token(link), &filled, &visitor)
        .await
        .unwrap();
    assert_eq!(started.signed.email.as_str(), "bea@example.com");
    // No token ever lay in the database.
    let rows = outbox(&bench).await;
    assert!(
        rows.iter()
            .all(|row| !row.1.contains("token") && !row.1.contains("link"))
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_tried_again_and_given_up_in_sight() {
    let smtp = Server::start().await;
    let bench = Bench::start_with(&[("SMTP_URL", "smtp://127.0.0.1:9")]).await;
    let access = bench.access();
    let by = By::command_line();
    let mailer = mailer(&smtp);
    // Nothing is due yet for the server's own worker: it looks every few seconds only, and
    // whatever it takes from us is tried again like any other.
    smtp.is(Mood::Later);
    access
        .invite(&invitation("bea@example.com"), &by)
        .await
        .unwrap();
    let mut attempts = 0;
    for _ in 0..200 {
        bench.clock.advance(3600);
        attempts += deliver(&bench, Some(&mailer)).await;
        let row = outbox(&bench).await.remove(0);
        if row.2 >= 8 && !given_up(&bench).await.is_empty() {
            break;
        }
    }
    let row = outbox(&bench).await.remove(0);
    assert_eq!(row.2, 8, "eight attempts: {row:?}");
    let why = row.3.unwrap();
    assert!(
        why.contains("451") || why.contains("no connection"),
        "{why}"
    );
    assert!(!why.contains("greylisted") && !why.contains('@'), "{why}");
    assert!(attempts > 0 && smtp.mails().is_empty());
    let rows = given_up(&bench).await;
    assert_eq!(rows.len(), 1);
    assert!(rows[0].subject.starts_with("user:usr_") && !rows[0].detail.contains('@'));
    bench.clock.advance(3600);
    assert_eq!(deliver(&bench, Some(&mailer)).await, 0, "given up");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_the_deactivated_get_no_mail() {
    let smtp = Server::start().await;
    let settings = [("SMTP_URL", smtp.url())];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let bench = Bench::start_with(&settings).await;
    let access = bench.access();
    let by = By::command_line();
    bench.person("ana@example.com", Role::Owner, None).await;
    let gone = bench.person("gone@example.com", Role::Viewer, None).await;
    access.deactivate(&gone.signed.user, &by).await.unwrap();
    for email in [
        "nobody@example.com",
        "gone@example.com",
        "no address",
        "ana@example.com",
    ] {
        let visitor = bench.visitor("10.1.1.1");
        access.send_sign_in_link(email, &visitor).await.unwrap();
    }
    while under_way(&bench).await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*smtp.asked.lock().unwrap(), ["<ana@example.com>"]);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mail_server_refuses_for_good_is_not_tried_again() {
    let smtp = Server::start().await;
    smtp.is(Mood::Refuses);
    let settings = [("SMTP_URL", smtp.url())];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let bench = Bench::start_with(&settings).await;
    let by = By::command_line();
    let access = bench.access();
    access
        .invite(&invitation("bea@example.com"), &by)
        .await
        .unwrap();
    while given_up(&bench).await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(smtp.asked.lock().unwrap().len(), 1);
    let row = outbox(&bench).await.remove(0);
    assert_eq!(
        (row.2, row.3.as_deref()),
        (1, Some("the mail server refuses it: answer 550"))
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_only_owners_find_a_link_in_the_log() {
    let bench = Bench::start().await;
    let access = bench.access();
    bench.person("ana@example.com", Role::Owner, None).await;
    bench.person("vi@example.com", Role::Viewer, None).await;
    let visitor = bench.visitor("10.1.1.1");
    for email in ["ana@example.com", "vi@example.com"] {
        access.send_sign_in_link(email, &visitor).await.unwrap();
    }
    while under_way(&bench).await > 0 {
        tokio::task::yield_now().await;
    }
    let app = &bench.server.app;
    let mut tx = app.db.read().await.unwrap();
    // One link was made for the owner, and none for the viewer.
    let made: Vec<(String,)> = Statement::new(
        "SELECT user_id FROM one_time_links WHERE purpose = 'sign_in' AND used_at IS NULL",
    )
    .fetch_all(&mut tx)
    .await
    .unwrap();
    drop(tx);
    let ana = access.user_of("ana@example.com").await.unwrap().unwrap();
    assert_eq!(made, [(ana.id.as_str().to_owned(),)]);
    assert_eq!(given_up(&bench).await.len(), 1);
    bench.end().await;
}
