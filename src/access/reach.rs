//! What admins do for somebody beside changing them: send their link again, end their sessions.

use serde_json::json;

use super::audit::Action;
use super::links::Mail;
use super::{Access, AccessError};
use crate::domain::access::{Actor, By};
use crate::domain::ids::UserId;
use crate::store::retry;
use crate::store::sessions::{end_sessions_of, sessions_of_user};
use crate::store::users::{User, UserState};

impl Access {
    /// Mails somebody the link that lets them in: the invitation while they have not come, else
    /// one that signs in.
    pub async fn mail_link(&self, id: &UserId, by: &By) -> Result<User, AccessError> {
        let inviter = match &by.actor {
            Actor::User { name, .. } => Some(name.clone()),
            _ => None,
        };
        let user = retry(|| async {
            let mut tx = self.db.begin().await?;
            let user = self.subject(&mut tx, id, by).await?;
            let mail = match user.state {
                UserState::Invited => Mail::Invitation,
                UserState::Active => Mail::SignIn,
                UserState::Deactivated => {
                    let message = "this user is deactivated";
                    return Err(AccessError::conflict("user_deactivated", message));
                }
            };
            let sent = (mail, inviter.clone());
            self.queue_mail_of(&mut tx, sent, &user.id).await?;
            let what = json!({ "mail": mail.topic() });
            self.note(&mut tx, by, Action::LinkSent, &user.id, what)
                .await?;
            tx.commit().await?;
            Ok(user)
        });
        let user = user.await?;
        self.mailed.notify_one();
        Ok(user)
    }

    /// Ends all of somebody's sessions; how many there were.
    pub async fn end_sessions(&self, id: &UserId, by: &By) -> Result<usize, AccessError> {
        retry(|| async {
            let mut tx = self.db.begin().await?;
            let user = self.subject(&mut tx, id, by).await?;
            let ended = sessions_of_user(&mut tx, &self.connection, &user.id).await?;
            end_sessions_of(&mut tx, &self.connection, &user.id).await?;
            let what = json!({ "sessions": ended.len() });
            self.note(&mut tx, by, Action::SessionsEnded, &user.id, what)
                .await?;
            tx.commit().await?;
            Ok(ended.len())
        })
        .await
    }
}
