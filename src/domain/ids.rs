//! Identifiers as newtypes, so that a promoter's id cannot stand where a referral's belongs.
//! They are opaque text: Stripe's ids may be any text up to 255 characters.

/// Longest identifier accepted from outside, in bytes. Stripe documents 255 characters.
pub const ID_BYTES_MAX: usize = 255;

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        #[schemars(inline)]
        pub struct $name(String);

        impl $name {
            /// Wraps text that is already known to be such an id.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

text_id! {
    /// One Stripe account in one mode, as this installation names it.
    ConnectionId;
    /// A Stripe account, `acct_…`.
    AccountId;
    /// A stored Stripe event, `evt_…`, or `sha256:…` where the body carries no usable id.
    EventId;
    /// A Stripe customer `cus_…`, or `guest:<canonical email>` for one who paid without one.
    CustomerId;
    /// The Stripe object that stands for a payment: `ch_…`, else `pi_…`, `in_…`, `cs_…`.
    PaymentId;
    /// A Stripe coupon id: free text, case-sensitive.
    CouponId;
    /// A campaign, `^[a-z0-9][a-z0-9-]{0,62}$`.
    CampaignId;
    /// `sha256:<hex>` of a campaign's canonical form.
    RevisionId;
    /// A promoter, as imported or `prom_…`.
    PromoterId;
    /// A referral, as imported or `ref_…`; `coupon:<campaign>:<customer>` when a coupon made it.
    ReferralId;
    /// A conflict for an admin, `case_…`, derived from what the conflict is about.
    CaseId;
    /// A queued qualification, `qual_…`.
    QualificationId;
    /// A settlement batch, `batch_…`.
    BatchId;
    /// An admin's decision, `dec_…`.
    DecisionId;
    /// A person with an account, `usr_…`.
    UserId;
    /// A session of theirs, `ses_…`; it names the session and opens nothing.
    SessionId;
    /// One running process of the server, `node_…`; another one after every start.
    NodeId;
    /// An API key, `key_…`; it names the key and opens nothing.
    KeyId;
    /// An endpoint of outgoing webhooks, `we_…`.
    EndpointId;
    /// A message of outgoing webhooks as receivers see it, `msg_…`.
    MessageId;
    /// A message in the outbox; it follows from what the message is of.
    OutboxId;
    /// What almost matched, `near_…`, derived from what it is about.
    NearMissId;
    /// A backtest that was asked for; nobody guesses it.
    BacktestId;
}

impl CustomerId {
    /// The customer that stands for payments made without a Stripe customer.
    pub fn guest(email: &crate::domain::email::CanonicalEmail) -> Self {
        Self(format!("guest:{email}"))
    }

    /// Whether this customer paid without a Stripe customer.
    pub fn is_guest(&self) -> bool {
        self.0.starts_with("guest:")
    }
}

impl ReferralId {
    /// The id of the referral that a coupon makes for a customer of nobody's.
    pub fn from_coupon(campaign: &CampaignId, customer: &CustomerId) -> Self {
        Self(format!("coupon:{campaign}:{customer}"))
    }

    /// The customer behind a coupon referral's id, `coupon:<campaign>:<customer>`.
    pub fn customer_of_coupon(&self) -> Option<CustomerId> {
        let (_, customer) = self.0.strip_prefix("coupon:")?.split_once(':')?;
        Some(CustomerId::from(customer))
    }

    /// The customer behind a coupon referral's id, if this is one of that campaign.
    pub fn coupon_customer(&self, campaign: &CampaignId) -> Option<CustomerId> {
        let rest = self
            .0
            .strip_prefix("coupon:")?
            .strip_prefix(campaign.as_str())?;
        rest.strip_prefix(':').map(CustomerId::from)
    }
}
