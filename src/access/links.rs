//! Links that open something once. Looking at one shows a page with a button; only pressing it
//! uses the link up, because mail scanners open every link they see.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::{Action, note};
use super::session::Started;
use super::token::{draw, looked_up_by};
use super::visitor::Visitor;
use super::{Access, AccessError, password, user_id, users};
use crate::domain::access::{Actor, By, Grants, Role};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{ConnectionId, OutboxId, UserId};
use crate::domain::time::{DAY_SECONDS, Timestamp};
pub use crate::store::links::LinkPurpose;
use crate::store::links::{
    Link, insert_link, link_by_hash, use_link, use_setup_links, void_links_of,
};
use crate::store::outbox::{OutboxMessage, queue_messages};
use crate::store::sessions::end_sessions_of;
use crate::store::users::{
    User, UserState, change_user, get_user, has_owner, insert_user, set_password_hash,
};
use crate::store::{Tx, retry};

/// Where a link leads; the token comes as the parameter `token`, because parameters are not
/// logged.
pub const LINK_PATH: &str = "/link";
/// What the topics of mails begin with.
pub const MAIL_TOPICS: &str = "mail.";

/// How long a link is good, in seconds.
pub const fn lasts(purpose: LinkPurpose) -> i64 {
    match purpose {
        LinkPurpose::SignIn => DAY_SECONDS / 96,
        LinkPurpose::Reset => DAY_SECONDS / 24,
        LinkPurpose::Setup => DAY_SECONDS,
        LinkPurpose::Invitation => 7 * DAY_SECONDS,
    }
}

/// A mail that carries a link. The link is made when the mail is delivered, so that no token
/// ever lies in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mail {
    /// Signs in.
    SignIn,
    /// Lets somebody in for the first time.
    Invitation,
    /// Gives a new password.
    Reset,
}

impl Mail {
    /// The outbox's name for it.
    pub const fn topic(self) -> &'static str {
        match self {
            Self::SignIn => "mail.sign_in",
            Self::Invitation => "mail.invitation",
            Self::Reset => "mail.reset",
        }
    }

    /// The mail of that topic.
    pub fn parse(topic: &str) -> Option<Self> {
        [Self::SignIn, Self::Invitation, Self::Reset]
            .into_iter()
            .find(|mail| mail.topic() == topic)
    }

    /// The link that the mail carries to this person, if they are to have one: whoever was
    /// invited is invited again, and whoever is deactivated gets nothing.
    pub fn purpose(self, user: &User) -> Option<LinkPurpose> {
        match (user.state, self) {
            (UserState::Deactivated, _) => None,
            (UserState::Invited, _) => Some(LinkPurpose::Invitation),
            (UserState::Active, Self::Reset) => Some(LinkPurpose::Reset),
            (UserState::Active, _) => Some(LinkPurpose::SignIn),
        }
    }
}

/// Who asked for a mail, and when; the outbox's payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailPayload {
    /// What the inviter is called; nobody if they asked themselves.
    pub inviter: Option<String>,
}

/// What a link would do, for the page that asks for the press of a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// What it opens.
    pub purpose: LinkPurpose,
    /// For whom; nobody yet if it makes the first owner.
    pub email: Option<CanonicalEmail>,
    /// What they are called.
    pub name: Option<String>,
    /// What they are, or will be.
    pub role: Role,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// What was filled in beside the button. Blank is not filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// The first owner's address.
    pub email: String,
    /// What somebody wants to be called.
    pub name: String,
    /// A password: needed for the first owner and for a reset, else welcome.
    pub password: String,
}

/// Makes a link in a transaction of the caller's; its token, for this once.
pub async fn make(
    tx: &mut Tx,
    connection: &ConnectionId,
    (purpose, user): (LinkPurpose, Option<&UserId>),
    now: Timestamp,
) -> Result<String, AccessError> {
    let (token, hash) = draw()?;
    let link = Link {
        connection: connection.clone(),
        purpose,
        user: user.cloned(),
        ends_at: now.plus_seconds(lasts(purpose)).unix(),
    };
    insert_link(tx, &hash, &link, now).await?;
    Ok(token)
}

/// The address of a link.
pub fn address(base_url: &str, token: &str) -> String {
    format!("{base_url}{LINK_PATH}?token={token}")
}

