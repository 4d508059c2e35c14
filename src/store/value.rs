//! The three kinds of value that columns hold, the same on both engines.
//! Anything richer (JSON, times, ids, flags) is one of these before it gets here.

use std::borrow::Cow;

use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Type};

use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{
    AccountId, BacktestId, BatchId, CampaignId, CaseId, ConnectionId, CouponId, CustomerId,
    DecisionId, EndpointId, EventId, KeyId, MessageId, NearMissId, OutboxId, PaymentId, PromoterId,
    QualificationId, ReferralId, RevisionId, SessionId, UserId,
};
use crate::domain::time::Timestamp;

/// A value to bind. `None` is NULL of that kind: PostgreSQL wants to know which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'v> {
    /// TEXT.
    Text(Option<Cow<'v, str>>),
    /// INTEGER, BIGINT.
    Int(Option<i64>),
    /// BLOB, BYTEA.
    Bytes(Option<Cow<'v, [u8]>>),
}

impl Value<'_> {
    /// Whether it can be stored on both engines: PostgreSQL's text has no NUL.
    pub fn is_storable(&self) -> bool {
        match self {
            Self::Text(Some(text)) => !text.as_bytes().contains(&0),
            _ => true,
        }
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(text: Option<&'v str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(text: &'v String) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(Cow::Owned(text)))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Cow::Owned))
    }
}

impl<'v> From<&'v Option<String>> for Value<'v> {
    fn from(text: &'v Option<String>) -> Self {
        Self::Text(text.as_deref().map(Cow::Borrowed))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Int(Some(i64::from(number)))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Int(Some(i64::from(flag)))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(instant: Timestamp) -> Self {
        Self::Int(Some(instant.unix()))
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(instant: Option<Timestamp>) -> Self {
        Self::Int(instant.map(Timestamp::unix))
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Bytes(Some(Cow::Borrowed(bytes)))
    }
}

impl<'v, const N: usize> From<&'v [u8; N]> for Value<'v> {
    fn from(bytes: &'v [u8; N]) -> Self {
        Self::Bytes(Some(Cow::Borrowed(bytes)))
    }
}

impl<'v> From<Option<&'v [u8]>> for Value<'v> {
    fn from(bytes: Option<&'v [u8]>) -> Self {
        Self::Bytes(bytes.map(Cow::Borrowed))
    }
}

macro_rules! from_ids {
    ($($name:ident),*) => {$(
        impl<'v> From<&'v $name> for Value<'v> {
            fn from(id: &'v $name) -> Self {
                Self::from(id.as_str())
            }
        }
        impl<'v> From<&'v Option<$name>> for Value<'v> {
            fn from(id: &'v Option<$name>) -> Self {
                Self::from(id.as_ref().map($name::as_str))
            }
        }
        impl<'v> From<Option<&'v $name>> for Value<'v> {
            fn from(id: Option<&'v $name>) -> Self {
                Self::from(id.map($name::as_str))
            }
        }
    )*};
}

from_ids!(
    AccountId,
    BacktestId,
    BatchId,
    CampaignId,
    CanonicalEmail,
    CaseId,
    ConnectionId,
    CouponId,
    CustomerId,
    DecisionId,
    EndpointId,
    EventId,
    KeyId,
    MessageId,
    NearMissId,
    OutboxId,
    PaymentId,
    PromoterId,
    QualificationId,
    ReferralId,
    RevisionId,
    SessionId,
    UserId
);

/// Ids that a row of a table is read into as they are; any text that was stored is one.
macro_rules! ids_of_columns {
    ($($name:ident),*) => {$(
        impl<D: Database> Type<D> for $name
        where
            String: Type<D>,
        {
            fn type_info() -> D::TypeInfo {
                <String as Type<D>>::type_info()
            }

            fn compatible(column: &D::TypeInfo) -> bool {
                <String as Type<D>>::compatible(column)
            }
        }
        impl<'r, D: Database> Decode<'r, D> for $name
        where
            String: Decode<'r, D>,
        {
            fn decode(value: D::ValueRef<'r>) -> Result<Self, BoxDynError> {
                <String as Decode<'r, D>>::decode(value).map(Self::from)
            }
        }
    )*};
}

ids_of_columns!(
    BacktestId,
    CampaignId,
    ConnectionId,
    CustomerId,
    EndpointId,
    EventId,
    KeyId,
    MessageId,
    NearMissId,
    OutboxId,
    ReferralId,
    SessionId,
    UserId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_only_a_matter_of_text() {
        assert!(!Value::from("a\0b").is_storable());
        assert!(Value::from("ab").is_storable());
        assert!(Value::from(b"a\0b").is_storable());
        assert!(Value::from(None::<String>).is_storable());
    }
}
