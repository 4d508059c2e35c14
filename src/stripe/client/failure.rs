//! Why Stripe's API did not answer what was asked. No message of Stripe's is passed on as it
//! came: those of refused keys hold parts of the key.

use serde::Deserialize;

use crate::domain::ids::AccountId;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// 401: no such key, or it was rolled, or it has expired.
    #[error("Stripe does not accept the key{}", if *.expired { ": it has expired" } else { "" })]
    KeyRefused {
        /// Whether Stripe says that it has expired.
        expired: bool,
    },
    /// 403: the key may not do this.
    #[error("the key may not do this; it lacks {}", .permission.as_deref().unwrap_or("a permission that Stripe does not name"))]
    Forbidden {
        /// The permission that would let it through, as Stripe names it: `rak_coupon_read`.
        permission: Option<String>,
        /// The account that the key belongs to, which such answers name.
        account: Option<AccountId>,
    },
    /// 404: there is no such object.
    #[error("Stripe knows no such object")]
    NotFound,
    /// 429, also after a pause.
    #[error("Stripe asks for fewer requests at a time")]
    Busy,
    /// 5xx, also after a pause.
    #[error("Stripe had a failure of its own (status {0})")]
    Broken(u16),
    /// Another refusal.
    #[error("Stripe refused the request (status {0})")]
    Refused(u16),
    /// No connection, or it was cut.
    #[error("no connection to {0}")]
    Unreachable(String),
    /// Not answered in the time there was.
    #[error("no answer in time")]
    TooSlow,
    /// Answered in a shape that is not Stripe's.
    #[error("the answer is not one of Stripe's API")]
    Unreadable,
}

impl Failure {
    /// Whether it says that Stripe is not there, rather than what Stripe thinks of the request.
    pub const fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Broken(_) | Self::Unreachable(_) | Self::TooSlow | Self::Unreadable
        )
    }
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    error: Told,
}

#[derive(Deserialize, Default)]
struct Told {
    code: Option<String>,
    message: Option<String>,
}

/// What a status other than 2xx says, with its body (`{"error":{type, code, message}}`).
pub(super) fn of(status: u16, body: &[u8]) -> Failure {
    let told = serde_json::from_slice::<Refusal>(body).unwrap_or_default();
    let told = told.error;
    match status {
        401 => Failure::KeyRefused {
            expired: told.code.as_deref() == Some("api_key_expired"),
        },
        403 => {
            let message = told.message.unwrap_or_default();
            let quoted = |before| quoted_after(&message, before);
            let account = quoted("on account ").filter(|id| id.starts_with("acct_"));
            Failure::Forbidden {
                permission: quoted("Having the ").map(str::to_owned),
                account: account.map(AccountId::from),
            }
        }
        404 => Failure::NotFound,
        429 => Failure::Busy,
        500.. => Failure::Broken(status),
        _ => Failure::Refused(status),
    }
}

/// The words in quotes that follow these words.
fn quoted_after<'m>(message: &'m str, before: &str) -> Option<&'m str> {
    let (_, rest) = message.split_once(before)?;
    let rest = rest.strip_prefix(['\'', '‘', '"', '`'])?;
    let end = rest.find(['\'', '’', '"', '`'])?;
    rest.get(..end)
        .filter(|found| !found.is_empty() && found.len() <= 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restricted_keys_refusal_names_permission_and_account() {
        let body = br#"{"error":{"message":"The provided key 'rk_test_***abcd' does not have the required permissions for this endpoint on account 'acct_1'. Having the 'rak_coupon_read' permission would allow this request to continue.","type":"invalid_request_error"}}"#;
        let failure = of(403, body);
        assert_eq!(
            failure,
            Failure::Forbidden {
                permission: Some("rak_coupon_read".to_owned()),
                account: Some("acct_1".into()),
            }
        );
        assert!(!failure.to_string().contains("abcd"));
        for unnamed in [&b"{}"[..], b"<html>", br#"{"error":{"message":"No."}}"#] {
            let failure = of(403, unnamed);
            assert!(
                matches!(
                    failure,
                    Failure::Forbidden {
                        permission: None,
                        account: None
                    }
                ),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn statuses_say_whose_fault_it_is() {
        let expired = br#"{"error":{"code":"api_key_expired","message":"Expired API Key provided: sk_test_****1234"}}"#;
        assert_eq!(of(401, expired), Failure::KeyRefused { expired: true });
        assert_eq!(of(401, b""), Failure::KeyRefused { expired: false });
        assert!(!of(401, expired).to_string().contains("1234"));
        assert_eq!(of(404, b""), Failure::NotFound);
        assert!(of(503, b"").is_unreachable() && !of(429, b"").is_unreachable());
        assert_eq!(of(400, b""), Failure::Refused(400));
    }
}
