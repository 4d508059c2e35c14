//! What is said on the next page after something was done. It travels in a cookie that lives
//! for one page and holds one of these names: nothing that somebody else could word.

use crate::web::parts::{Icon, Tone};

/// The cookie's name.
pub const COOKIE: &str = "qualify_said";

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its colour.
    pub tone: Tone,
    /// Its sign.
    pub icon: Icon,
    /// Its words.
    pub words: &'static str,
}

macro_rules! said {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $words:literal;)*) => {
        /// Everything that is ever said after something was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Said { $($(#[$doc])* $variant,)* }

        impl Said {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the cookie.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The words.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$variant => $words,)* }
            }
        }
    };
}

said! {
    /// A campaign has a new revision.
    CampaignSaved, "campaign-saved", "Saved as a new revision. It is in force from now on.";
    /// The same rules were saved again.
    CampaignSame, "campaign-same", "These are the rules already in force, so there is no new revision.";
    /// A campaign's referral links lead somewhere.
    LinkSaved, "link-saved", "Referral link saved. It holds for every click from now on.";
    /// A promoter was added.
    PromoterAdded, "promoter-added", "Promoter added.";
    /// A promoter was changed.
    PromoterSaved, "promoter-saved", "Promoter saved.";
    /// A promoter was suspended.
    PromoterSuspended, "promoter-suspended", "Promoter suspended. Open referrals of theirs are judged again.";
    /// A promoter is no longer suspended.
    PromoterResumed, "promoter-resumed", "Promoter reinstated. Referrals of theirs are judged again.";
    /// A referral was registered.
    ReferralAdded, "referral-added", "Referral registered. Payments that are already known count as the rules say.";
    /// The referral was there already.
    ReferralThere, "referral-there", "This person was already referred by the same promoter. This is that referral.";
    /// A referral was given to another promoter.
    ReferralGiven, "referral-given", "Referral reassigned. What was settled stays where it is.";
    /// A batch was run by hand.
    BatchRan, "batch-ran", "The batch is done. This is what it did.";
    /// A batch is being run by hand.
    BatchGoesOn, "batch-goes-on", "The batch is being run. This page follows it.";
    /// A batch by hand found nothing to do.
    NothingDue, "nothing-due", "Nothing is due, so no batch was made and nothing has changed.";
    /// A batch by hand met another node that settles.
    BatchElsewhere, "batch-elsewhere", "Another node is settling at this moment. Try again when its batch is done.";
    /// Somebody was invited.
    UserInvited, "user-invited", "Invited. A mail with the link is on its way; the link is good for 7 days.";
    /// Somebody was invited, and no mail is set up: whoever sees this can be shown the link.
    UserInvitedByHand, "user-invited-by-hand", "Invited. No mail is set up, so nothing was sent: hand the link over yourself.";
    /// Somebody was invited, and no mail is set up: an owner can be shown the link.
    UserInvitedAskOwner, "user-invited-ask-owner", "Invited. No mail is set up, so nothing was sent: ask an owner for the link.";
    /// Somebody was mailed their link.
    LinkSent, "link-sent", "The link is on its way by mail.";
    /// Somebody has another role.
    RoleChanged, "role-changed", "Role changed. Their sessions have ended, so they sign in again.";
    /// Somebody has the role already.
    RoleSame, "role-same", "That is their role already, so nothing has changed.";
    /// Somebody may come in no more.
    UserDeactivated, "user-deactivated", "Deactivated. They are signed out everywhere.";
    /// Somebody may come in again.
    UserReactivated, "user-reactivated", "Reactivated. They can sign in again.";
    /// Somebody was signed out.
    SessionsEnded, "sessions-ended", "All of their sessions have ended.";
    /// A key was taken back.
    KeyRevoked, "key-revoked", "Key revoked. It opens nothing any more.";
    /// A webhook endpoint was changed.
    WebhookSaved, "webhook-saved", "Endpoint saved.";
    /// A webhook endpoint was turned on.
    WebhookOn, "webhook-on", "The endpoint is on. It is told what happens from now on.";
    /// A webhook endpoint was turned off.
    WebhookOff, "webhook-off", "The endpoint is off. Nothing is sent to it.";
    /// A message is sent again.
    WebhookAgain, "webhook-again", "The message is being sent again. What comes of it is shown here.";
    /// A webhook endpoint was deleted.
    WebhookDeleted, "webhook-deleted", "Endpoint deleted. It is told nothing any more.";
    /// A running backtest was stopped.
    BacktestStopped, "backtest-stopped", "Backtest stopped.";
    /// A case was decided.
    CaseResolved, "case-resolved", "Decided. The referral was judged again at once.";
    /// A decision on a case was taken back.
    CaseUndone, "case-undone", "Taken back. What the decision led to is undone.";
    /// An event is read again.
    EventReplayed, "event-replayed", "The event is being read again. What becomes of it is shown here.";
    /// An event waits to be read already.
    EventWaits, "event-waits", "The event waits to be read already.";
    /// Events of one reason are read again.
    EventsReplayed, "events-replayed", "These events are being read again. What still cannot be read comes back to this list.";
    /// There was nothing to read again.
    NothingToReplay, "nothing-to-replay", "No event is quarantined for this reason any more.";
    /// A near miss was linked.
    NearMissLinked, "near-miss-linked", "Linked. The referral was judged again at once.";
    /// A near miss was dismissed.
    NearMissDismissed, "near-miss-dismissed", "Noted as two people. It is not shown here any more.";
    /// An answer to a near miss was taken back.
    AnswerUndone, "answer-undone", "Taken back. The referral was judged again at once.";
    /// Signed out.
    SignedOut, "signed-out", "You are signed out.";
    /// The password was changed.
    PasswordChanged, "password-changed", "Password changed. Other sessions of yours have ended.";
    /// A session was ended.
    SessionEnded, "session-ended", "Session ended.";
}

impl Said {
    /// The note of a cookie's value, if it is one of ours.
    pub fn read(name: &str) -> Option<Note> {
        let said = Self::ALL.iter().find(|said| said.name() == name)?;
        Some(said.note())
    }

    /// As it is shown.
    pub const fn note(self) -> Note {
        Note {
            tone: Tone::Good,
            icon: Icon::Check,
            words: self.words(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_words_are_said() {
        assert_eq!(Said::read("<script>"), None);
        for said in Said::ALL {
            assert_eq!(Said::read(said.name()), Some(said.note()));
            assert!(said.words().ends_with('.'));
        }
    }
}
