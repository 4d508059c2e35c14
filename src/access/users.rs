//! Commands on people: invite, give another role, deactivate. Nobody makes or changes somebody
//! who may do more than they do themselves, and there is always an owner.

use serde_json::json;

use super::audit::{Action, note};
use super::links::{LinkPurpose, Mail, address, make};
use super::{Access, AccessError, user_id};
use crate::domain::access::{Actor, By, Permission, Role};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{PromoterId, UserId};
use crate::store::links::void_links_of;
use crate::store::promoters::get_promoter;
use crate::store::sessions::end_sessions_of;
pub use crate::store::users::{User, UserState};
use crate::store::users::{
    change_user, get_user, hold_owners, insert_user, list_users, user_by_email, users_of_promoter,
};
use crate::store::{Tx, retry};

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 120;

/// Somebody to be invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Where the link is sent.
    pub email: String,
    /// What people call them; the address if it is blank.
    pub name: String,
    /// What they will be.
    pub role: Role,
    /// Which promoter they are; for the role promoter, and only for it.
    pub promoter: Option<PromoterId>,
}

/// An address that mail may be sent to: one plain mailbox, nothing around it, nothing that a
/// mail server could take for more than one.
pub fn mailbox(text: &str) -> Result<CanonicalEmail, AccessError> {
    let message = "this is not one plain email address; write it like ana@example.com";
    CanonicalEmail::parse(text)
        .filter(CanonicalEmail::is_mailbox)
        .ok_or_else(|| AccessError::invalid("email_invalid", "/email", message))
}

