//! People, sessions, links, limits, mail in the outbox, and the audit log.

use qualify::domain::access::Role;
use qualify::domain::email::CanonicalEmail;
use qualify::domain::ids::{ConnectionId, OutboxId, SessionId, UserId};
use qualify::domain::time::Timestamp;
use qualify::store::audit::{
    AuditFilter, BEGINNING, NewAuditRow, append_audit, audit_head, audit_page, list_audit,
};
use qualify::store::limits::{Rate, forget_whole, refill, take_piece};
use qualify::store::links::{
    Link, LinkPurpose, forget_ended_links, insert_link, link_by_hash, use_link, use_setup_links,
    void_links_of,
};
use qualify::store::outbox::{
    OutboxMessage, deliver, fail, forget_messages, insert_messages, queue_messages, take_due,
};
use qualify::store::promoters::upsert_promoters;
use qualify::store::sessions::{
    Session, end_session, end_session_by_hash, end_sessions_of, forget_ended_sessions,
    insert_session, session_by_hash, sessions_of_user, touch_session,
};
use qualify::store::users::{
    User, UserState, change_user, get_user, has_owner, hold_owners, insert_user, list_users,
    note_sign_in, password_hash, set_password_hash, user_by_email, users_of_promoter,
};
use qualify::store::{Db, Statement, StoreError, Tx, retry};