impl Access {
    /// A link that makes the first owner, if there is none: printed when the server starts.
    pub async fn setup_link(&self) -> Result<Option<String>, AccessError> {
        retry(|| async {
            let mut tx = self.db.begin().await?;
            if has_owner(&mut tx, &self.connection).await? {
                return Ok(None);
            }
            let purpose = (LinkPurpose::Setup, None);
            let token = make(&mut tx, &self.connection, purpose, self.clock.now()).await?;
            tx.commit().await?;
            Ok(Some(address(&self.base_url, &token)))
        })
        .await
    }

    /// What a link would do. It can be looked at any number of times.
    pub async fn look_at_link(&self, token: &str) -> Result<LinkView, AccessError> {
        let hash = looked_up_by(token).ok_or(AccessError::LinkGone)?;
        let mut tx = self.db.read().await?;
        let link = link_by_hash(&mut tx, &hash, self.clock.now()).await?;
        let link = link.filter(|link| link.connection == self.connection);
        let link = link.ok_or(AccessError::LinkGone)?;
        let user = match &link.user {
            None => None,
            Some(id) => {
                let user = get_user(&mut tx, &self.connection, id).await?;
                let user = user.filter(|user| user.state != UserState::Deactivated);
                Some(user.ok_or(AccessError::LinkGone)?)
            }
        };
        Ok(LinkView {
            purpose: link.purpose,
            role: user.as_ref().map_or(Role::Owner, |user| user.role),
            email: user.as_ref().map(|user| user.email.clone()),
            name: user.map(|user| user.name),
            ends_at: Timestamp::from_unix(link.ends_at).unwrap_or_default(),
        })
    }

    /// Uses a link up and signs in.
    pub async fn use_link(
        &self,
        token: &str,
        filled: &Filled,
        visitor: &Visitor,
    ) -> Result<Started, AccessError> {
        let now_us = self.clock.now_us();
        self.addresses.take(visitor.address, now_us)?;
        let hash = looked_up_by(token).ok_or(AccessError::LinkGone)?;
        // What is filled in is looked at before the link is used up.
        let view = self.look_at_link(token).await?;
        let ready = self.ready(&view, filled).await?;
        retry(|| self.use_once(&hash, (&view, &ready), visitor)).await
    }

    async fn use_once(
        &self,
        hash: &[u8; 32],
        (view, ready): (&LinkView, &Ready),
        visitor: &Visitor,
    ) -> Result<Started, AccessError> {
        let mut tx = self.db.begin().await?;
        let user = match view.purpose {
            LinkPurpose::Setup => self.set_up(&mut tx, hash, ready, visitor).await?,
            purpose => {
                let link = use_link(&mut tx, hash, self.clock.now()).await?;
                let id = link.and_then(|link| link.user);
                let id = id.ok_or(AccessError::LinkGone)?;
                self.let_in(&mut tx, (purpose, &id), ready, visitor).await?
            }
        };
        let how = view.purpose.name();
        let started = self.begin(&mut tx, &user, visitor, how).await?;
        tx.commit().await?;
        Ok(started)
    }

    /// What was filled in, checked and hashed.
    async fn ready(&self, view: &LinkView, filled: &Filled) -> Result<Ready, AccessError> {
        let is_setup = view.purpose == LinkPurpose::Setup;
        let email = match &view.email {
            Some(email) => email.clone(),
            None => users::mailbox(&filled.email)?,
        };
        let name = match filled.name.trim() {
            "" if is_setup => Some(email.as_str().split('@').next().unwrap_or("").to_owned()),
            "" => None,
            name => Some(users::person_name(name)?),
        };
        // A link that only signs in changes no password: whoever reads the mail once would
        // keep the door open.
        let takes_password = view.purpose != LinkPurpose::SignIn;
        let needs_password = is_setup || view.purpose == LinkPurpose::Reset;
        let hash = if takes_password && (needs_password || !filled.password.is_empty()) {
            password::check(&filled.password, &email)?;
            Some(self.hasher.hash(&filled.password).await?)
        } else {
            None
        };
        Ok(Ready { email, name, hash })
    }

