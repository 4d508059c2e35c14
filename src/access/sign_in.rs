//! Signing in with a password, and asking for a link by mail. Unknown, wrong and deactivated
//! are one answer after the same work, so that nobody learns who has an account.

use serde_json::json;

use super::audit::{Action, note};
use super::limits::{AUDITED, MAIL, PASSWORD, bucket, take};
use super::links::Mail;
use super::session::Started;
use super::visitor::Visitor;
use super::{Access, AccessError, password, user_id};
use crate::domain::access::{Actor, By, Grants, Signed};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::UserId;
use crate::store::limits::refill;
use crate::store::links::void_links_of;
use crate::store::sessions::end_sessions_of;
use crate::store::users::{
    User, UserState, get_user, password_hash, set_password_hash, user_by_email,
};
use crate::store::{StoreError, retry};

/// Longest address that is looked at, in bytes; a longer one is of nobody.
const EMAIL_BYTES_MAX: usize = 512;

impl Access {
    /// Signs in with address and password.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &str,
        visitor: &Visitor,
    ) -> Result<Started, AccessError> {
        self.addresses.take(visitor.address, self.clock.now_us())?;
        let account = Account::of(self, email);
        let (user, stored) = retry(|| self.look_up(&account)).await?;
        let right = self.hasher.verify(stored, password).await?;
        let user = user.filter(|user| right && user.state == UserState::Active);
        let Some(user) = user else {
            retry(|| self.note_refusal(&account, visitor)).await?;
            return Err(AccessError::Refused);
        };
        retry(|| self.come_in(&user, &account, visitor)).await
    }

    async fn come_in(
        &self,
        user: &User,
        account: &Account,
        visitor: &Visitor,
    ) -> Result<Started, AccessError> {
        let mut tx = self.db.begin().await?;
        // It may have been deactivated, or its password changed, while the hash was worked out.
        let again = get_user(&mut tx, &self.connection, &user.id).await?;
        let again = again.filter(|again| {
            again.state == UserState::Active && again.changed_at == user.changed_at
        });
        let user = again.ok_or(AccessError::Refused)?;
        refill(&mut tx, &self.connection, &account.bucket("password")).await?;
        let started = self.begin(&mut tx, &user, visitor, "password").await?;
        tx.commit().await?;
        Ok(started)
    }

    /// Whoever has the address, and the hash of their password; counts the attempt.
    async fn look_up(
        &self,
        account: &Account,
    ) -> Result<(Option<User>, Option<String>), AccessError> {
        let mut tx = self.db.begin().await?;
        let (bucket, now_us) = (account.bucket("password"), self.clock.now_us());
        take(&mut tx, &self.connection, &bucket, PASSWORD, now_us).await??;
        let user = match &account.email {
            Some(email) => user_by_email(&mut tx, &self.connection, email).await?,
            None => None,
        };
        let id = user.as_ref().map_or(&account.id, |user| &user.id);
        let stored = password_hash(&mut tx, &self.connection, id).await?;
        tx.commit().await?;
        Ok((user, stored))
    }

    /// A row of the audit log for a refused attempt, whether there is such an account or not.
    async fn note_refusal(&self, account: &Account, visitor: &Visitor) -> Result<(), StoreError> {
        let now_us = self.clock.now_us();
        let mut tx = self.db.begin().await?;
        let within = take(&mut tx, &self.connection, "audited", AUDITED, now_us).await?;
        if within.is_ok() {
            let by = By {
                actor: Actor::System,
                grants: Grants::Scopes(String::new()),
                request: visitor.request.clone(),
            };
            let subject = format!("user:{}", account.id);
            let entry = (Action::SignInFailed, subject, json!({}));
            note(&mut tx, &self.connection, now_us, &by, entry).await?;
        }
        tx.commit().await
    }

    /// Has a link sent that signs in, or that invites again whoever has not come yet. The
    /// answer is the same for an address of nobody.
    pub async fn send_sign_in_link(
        &self,
        email: &str,
        visitor: &Visitor,
    ) -> Result<(), AccessError> {
        self.send_link(Mail::SignIn, email, visitor).await
    }

    /// Has a link sent that gives a new password. The answer is the same for an address of
    /// nobody.
    pub async fn send_reset_link(&self, email: &str, visitor: &Visitor) -> Result<(), AccessError> {
        self.send_link(Mail::Reset, email, visitor).await
    }

    async fn send_link(
        &self,
        mail: Mail,
        email: &str,
        visitor: &Visitor,
    ) -> Result<(), AccessError> {
        self.addresses.take(visitor.address, self.clock.now_us())?;
        let account = Account::of(self, email);
        retry(|| self.queue_link(mail, &account)).await?;
        self.mailed.notify_one();
        Ok(())
    }

    async fn queue_link(&self, mail: Mail, account: &Account) -> Result<(), AccessError> {
        let mut tx = self.db.begin().await?;
        let (bucket, now_us) = (account.bucket("mail"), self.clock.now_us());
        take(&mut tx, &self.connection, &bucket, MAIL, now_us).await??;
        let user = match &account.email {
            Some(email) => user_by_email(&mut tx, &self.connection, email).await?,
            None => None,
        };
        // Also for nobody: whether there is somebody is found out when it is delivered.
        let id = user.map_or_else(|| account.id.clone(), |user| user.id);
        self.queue_mail(&mut tx, mail, &id).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives oneself another password; every other session ends and this one is renewed.
    pub async fn change_password(
        &self,
        signed: &Signed,
        current: &str,
        new: &str,
        visitor: &Visitor,
    ) -> Result<Started, AccessError> {
        let account = Account::of(self, signed.email.as_str());
        let (_, stored) = retry(|| self.look_up(&account)).await?;
        if stored.is_some() && !self.hasher.verify(stored, current).await? {
            return Err(AccessError::invalid(
                "password_wrong",
                "/current",
                "this is not your present password",
            ));
        }
        password::check(new, &signed.email)?;
        let hash = self.hasher.hash(new).await?;
        retry(|| self.renew(signed, (&account, &hash), visitor)).await
    }

    /// Sets the password and goes on under a new token; every other session ends.
    async fn renew(
        &self,
        signed: &Signed,
        (account, hash): (&Account, &str),
        visitor: &Visitor,
    ) -> Result<Started, AccessError> {
        let (now, now_us) = (self.clock.now(), self.clock.now_us());
        let mut tx = self.db.begin().await?;
        let user = get_user(&mut tx, &self.connection, &signed.user).await?;
        let user = user.filter(|user| user.state == UserState::Active);
        let user = user.ok_or(AccessError::Refused)?;
        set_password_hash(&mut tx, &self.connection, &user.id, hash, now).await?;
        end_sessions_of(&mut tx, &self.connection, &user.id).await?;
        void_links_of(&mut tx, &self.connection, &user.id, now).await?;
        refill(&mut tx, &self.connection, &account.bucket("password")).await?;
        let by = signed.by(visitor.request.clone());
        let entry = (
            Action::PasswordChanged,
            format!("user:{}", user.id),
            json!({}),
        );
        note(&mut tx, &self.connection, now_us, &by, entry).await?;
        let started = self.begin(&mut tx, &user, visitor, "password").await?;
        tx.commit().await?;
        Ok(started)
    }
}

/// What was typed as an address, whether it is anybody's or not.
struct Account {
    email: Option<CanonicalEmail>,
    /// The id that whoever has the address has, or would have.
    id: UserId,
    text: String,
}

impl Account {
    fn of(access: &Access, typed: &str) -> Self {
        let email = CanonicalEmail::parse(typed).filter(|_| typed.len() <= EMAIL_BYTES_MAX);
        let text = email
            .as_ref()
            .map_or_else(String::new, |email| email.as_str().to_owned());
        let id = match &email {
            Some(email) => user_id(&access.connection, email),
            None => UserId::from("usr_nobody"),
        };
        Self { email, id, text }
    }

    fn bucket(&self, kind: &str) -> String {
        bucket(kind, &self.text)
    }
}