/// A name that may stand on a page and in a mail.
pub(super) fn person_name(text: &str) -> Result<String, AccessError> {
    let name = text.trim();
    let fits =
        (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits {
        return Ok(name.to_owned());
    }
    let message = "a name has 1 to 120 characters and no control characters";
    Err(AccessError::invalid("name_invalid", "/name", message))
}

impl Access {
    /// Invites somebody by mail. Whoever is invited already is invited again; whoever has come
    /// already is a conflict.
    pub async fn invite(&self, invitation: &Invitation, by: &By) -> Result<User, AccessError> {
        let inviter = match &by.actor {
            Actor::User { name, .. } => Some(name.clone()),
            _ => None,
        };
        let user = retry(|| async {
            let mut tx = self.db.begin().await?;
            let user = self.add_in(&mut tx, invitation, by).await?;
            let mail = (Mail::Invitation, inviter.clone());
            self.queue_mail_of(&mut tx, mail, &user.id).await?;
            tx.commit().await?;
            Ok::<_, AccessError>(user)
        });
        let user = user.await?;
        self.mailed.notify_one();
        Ok(user)
    }

    /// Invites somebody without a mail; the link that lets them in.
    pub async fn add(
        &self,
        invitation: &Invitation,
        by: &By,
    ) -> Result<(User, String), AccessError> {
        retry(|| async {
            let mut tx = self.db.begin().await?;
            let user = self.add_in(&mut tx, invitation, by).await?;
            let wanted = (LinkPurpose::Invitation, Some(&user.id));
            let token = make(&mut tx, &self.connection, wanted, self.clock.now()).await?;
            tx.commit().await?;
            Ok((user, address(&self.base_url, &token)))
        })
        .await
    }

    async fn add_in(
        &self,
        tx: &mut Tx,
        invitation: &Invitation,
        by: &By,
    ) -> Result<User, AccessError> {
        let email = mailbox(&invitation.email)?;
        may_give(by, invitation.role)?;
        let name = match invitation.name.trim() {
            "" => email.as_str().split('@').next().unwrap_or("").to_owned(),
            name => person_name(name)?,
        };
        let now = self.clock.now();
        let user = User {
            id: user_id(&self.connection, &email),
            email,
            name,
            role: invitation.role,
            promoter: invitation.promoter.clone(),
            state: UserState::Invited,
            created_at: now,
            changed_at: now,
            signed_in_at: None,
            has_password: false,
        };
        self.check_promoter(tx, &user).await?;
        let before = user_by_email(tx, &self.connection, &user.email).await?;
        let user = match before {
            None => {
                insert_user(tx, &self.connection, &user).await?;
                user
            }
            Some(before) if before.state == UserState::Invited => {
                may_give(by, before.role)?;
                let user = User {
                    id: before.id.clone(),
                    created_at: before.created_at,
                    ..user
                };
                change_user(tx, &self.connection, &before, &user).await?;
                void_links_of(tx, &self.connection, &user.id, now).await?;
                user
            }
            Some(_) => {
                let message = "somebody with this address has an account already";
                return Err(AccessError::conflict("email_in_use", message));
            }
        };
        let what = json!({ "role": user.role, "promoter": user.promoter });
        self.note(tx, by, Action::UserInvited, &user.id, what)
            .await?;
        Ok(user)
    }

    /// Invites a promoter to the portal, at the address that is registered for them if no
    /// other is given.
    pub async fn invite_promoter(
        &self,
        promoter: &PromoterId,
        email: Option<&str>,
        by: &By,
    ) -> Result<User, AccessError> {
        may_give(by, Role::Promoter)?;
        let mut tx = self.db.read().await?;
        let found = get_promoter(&mut tx, &self.connection, promoter).await?;
        tx.rollback().await?;
        let found = found.ok_or(AccessError::NotFound("promoter"))?.promoter;
        let registered = found.email.as_ref().map(CanonicalEmail::as_str);
        let email = email.or(registered).unwrap_or_default().to_owned();
        let invitation = Invitation {
            email,
            name: found.name,
            role: Role::Promoter,
            promoter: Some(promoter.clone()),
        };
        self.invite(&invitation, by).await
    }

    /// Gives somebody another role. Their sessions end, and what lies in their mail opens
    /// nothing any more.
    pub async fn set_role(
        &self,
        id: &UserId,
        (role, promoter): (Role, Option<PromoterId>),
        by: &By,
    ) -> Result<User, AccessError> {
        may_give(by, role)?;
        retry(|| self.set_role_once(id, (role, promoter.clone()), by)).await
    }

    async fn set_role_once(
        &self,
        id: &UserId,
        (role, promoter): (Role, Option<PromoterId>),
        by: &By,
    ) -> Result<User, AccessError> {
        let mut tx = self.db.begin().await?;
        let before = self.subject(&mut tx, id, by).await?;
        let after = User {
            role,
            promoter,
            changed_at: self.clock.now(),
            ..before.clone()
        };
        self.check_promoter(&mut tx, &after).await?;
        let what = json!({
            "before": before.role, "after": after.role,
            "promoter_before": before.promoter, "promoter": after.promoter,
        });
        self.change(&mut tx, (&before, &after), by, Action::RoleChanged, what)
            .await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Lets somebody in no more. Their sessions end at once.
    pub async fn deactivate(&self, id: &UserId, by: &By) -> Result<User, AccessError> {
        retry(|| self.set_state(id, UserState::Deactivated, by)).await
    }

    /// Lets somebody in again; they sign in as before.
    pub async fn reactivate(&self, id: &UserId, by: &By) -> Result<User, AccessError> {
        retry(|| self.set_state(id, UserState::Active, by)).await
    }

    async fn set_state(&self, id: &UserId, state: UserState, by: &By) -> Result<User, AccessError> {
        let mut tx = self.db.begin().await?;
        let before = self.subject(&mut tx, id, by).await?;
        let action = match (before.state, state) {
            (UserState::Deactivated, UserState::Active) => Action::UserReactivated,
            (UserState::Active | UserState::Invited, UserState::Deactivated) => {
                Action::UserDeactivated
            }
            (before, _) => {
                let message = format!("this user is {} already", before.name());
                return Err(AccessError::conflict("nothing_to_change", message));
            }
        };
        let after = User {
            state,
            changed_at: self.clock.now(),
            ..before.clone()
        };
        let what = json!({ "before": before.state.name() });
        self.change(&mut tx, (&before, &after), by, action, what)
            .await?;
        tx.commit().await?;
        Ok(after)
    }

    /// A link made by hand, for whoever cannot get mail: it signs in, lets in for the first
    /// time, or with `reset` gives a new password.
    pub async fn link_for(&self, id: &UserId, reset: bool, by: &By) -> Result<String, AccessError> {
        retry(|| self.link_once(id, reset, by)).await
    }

    async fn link_once(&self, id: &UserId, reset: bool, by: &By) -> Result<String, AccessError> {
        let mut tx = self.db.begin().await?;
        let user = self.subject(&mut tx, id, by).await?;
        let mail = if reset { Mail::Reset } else { Mail::SignIn };
        let purpose = mail
            .purpose(&user)
            .ok_or_else(|| AccessError::conflict("user_deactivated", "this user is deactivated"))?;
        let wanted = (purpose, Some(&user.id));
        let token = make(&mut tx, &self.connection, wanted, self.clock.now()).await?;
        let what = json!({ "purpose": purpose.name() });
        self.note(&mut tx, by, Action::LinkMade, &user.id, what)
            .await?;
        tx.commit().await?;
        Ok(address(&self.base_url, &token))
    }

    /// One person.
    pub async fn user(&self, id: &UserId) -> Result<User, AccessError> {
        let mut tx = self.db.read().await?;
        let user = get_user(&mut tx, &self.connection, id).await?;
        user.ok_or(AccessError::NotFound("user"))
    }

    /// The person of this address.
    pub async fn user_of(&self, email: &str) -> Result<Option<User>, AccessError> {
        let Some(email) = CanonicalEmail::parse(email) else {
            return Ok(None);
        };
        let mut tx = self.db.read().await?;
        Ok(user_by_email(&mut tx, &self.connection, &email).await?)
    }

    /// One page of people in order of id.
    pub async fn users(
        &self,
        role: Option<Role>,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<User>, AccessError> {
        let mut tx = self.db.read().await?;
        Ok(list_users(&mut tx, &self.connection, role, after, limit).await?)
    }

    /// The people who are a promoter.
    pub async fn users_of_promoter(&self, promoter: &PromoterId) -> Result<Vec<User>, AccessError> {
        let mut tx = self.db.read().await?;
        Ok(users_of_promoter(&mut tx, &self.connection, promoter).await?)
    }

    /// Somebody who is to be changed, if whoever asks may change them. Without the permission
    /// to see users at all, nobody is there.
    pub(super) async fn subject(
        &self,
        tx: &mut Tx,
        id: &UserId,
        by: &By,
    ) -> Result<User, AccessError> {
        let user = get_user(tx, &self.connection, id).await?;
        let user = user.ok_or(AccessError::NotFound("user"))?;
        if !by.grants.may(Permission::UsersWrite) && user.role != Role::Promoter {
            return Err(AccessError::NotFound("user"));
        }
        may_give(by, user.role)?;
        Ok(user)
    }

    /// Writes a change of role or state. The last owner stays one.
    async fn change(
        &self,
        tx: &mut Tx,
        (before, after): (&User, &User),
        by: &By,
        action: Action,
        what: serde_json::Value,
    ) -> Result<(), AccessError> {
        let owns = |user: &User| user.role == Role::Owner && user.state == UserState::Active;
        if owns(before) && !owns(after) && hold_owners(tx, &self.connection).await? <= 1 {
            let message = "this is the last owner; make another one first";
            return Err(AccessError::conflict("last_owner", message));
        }
        change_user(tx, &self.connection, before, after).await?;
        end_sessions_of(tx, &self.connection, &before.id).await?;
        void_links_of(tx, &self.connection, &before.id, after.changed_at).await?;
        self.note(tx, by, action, &before.id, what).await
    }

    async fn check_promoter(&self, tx: &mut Tx, user: &User) -> Result<(), AccessError> {
        let refuse = |message: &str| {
            Err(AccessError::invalid(
                "promoter_invalid",
                "/promoter",
                message,
            ))
        };
        match (user.role, &user.promoter) {
            (Role::Promoter, None) => refuse("say which promoter this is"),
            (Role::Promoter, Some(id)) => match get_promoter(tx, &self.connection, id).await? {
                Some(_) => Ok(()),
                None => refuse("there is no promoter of this id"),
            },
            (_, Some(_)) => refuse("only somebody of the role promoter is a promoter"),
            (_, None) => Ok(()),
        }
    }

    pub(super) async fn note(
        &self,
        tx: &mut Tx,
        by: &By,
        action: Action,
        id: &UserId,
        what: serde_json::Value,
    ) -> Result<(), AccessError> {
        let entry = (action, format!("user:{id}"), what);
        note(tx, &self.connection, self.clock.now_us(), by, entry).await?;
        Ok(())
    }
}

fn may_give(by: &By, role: Role) -> Result<(), AccessError> {
    if by.grants.may_give_role(role) {
        return Ok(());
    }
    Err(AccessError::Forbidden(
        "nobody makes or changes somebody who may do more than they do; ask an owner",
    ))
}
