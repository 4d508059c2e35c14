//! Who knocks: the address a request comes from, its id, and the session token it carries.
//! Whether the token opens anything is decided elsewhere.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use super::Access;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that is kept, in characters; callers may send one of their own.
const REQUEST_ID_CHARS_MAX: usize = 64;
/// Hops of `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 16;

/// Who knocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Where they come from.
    pub address: IpAddr,
    /// The request's id.
    pub request: Option<String>,
    /// The hash of the session token they bring, if they bring one.
    pub(super) token: Option<[u8; 32]>,
}

impl FromRequestParts<Arc<Access>> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        access: &Arc<Access>,
    ) -> Result<Self, Self::Rejection> {
        Ok(access.visitor(parts))
    }
}

/// Proxies whose word on where a request comes from is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<(IpAddr, u8)>);

impl Proxies {
    /// Addresses and networks (`10.0.0.0/8`).
    pub fn new(networks: Vec<(IpAddr, u8)>) -> Self {
        Self(networks)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0
            .iter()
            .any(|(network, bits)| within(address, *network, *bits))
    }

    /// The address a request comes from: the last one that no trusted proxy has.
    pub fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut origin = peer.to_canonical();
        let lists: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .map(|list| list.to_str().unwrap_or_default())
            .collect();
        let mut hops = lists.iter().rev().flat_map(|list| list.rsplit(','));
        for _ in 0..HOPS_MAX {
            if !self.trusts(origin) {
                break;
            }
            // Whatever is no address was written by somebody who is not trusted.
            let Some(Ok(hop)) = hops.next().map(|hop| hop.trim().parse::<IpAddr>()) else {
                break;
            };
            origin = hop.to_canonical();
        }
        origin
    }
}

fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(bits.into()))
                .unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(bits.into()))
                .unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        _ => false,
    }
}

/// A request's id, cut down to what may stand in the audit log.
pub fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fine = |c: &char| c.is_ascii_alphanumeric() || "-_.:".contains(*c);
    let id: String = id.chars().filter(fine).take(REQUEST_ID_CHARS_MAX).collect();
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(proxies: &[(&str, u8)], peer: &str, lists: &[&str]) -> String {
        let parse = |(ip, bits): &(&str, u8)| (ip.parse().unwrap(), *bits);
        let proxies = Proxies::new(proxies.iter().map(parse).collect());
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(FORWARDED_FOR, list.parse().unwrap());
        }
        proxies.origin(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let proxies = [("10.0.0.0", 8), ("::1", 128)];
        for (peer, lists, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            ("10.1.2.3", &[], "10.1.2.3"),
            // What the client made up stands to the left of what the proxy saw.
            ("10.1.2.3", &["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            (
                "10.1.2.3",
                &["1.1.1.1", "198.51.100.1, 10.9.9.9"],
                "198.51.100.1",
            ),
            ("10.1.2.3", &["nonsense"], "10.1.2.3"),
            ("10.1.2.3", &["1.1.1.1, nonsense, 10.9.9.9"], "10.9.9.9"),
            ("::1", &["2001:db8::7"], "2001:db8::7"),
            ("::ffff:10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
        ] {
            assert_eq!(origin(&proxies, peer, lists), expected, "{peer} {lists:?}");
        }
        assert_eq!(origin(&[], "10.1.2.3", &["198.51.100.1"]), "10.1.2.3");
        assert_eq!(
            origin(&[("0.0.0.0", 0)], "10.1.2.3", &["8.8.8.8"]),
            "8.8.8.8"
        );
    }

    #[test]
    fn a_request_id_of_the_callers_is_cut_down() {
        let id = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, text.parse().unwrap());
            request_id(&headers)
        };
        assert_eq!(id("0197-ab_c.d:e"), Some("0197-ab_c.d:e".to_owned()));
        assert_eq!(id("<script>"), Some("script".to_owned()));
        assert_eq!(id(&"x".repeat(500)).unwrap().len(), 64);
        assert_eq!(id("!!"), None);
    }
}