    /// Makes the first owner; of several links one does.
    async fn set_up(
        &self,
        tx: &mut Tx,
        hash: &[u8; 32],
        ready: &Ready,
        visitor: &Visitor,
    ) -> Result<User, AccessError> {
        let now = self.clock.now();
        let good = use_setup_links(tx, &self.connection, hash, now).await?;
        if !good || has_owner(tx, &self.connection).await? {
            return Err(AccessError::LinkGone);
        }
        let user = User {
            id: user_id(&self.connection, &ready.email),
            email: ready.email.clone(),
            name: ready.name.clone().unwrap_or_default(),
            role: Role::Owner,
            promoter: None,
            state: UserState::Active,
            created_at: now,
            changed_at: now,
            signed_in_at: None,
            has_password: true,
        };
        match get_user(tx, &self.connection, &user.id).await? {
            None => insert_user(tx, &self.connection, &user).await?,
            // Invited from the command line before.
            Some(before) => change_user(tx, &self.connection, &before, &user).await?,
        }
        if let Some(hash) = &ready.hash {
            set_password_hash(tx, &self.connection, &user.id, hash, now).await?;
        }
        self.note_of(tx, &user, Action::OwnerCreated, visitor)
            .await?;
        Ok(user)
    }

    /// Lets somebody in whom the link names.
    async fn let_in(
        &self,
        tx: &mut Tx,
        (purpose, id): (LinkPurpose, &UserId),
        ready: &Ready,
        visitor: &Visitor,
    ) -> Result<User, AccessError> {
        let now = self.clock.now();
        let before = get_user(tx, &self.connection, id).await?;
        let before = before.ok_or(AccessError::LinkGone)?;
        let fits = match purpose {
            LinkPurpose::Invitation => before.state == UserState::Invited,
            _ => before.state == UserState::Active,
        };
        if !fits {
            return Err(AccessError::LinkGone);
        }
        let mut user = before.clone();
        if purpose == LinkPurpose::Invitation {
            user.state = UserState::Active;
            user.changed_at = now;
            user.name = ready.name.clone().unwrap_or(user.name);
            change_user(tx, &self.connection, &before, &user).await?;
            self.note_of(tx, &user, Action::UserJoined, visitor).await?;
        }
        if let Some(hash) = &ready.hash {
            set_password_hash(tx, &self.connection, id, hash, now).await?;
        }
        if purpose == LinkPurpose::Reset {
            end_sessions_of(tx, &self.connection, id).await?;
            self.note_of(tx, &user, Action::PasswordChanged, visitor)
                .await?;
        }
        // Whatever else lies in their mail opens nothing any more.
        void_links_of(tx, &self.connection, id, now).await?;
        Ok(user)
    }

    async fn note_of(
        &self,
        tx: &mut Tx,
        user: &User,
        action: Action,
        visitor: &Visitor,
    ) -> Result<(), AccessError> {
        let by = By {
            actor: Actor::User {
                id: user.id.clone(),
                name: user.name.clone(),
            },
            grants: Grants::Role(user.role),
            request: visitor.request.clone(),
        };
        let what = json!({ "role": user.role });
        let entry = (action, format!("user:{}", user.id), what);
        note(tx, &self.connection, self.clock.now_us(), &by, entry).await?;
        Ok(())
    }

    /// Puts a mail into the outbox, in the transaction of what it is about.
    pub(super) async fn queue_mail(
        &self,
        tx: &mut Tx,
        mail: Mail,
        user: &UserId,
    ) -> Result<(), AccessError> {
        self.queue_mail_of(tx, (mail, None), user).await
    }

    pub(super) async fn queue_mail_of(
        &self,
        tx: &mut Tx,
        (mail, inviter): (Mail, Option<String>),
        user: &UserId,
    ) -> Result<(), AccessError> {
        let now = self.clock.now();
        let payload = json!(MailPayload { inviter });
        let id = OutboxId::new(format!(
            "{}.{user}.{:016x}",
            mail.topic(),
            self.clock.now_us()
        ));
        let message = OutboxMessage {
            outbox_id: id,
            topic: mail.topic().to_owned(),
            subject_id: user.as_str().to_owned(),
            payload: payload.to_string(),
            created_at: now.unix(),
            delivered_at: None,
            attempts: 0,
        };
        queue_messages(tx, &self.connection, &[message], now).await?;
        Ok(())
    }
}

/// What was filled in, checked, with the password hashed.
struct Ready {
    email: CanonicalEmail,
    name: Option<String>,
    hash: Option<String>,
}
