//! What is worth a row in the audit log, by name, and writing it. Rows are written in the
//! transaction that does the thing, and last in it.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::access::By;
use crate::domain::ids::ConnectionId;
use crate::store::audit::{NewAuditRow, append_audit};
use crate::store::{Db, StoreError, Tx, retry};

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident, $name:literal;)*) => {
        /// What somebody did.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action { $($(#[$doc])* $variant,)* }

        impl Action {
            /// Every action there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The action of that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

actions! {
    /// A campaign has a new revision.
    CampaignSaved, "campaign.saved";
    /// A campaign's referral links lead elsewhere, or are remembered for another time.
    CampaignLinkSet, "campaign.link_set";
    /// A promoter is new.
    PromoterCreated, "promoter.created";
    /// A promoter says something else.
    PromoterChanged, "promoter.changed";
    /// A promoter earns nothing for now.
    PromoterSuspended, "promoter.suspended";
    /// A promoter earns again.
    PromoterUnsuspended, "promoter.unsuspended";
    /// Promoters came from a file.
    PromotersImported, "promoters.imported";
    /// A referral was registered by hand or by a key.
    ReferralRegistered, "referral.registered";
    /// A referral was given to another promoter.
    ReferralReassigned, "referral.reassigned";
    /// Referrals came from a file.
    ReferralsImported, "referrals.imported";
    /// Events came from a file.
    EventsImported, "events.imported";
    /// Stored events are read again.
    EventsReplayed, "events.replayed";
    /// A case was decided.
    CaseResolved, "case.resolved";
    /// A decision on a case was taken back.
    CaseUndone, "case.undone";
    /// A referral or a match was decided on directly.
    DecisionMade, "decision.made";
    /// A batch is run by hand, if anything is due.
    BatchRun, "batch.run";
    /// Somebody was invited.
    UserInvited, "user.invited";
    /// The first owner was made.
    OwnerCreated, "user.owner_created";
    /// Somebody came for the first time.
    UserJoined, "user.joined";
    /// Somebody has another role.
    RoleChanged, "user.role_changed";
    /// Somebody may not come in any more.
    UserDeactivated, "user.deactivated";
    /// Somebody may come in again.
    UserReactivated, "user.reactivated";
    /// Somebody gave themselves another password.
    PasswordChanged, "user.password_changed";
    /// A link was made by hand for somebody.
    LinkMade, "user.link_made";
    /// A link was mailed to somebody who had not asked for it.
    LinkSent, "user.link_sent";
    /// Somebody else ended all of somebody's sessions.
    SessionsEnded, "user.sessions_ended";
    /// Somebody signed in.
    SignedIn, "session.started";
    /// Somebody tried to, and was refused. Beyond a rate, only some of them are written.
    SignInFailed, "session.refused";
    /// Somebody signed out.
    SignedOut, "session.ended";
    /// A key was made.
    KeyCreated, "key.created";
    /// A key was taken back.
    KeyRevoked, "key.revoked";
    /// A mail could not be delivered and was given up.
    MailFailed, "mail.failed";
    /// A webhook endpoint was added.
    WebhookCreated, "webhook.created";
    /// A webhook endpoint says something else, was turned off or on.
    WebhookChanged, "webhook.changed";
    /// A webhook endpoint has another secret.
    WebhookRotated, "webhook.secret_rotated";
    /// A message is sent to a webhook endpoint again.
    WebhookRedelivered, "webhook.redelivered";
    /// A webhook endpoint was turned off by the program.
    WebhookDisabled, "webhook.disabled";
    /// A webhook endpoint was deleted.
    WebhookDeleted, "webhook.deleted";
}

/// A value by its digest: enough to see that it is another, without saying what it is.
pub fn digest<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    let digest = hex::encode(Sha256::digest(text));
    digest.get(..16).unwrap_or(&digest).to_owned()
}

/// Writes a row. `detail` is a small JSON object without secrets; people are named by id.
pub async fn note(
    tx: &mut Tx,
    connection: &ConnectionId,
    at_us: i64,
    by: &By,
    (action, subject, detail): (Action, String, Value),
) -> Result<(), StoreError> {
    let row = NewAuditRow {
        at_us,
        actor: by.actor.id(),
        action: action.name().to_owned(),
        subject,
        detail: detail.to_string(),
        request_id: by.request.clone(),
    };
    append_audit(tx, connection, &row).await?;
    Ok(())
}

/// Writes a row before something that is many transactions, so that nothing of it happens
/// without a row.
pub async fn announce(
    db: &Db,
    connection: &ConnectionId,
    at_us: i64,
    by: &By,
    entry: (Action, String, Value),
) -> Result<(), StoreError> {
    retry(|| async {
        let mut tx = db.begin().await?;
        note(&mut tx, connection, at_us, by, entry.clone()).await?;
        tx.commit().await
    })
    .await
}
