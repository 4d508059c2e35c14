//! Reading stored columns back into the values of `domain`, with an error that names the table.
//! No statement is made here.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use crate::domain::email::CanonicalEmail;
use crate::domain::time::Timestamp;

/// A value as JSON text, keys in the order of its type.
pub fn to_json<T: Serialize>(table: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::unreadable(table, error))
}

/// JSON text as a value.
pub fn from_json<T: DeserializeOwned>(table: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::unreadable(table, error))
}

/// A column of unix seconds as an instant.
pub fn instant(table: &'static str, seconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_unix(seconds)
        .ok_or_else(|| StoreError::unreadable(table, format!("{seconds} is no instant")))
}

/// A column of unix seconds that may be NULL.
pub fn instant_or_none(
    table: &'static str,
    seconds: Option<i64>,
) -> Result<Option<Timestamp>, StoreError> {
    seconds.map(|seconds| instant(table, seconds)).transpose()
}

/// A column of a canonical email that may be NULL.
pub fn email_or_none(
    table: &'static str,
    text: Option<String>,
) -> Result<Option<CanonicalEmail>, StoreError> {
    text.map(|text| {
        CanonicalEmail::parse(&text)
            .filter(|email| email.as_str() == text)
            .ok_or_else(|| StoreError::unreadable(table, "an email that is not canonical"))
    })
    .transpose()
}

/// A column with one of a few names.
pub fn name<T>(
    table: &'static str,
    text: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    parse(text).ok_or_else(|| StoreError::unreadable(table, format!("unknown name `{text}`")))
}

/// An enum whose variants are stored by name: `name`, `parse` and a list of all of them.
macro_rules! stored_names {
    ($(#[$doc:meta])* $enum:ident { $($(#[$vdoc:meta])* $variant:ident => $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $enum { $($(#[$vdoc])* $variant,)* }

        impl $enum {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The one of that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}
pub(super) use stored_names;
