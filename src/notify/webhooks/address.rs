//! Which addresses may be spoken to. Whoever registers an endpoint has the server speak for
//! them: what is only reachable from inside must stay unreachable that way.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Longest address of an endpoint, in characters.
const URL_CHARS_MAX: usize = 2_000;

/// Blocks of IPv4 that are nobody's public address: address and how many of its bits count
/// (IANA's special-purpose registry, RFC 6890 and later).
const CLOSED_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),       // "this network"
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // carrier-grade NAT
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, and metadata services of clouds
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 31, 196, 0], 24), // AS112
    ([192, 52, 193, 0], 24), // AMT
    ([192, 88, 99, 0], 24),  // 6to4 relays
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 3),     // multicast, reserved, broadcast
];

/// Whether an address is somebody's public one.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let bits = ip.to_bits();
    !CLOSED_V4.iter().any(|(block, count)| {
        let mask = u32::MAX.checked_shl(32 - count).unwrap_or(0);
        bits & mask == Ipv4Addr::from(*block).to_bits()
    })
}

/// Of IPv6 only `2000::/3` is given out at all; inside it, what is reserved, documentation, or
/// leads to an IPv4 address that is wrapped in it.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // NAT64 (RFC 6052), IPv4-mapped and -compatible lie outside of it. Documentation, 6to4:
        [0x2001, b, ..] if b < 0x0200 => false, // Teredo, ORCHID, benchmarks
        [0x2001, 0x0db8, ..] | [0x2002, ..] => false,
        [0x3fff, b, ..] if b < 0x1000 => false, // documentation
        [a, ..] => a & 0xe000 == 0x2000,
    }
}

/// Why an address cannot be an endpoint's, in words.
pub fn check(text: &str, allow_private: bool) -> Result<Url, String> {
    if text.chars().count() > URL_CHARS_MAX {
        return Err(format!("an address has at most {URL_CHARS_MAX} characters"));
    }
    let url = Url::parse(text).map_err(|_| "this is not an address like https://…".to_owned())?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => {
            let words = "messages are posted over https:// alone (for development, \
                         WEBHOOKS_ALLOW_PRIVATE=true also allows http://)";
            return Err(words.to_owned());
        }
        _ => return Err("an address begins with https://".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address has no user and password; check the signature instead".to_owned());
    }
    if url.fragment().is_some() {
        return Err("an address has no part behind #".to_owned());
    }
    let literal = match url.host() {
        None => return Err("the address has no host".to_owned()),
        // A name is looked at where it is resolved.
        Some(Host::Domain(_)) => None,
        Some(Host::Ipv4(ip)) => Some(ip.into()),
        Some(Host::Ipv6(ip)) => Some(ip.into()),
    };
    match literal {
        Some(ip) if !allow_private && !is_public(ip) => Err(not_public(ip)),
        _ => Ok(url),
    }
}

/// The same for an address that somebody enters: names of this machine are told at once.
pub fn check_new(text: &str, allow_private: bool) -> Result<Url, String> {
    let url = check(text, allow_private)?;
    let name = url.domain().unwrap_or_default().trim_end_matches('.');
    let is_here = name == "localhost" || name.ends_with(".localhost");
    if is_here && !allow_private {
        return Err(not_public(Ipv4Addr::LOCALHOST.into()));
    }
    Ok(url)
}

/// Why an address that is not public is refused.
pub fn not_public(ip: IpAddr) -> String {
    format!(
        "{ip} is a private or reserved address, which messages are not sent to (for development, \
         WEBHOOKS_ALLOW_PRIVATE=true allows it)"
    )
}

/// The host of an address, for people and the audit log: the rest may hold a secret.
pub fn host(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    let host = parsed.and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.32.0.1",
            "192.167.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for closed in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "100::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
        ] {
            assert!(!is_public(closed.parse().unwrap()), "{closed}");
        }
    }

    #[test]
    fn an_address_is_https_and_leads_outside() {
        for good in [
            "https://hooks.example.com/q?token=1",
            "https://1.1.1.1:8443/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(check_new(good, false).is_ok(), "{good}");
        }
        for (bad, says) in [
            ("", "not an address"),
            ("hooks.example.com", "not an address"),
            ("ftp://a.example/", "https://"),
            ("http://a.example/", "https:// alone"),
            ("https://u:p@a.example/", "user and password"),
            ("https://a.example/#x", "behind #"),
            ("https://127.0.0.1/", "private"),
            ("https://0x7f.1/", "127.0.0.1"),
            ("https://2130706433/", "127.0.0.1"),
            ("https://[::1]/", "private"),
            ("https://[::ffff:10.0.0.1]/", "private"),
            ("https://localhost/", "private"),
            ("https://LOCALHOST./", "private"),
            ("https://a.localhost/", "private"),
        ] {
            let error = check_new(bad, false).unwrap_err();
            assert!(error.contains(says), "{bad}: {error}");
        }
        for good in ["http://127.0.0.1:1234/", "https://localhost/"] {
            assert!(check_new(good, true).is_ok(), "{good}");
        }
        assert!(check(&format!("https://a.example/{}", "x".repeat(2_000)), false).is_err());
        assert_eq!(
            host("https://hooks.example.com/secret"),
            "hooks.example.com"
        );
    }
}