contract!(
    a_user_is_found_and_changed_from_what_they_were,
    two_owners_never_leave_none,
    a_session_ends_idle_in_any_case_and_with_its_user,
    a_link_is_used_once_by_one,
    a_limit_gives_back_with_time,
    the_audit_log_is_one_chain_whoever_appends,
    the_audit_log_is_only_added_to,
    a_mail_is_taken_by_one_and_tried_again,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

pub fn user(id: &str, role: Role) -> User {
    User {
        id: id.into(),
        email: CanonicalEmail::parse(&format!("{id}@x.io")).unwrap(),
        name: format!("User {id}"),
        role,
        promoter: (role == Role::Promoter).then(|| "prom_a".into()),
        state: UserState::Active,
        created_at: at(1),
        changed_at: at(1),
        signed_in_at: None,
        has_password: false,
    }
}

async fn add(tx: &mut Tx, users: &[User]) {
    for user in users {
        insert_user(tx, &conn(), user).await.unwrap();
    }
}

async fn a_user_is_found_and_changed_from_what_they_were(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let promoters = [crate::people::promoter("prom_a", &[])];
    upsert_promoters(&mut tx, &conn(), &promoters, at(1))
        .await
        .unwrap();
    let (a, b, p) = (
        user("a", Role::Admin),
        user("b", Role::Viewer),
        user("p", Role::Promoter),
    );
    add(&mut tx, &[a.clone(), b.clone(), p.clone()]).await;
    let found = user_by_email(&mut tx, &conn(), &a.email).await.unwrap();
    assert_eq!(found, Some(a.clone()));
    let elsewhere = user_by_email(&mut tx, &"other".into(), &a.email).await;
    assert_eq!(elsewhere.unwrap(), None);
    assert_eq!(
        get_user(&mut tx, &"other".into(), &a.id).await.unwrap(),
        None
    );
    let all = list_users(&mut tx, &conn(), None, Some(&a.id), 10)
        .await
        .unwrap();
    assert_eq!(all, [b.clone(), p.clone()]);
    let viewers = list_users(&mut tx, &conn(), Some(Role::Viewer), None, 10).await;
    assert_eq!(viewers.unwrap(), [b.clone()]);
    let of = users_of_promoter(&mut tx, &conn(), &"prom_a".into()).await;
    assert_eq!(of.unwrap(), [p]);

    assert_eq!(password_hash(&mut tx, &conn(), &a.id).await.unwrap(), None);
    set_password_hash(&mut tx, &conn(), &a.id, "$x", at(2))
        .await
        .unwrap();
    let hash = password_hash(&mut tx, &conn(), &a.id).await.unwrap();
    assert_eq!(hash.as_deref(), Some("$x"));
    note_sign_in(&mut tx, &conn(), &a.id, at(3)).await.unwrap();
    let after = User {
        role: Role::Marketer,
        state: UserState::Deactivated,
        changed_at: at(4),
        ..a.clone()
    };
    change_user(&mut tx, &conn(), &a, &after).await.unwrap();
    let read = get_user(&mut tx, &conn(), &a.id).await.unwrap().unwrap();
    let expected = User {
        signed_in_at: Some(at(3)),
        has_password: true,
        ..after.clone()
    };
    assert_eq!(read, expected);
    let stale = change_user(&mut tx, &conn(), &a, &after).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
    tx.commit().await.unwrap();

    let mut tx = db.begin().await.unwrap();
    let twice = User {
        id: "c".into(),
        ..b.clone()
    };
    let taken = insert_user(&mut tx, &conn(), &twice).await;
    assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
    tx.rollback().await.unwrap();
    // A promoter's user always names the promoter, and nobody else does.
    for (role, promoter) in [
        (Role::Promoter, None),
        (Role::Viewer, Some("prom_a".into())),
    ] {
        let mut tx = db.begin().await.unwrap();
        let wrong = User {
            promoter,
            ..user("w", role)
        };
        let refused = insert_user(&mut tx, &conn(), &wrong).await;
        assert!(
            matches!(refused, Err(StoreError::Refused(_))),
            "{refused:?}"
        );
    }
}

async fn two_owners_never_leave_none(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    assert!(!has_owner(&mut tx, &conn()).await.unwrap());
    let owners = [user("a", Role::Owner), user("b", Role::Owner)];
    add(&mut tx, &owners).await;
    let invited = User {
        state: UserState::Invited,
        ..user("c", Role::Owner)
    };
    add(&mut tx, &[invited]).await;
    assert!(has_owner(&mut tx, &conn()).await.unwrap());
    tx.commit().await.unwrap();
    let demote = |who: &User| {
        let before = who.clone();
        let after = User {
            role: Role::Viewer,
            ..before.clone()
        };
        async move {
            retry(|| async {
                let mut tx = db.begin().await?;
                if hold_owners(&mut tx, &conn()).await? <= 1 {
                    return Ok(false);
                }
                change_user(&mut tx, &conn(), &before, &after).await?;
                tx.commit().await?;
                Ok::<_, StoreError>(true)
            })
            .await
            .unwrap()
        }
    };
    let (a, b) = tokio::join!(demote(&owners[0]), demote(&owners[1]));
    assert!(a ^ b, "exactly one of them may go: {a} {b}");
    // Who was first is chance, and engines are compared by their rows: they are an owner again.
    let owner = owners[usize::from(b)].clone();
    let demoted = User {
        role: Role::Viewer,
        ..owner.clone()
    };
    let mut tx = db.begin().await.unwrap();
    assert_eq!(hold_owners(&mut tx, &conn()).await.unwrap(), 1);
    change_user(&mut tx, &conn(), &demoted, &owner)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn session(id: &str, user: &str) -> Session {
    Session {
        session_id: id.into(),
        user_id: user.into(),
        created_at: 10,
        seen_at: 10,
        idle_ends_at: 100,
        ends_at: 1000,
    }
}

async fn a_session_ends_idle_in_any_case_and_with_its_user(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let a = user("a", Role::Admin);
    add(&mut tx, &[a.clone(), user("b", Role::Viewer)]).await;
    for (n, id, of) in [(1_u8, "s1", "a"), (2, "s2", "a"), (3, "s3", "b")] {
        let session = session(id, of);
        insert_session(&mut tx, &conn(), &[n; 32], &session)
            .await
            .unwrap();
    }
    let who = async |tx: &mut Tx, n: u8, seconds: i64| {
        let found = session_by_hash(tx, &[n; 32], at(seconds)).await.unwrap();
        found.map(|found| (found.signed.user.to_string(), found.signed.role))
    };
    assert_eq!(who(&mut tx, 1, 50).await, Some(("a".into(), Role::Admin)));
    assert_eq!(who(&mut tx, 9, 50).await, None);
    assert_eq!(who(&mut tx, 1, 100).await, None, "idle");
    let s1 = SessionId::from("s1");
    touch_session(&mut tx, &conn(), &s1, at(60), at(5000))
        .await
        .unwrap();
    // A node that is behind takes nothing back.
    touch_session(&mut tx, &conn(), &s1, at(50), at(60))
        .await
        .unwrap();
    assert!(who(&mut tx, 1, 999).await.is_some());
    assert_eq!(who(&mut tx, 1, 1000).await, None, "in any case");
    let of_a = sessions_of_user(&mut tx, &conn(), &a.id).await.unwrap();
    assert_eq!(of_a.len(), 2);
    assert_eq!((of_a[0].seen_at, of_a[1].seen_at), (60, 10));

    let gone = User {
        state: UserState::Deactivated,
        ..a.clone()
    };
    change_user(&mut tx, &conn(), &a, &gone).await.unwrap();
    assert_eq!(who(&mut tx, 1, 61).await, None, "deactivated");
    assert!(!end_session(&mut tx, &"other".into(), &s1).await.unwrap());
    assert!(end_session(&mut tx, &conn(), &s1).await.unwrap());
    assert!(!end_session(&mut tx, &conn(), &s1).await.unwrap());
    assert_eq!(end_sessions_of(&mut tx, &conn(), &a.id).await.unwrap(), 1);
    end_session_by_hash(&mut tx, &[3; 32]).await.unwrap();
    assert_eq!(who(&mut tx, 3, 50).await, None);
    let last = session("s4", "b");
    insert_session(&mut tx, &conn(), &[4; 32], &last)
        .await
        .unwrap();
    assert_eq!(
        forget_ended_sessions(&mut tx, &conn(), at(99))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        forget_ended_sessions(&mut tx, &conn(), at(100))
            .await
            .unwrap(),
        1
    );
}

async fn a_link_is_used_once_by_one(db: &Db) {
    let link = |purpose, user: Option<&str>| Link {
        connection: conn(),
        purpose,
        user: user.map(UserId::from),
        ends_at: 100,
    };
    let mut tx = db.begin().await.unwrap();
    add(&mut tx, &[user("a", Role::Admin)]).await;
    for n in [1_u8, 2, 3] {
        let link = link(LinkPurpose::SignIn, Some("a"));
        insert_link(&mut tx, &[n; 32], &link, at(1)).await.unwrap();
    }
    for n in [7_u8, 8] {
        let link = link(LinkPurpose::Setup, None);
        insert_link(&mut tx, &[n; 32], &link, at(1)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let use_up = |n: u8, seconds| async move {
        let mut tx = db.begin().await.unwrap();
        let link = use_link(&mut tx, &[n; 32], at(seconds)).await.unwrap();
        tx.commit().await.unwrap();
        link
    };
    assert_eq!(use_up(1, 100).await, None, "too late");
    let (first, second) = tokio::join!(use_up(1, 50), use_up(1, 50));
    assert!(first.is_some() ^ second.is_some(), "{first:?} {second:?}");
    let mut tx = db.begin().await.unwrap();
    let seen = async |tx: &mut Tx, n: u8| link_by_hash(tx, &[n; 32], at(50)).await.unwrap();
    assert_eq!(seen(&mut tx, 1).await, None);
    assert_eq!(
        seen(&mut tx, 2).await,
        Some(link(LinkPurpose::SignIn, Some("a")))
    );
    let voided = void_links_of(&mut tx, &conn(), &"a".into(), at(50)).await;
    assert_eq!(voided.unwrap(), 2);
    assert_eq!(seen(&mut tx, 2).await, None);
    tx.commit().await.unwrap();
    let set_up = |n: u8| async move {
        let mut tx = db.begin().await.unwrap();
        let good = use_setup_links(&mut tx, &conn(), &[n; 32], at(50))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        good
    };
    let (first, second) = tokio::join!(set_up(7), set_up(8));
    assert!(first ^ second, "of several links one makes the owner");
    let mut tx = db.begin().await.unwrap();
    assert_eq!(
        forget_ended_links(&mut tx, &conn(), at(99)).await.unwrap(),
        0
    );
    assert_eq!(
        forget_ended_links(&mut tx, &conn(), at(100)).await.unwrap(),
        5
    );
}

async fn a_limit_gives_back_with_time(db: &Db) {
    let rate = Rate {
        every_us: 60,
        burst: 3,
    };
    let take = |now_us: i64| async move {
        let mut tx = db.begin().await.unwrap();
        let taken = take_piece(&mut tx, &conn(), "a", rate, now_us)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        taken
    };
    for _ in 0..3 {
        assert_eq!(take(1000).await, Ok(()));
    }
    assert_eq!(take(1000).await, Err(60));
    assert_eq!(take(1059).await, Err(1));
    assert_eq!(take(1060).await, Ok(()));
    assert_eq!(take(1060).await, Err(60));
    // A whole bucket holds its burst, however long nobody took anything.
    for _ in 0..3 {
        assert_eq!(take(1_000_000).await, Ok(()));
    }
    assert!(take(1_000_000).await.is_err());
    let mut tx = db.begin().await.unwrap();
    let other = take_piece(&mut tx, &"other".into(), "a", rate, 1_000_000).await;
    assert_eq!(other.unwrap(), Ok(()));
    refill(&mut tx, &conn(), "a").await.unwrap();
    let again = take_piece(&mut tx, &conn(), "a", rate, 1_000_000).await;
    assert_eq!(again.unwrap(), Ok(()));
    assert_eq!(forget_whole(&mut tx, &conn(), 1_000_059).await.unwrap(), 0);
    assert_eq!(forget_whole(&mut tx, &conn(), 1_000_060).await.unwrap(), 1);
}

fn row(actor: &str, action: &str, n: i64) -> NewAuditRow {
    NewAuditRow {
        at_us: n,
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: format!("thing:{n}"),
        detail: "{}".to_owned(),
        request_id: (n % 2 == 0).then(|| format!("req_{n}")),
    }
}

async fn the_audit_log_is_one_chain_whoever_appends(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    assert_eq!(audit_head(&mut tx, &conn()).await.unwrap(), None);
    let first = append_audit(&mut tx, &conn(), &row("user:a", "x", 0)).await;
    assert_eq!(first.unwrap(), 1);
    tx.rollback().await.unwrap();
    let append = |n: i64| async move {
        retry(|| async {
            let mut tx = db.begin().await?;
            // All the same, so that the chain is, whoever was faster.
            append_audit(&mut tx, &conn(), &row("user:a", "x", 1)).await?;
            // Others wait for this one, and for no gap.
            tokio::task::yield_now().await;
            if n % 5 == 0 {
                tx.rollback().await
            } else {
                tx.commit().await
            }
        })
        .await
        .unwrap();
    };
    futures_util::future::join_all((1..=20).map(append)).await;
    let mut tx = db.begin().await.unwrap();
    append_audit(&mut tx, &"other".into(), &row("user:z", "y", 1))
        .await
        .unwrap();
    append_audit(&mut tx, &conn(), &row("key:b", "x", 7))
        .await
        .unwrap();
    let rows = audit_page(&mut tx, &conn(), 0, 100).await.unwrap();
    let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=17).collect::<Vec<_>>());
    let mut last = BEGINNING.to_vec();
    for row in &rows {
        assert_eq!(row.previous, last);
        assert_eq!(row.hash, row.digest(&conn()));
        last.clone_from(&row.hash);
    }
    let head = audit_head(&mut tx, &conn()).await.unwrap().unwrap();
    assert_eq!((head.number, head.hash), (17, last));
    assert_eq!(
        audit_page(&mut tx, &conn(), 15, 100).await.unwrap().len(),
        2
    );

    let by = |actor: Option<&str>, action: Option<&str>, subject: Option<&str>| AuditFilter {
        actor: actor.map(str::to_owned),
        action: action.map(str::to_owned),
        subject: subject.map(str::to_owned),
    };
    let count = async |tx: &mut Tx, filter: AuditFilter, before: Option<i64>| {
        let rows = list_audit(tx, &conn(), &filter, before, 100).await.unwrap();
        assert!(rows.is_sorted_by(|a, b| a.number > b.number));
        rows.len()
    };
    assert_eq!(count(&mut tx, by(None, None, None), None).await, 17);
    assert_eq!(
        count(&mut tx, by(Some("user:a"), None, None), None).await,
        16
    );
    assert_eq!(count(&mut tx, by(None, Some("y"), None), None).await, 0);
    assert_eq!(
        count(&mut tx, by(None, None, Some("thing:7")), None).await,
        1
    );
    assert_eq!(count(&mut tx, by(None, Some("x"), None), Some(4)).await, 3);
}

async fn the_audit_log_is_only_added_to(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    append_audit(&mut tx, &conn(), &row("user:a", "x", 1))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for text in [
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
    ] {
        let mut tx = db.begin().await.unwrap();
        let refused = Statement::new(text).execute(&mut tx).await;
        assert!(
            matches!(refused, Err(StoreError::Refused(_))),
            "{refused:?}"
        );
    }
}

async fn a_mail_is_taken_by_one_and_tried_again(db: &Db) {
    let message = |id: &str, topic: &str| OutboxMessage {
        outbox_id: id.into(),
        topic: topic.to_owned(),
        subject_id: "usr_1".to_owned(),
        payload: "{}".to_owned(),
        created_at: 1,
        delivered_at: None,
        attempts: 0,
    };
    let mut tx = db.begin().await.unwrap();
    let mails: Vec<OutboxMessage> = (0..6)
        .map(|n| message(&format!("m{n}"), "mail.x"))
        .collect();
    queue_messages(&mut tx, &conn(), &mails, at(10))
        .await
        .unwrap();
    queue_messages(&mut tx, &conn(), &mails[..1], at(10))
        .await
        .unwrap();
    queue_messages(&mut tx, &conn(), &[message("h", "mailx")], at(10))
        .await
        .unwrap();
    // What has no time is nobody's to deliver here.
    insert_messages(&mut tx, &conn(), &[message("o", "mail.y")])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let take = |seconds: i64| async move {
        let mut tx = db.begin().await.unwrap();
        let times = (at(seconds), at(seconds + 100));
        let taken = take_due(&mut tx, &conn(), "mail.", times, 3).await.unwrap();
        tokio::task::yield_now().await;
        tx.commit().await.unwrap();
        taken
            .into_iter()
            .map(|m| (m.outbox_id, m.attempts))
            .collect::<Vec<_>>()
    };
    assert!(take(9).await.is_empty());
    let (a, b) = tokio::join!(take(10), take(10));
    let mut all = [a, b].concat();
    all.sort();
    let expected: Vec<(OutboxId, i64)> = (0..6).map(|n| (format!("m{n}").into(), 1)).collect();
    assert_eq!(all, expected, "each by one");
    assert!(take(109).await.is_empty(), "held");
    let mut tx = db.begin().await.unwrap();
    deliver(&mut tx, &conn(), &"m0".into(), at(20))
        .await
        .unwrap();
    fail(&mut tx, &conn(), &"m1".into(), "gone", None)
        .await
        .unwrap();
    fail(&mut tx, &conn(), &"m2".into(), "later", Some(at(50)))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(take(50).await, [("m2".into(), 2)]);
    let mut tx = db.begin().await.unwrap();
    assert_eq!(crate::waiting(&mut tx, &conn()).await, 7);
    let forgotten = forget_messages(&mut tx, &conn(), (false, at(2)), 5).await;
    assert_eq!(forgotten.unwrap(), 5, "no more than it was asked for");
    let forgotten = forget_messages(&mut tx, &conn(), (false, at(2)), 5).await;
    assert_eq!(forgotten.unwrap(), 2);
    assert_eq!(crate::waiting(&mut tx, &conn()).await, 0);
    let forgotten = forget_messages(&mut tx, &conn(), (true, at(2)), 5).await;
    assert_eq!(forgotten.unwrap(), 1, "the one that was delivered");
}
