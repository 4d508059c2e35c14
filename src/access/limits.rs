//! How often somebody may try: per address in this node's memory, so that a flood costs no
//! writes, and per account in the database, so that it holds over all nodes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;

use sha2::{Digest, Sha256};

use super::AccessError;
use crate::clock::SECOND_US;
use crate::domain::ids::ConnectionId;
use crate::store::limits::{Rate, take_piece};
use crate::store::{StoreError, Tx};

const MINUTE_US: i64 = 60 * SECOND_US;

/// Attempts of one address to sign in or to have mail sent: twenty at once, then ten a minute.
const ADDRESS: Rate = Rate {
    every_us: 6 * SECOND_US,
    burst: 20,
};
/// Addresses remembered; of more, those that are whole again are forgotten, then all.
const ADDRESSES_MAX: usize = 10_000;
/// Passwords tried on one account: ten at once, then one a minute.
pub(super) const PASSWORD: Rate = Rate {
    every_us: MINUTE_US,
    burst: 10,
};
/// Mails to one account: three at once, then one in ten minutes.
pub(super) const MAIL: Rate = Rate {
    every_us: 10 * MINUTE_US,
    burst: 3,
};
/// Refused sign-ins that are written to the audit log: a hundred at once, then one a minute.
pub(super) const AUDITED: Rate = Rate {
    every_us: MINUTE_US,
    burst: 100,
};

/// The attempts of addresses at this node.
#[derive(Debug)]
pub struct Addresses {
    rate: Rate,
    whole_at: Mutex<HashMap<IpAddr, i64>>,
}

impl Default for Addresses {
    /// For signing in.
    fn default() -> Self {
        Self::new(ADDRESS)
    }
}

impl Addresses {
    /// So many attempts of each address.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            whole_at: Mutex::default(),
        }
    }

    /// Counts an attempt; an error if there were too many.
    pub fn take(&self, address: IpAddr, now_us: i64) -> Result<(), AccessError> {
        let Ok(mut whole_at) = self.whole_at.lock() else {
            return Ok(());
        };
        if whole_at.len() >= ADDRESSES_MAX {
            whole_at.retain(|_, at| *at > now_us);
            if whole_at.len() >= ADDRESSES_MAX {
                whole_at.clear();
            }
        }
        let at = whole_at.entry(network(address)).or_insert(now_us);
        let room_us = self.rate.every_us * (self.rate.burst - 1);
        let wait_us = at.saturating_sub(room_us).saturating_sub(now_us);
        if wait_us > 0 {
            return Err(limited(wait_us));
        }
        *at = self.rate.every_us.saturating_add((*at).max(now_us));
        Ok(())
    }
}

/// A site is given 2^64 addresses of IPv6 at least: they count as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// Takes a piece of an account's limit.
pub(super) async fn take(
    tx: &mut Tx,
    connection: &ConnectionId,
    bucket: &str,
    rate: Rate,
    now_us: i64,
) -> Result<Result<(), AccessError>, StoreError> {
    let taken = take_piece(tx, connection, bucket, rate, now_us).await?;
    Ok(taken.map_err(limited))
}

/// A bucket by kind and account, without the address in clear: it may be of nobody here.
pub(super) fn bucket(kind: &str, account: &str) -> String {
    let digest = hex::encode(Sha256::digest(account));
    format!("{kind}:{}", digest.get(..32).unwrap_or(&digest))
}

fn limited(wait_us: i64) -> AccessError {
    let seconds = wait_us.saturating_add(SECOND_US - 1).div_euclid(SECOND_US);
    AccessError::Limited {
        seconds: u32::try_from(seconds.max(1)).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_attempts_and_gets_them_back() {
        let addresses = Addresses::default();
        let take = |ip: &str, us| addresses.take(ip.parse().unwrap(), us);
        for _ in 0..ADDRESS.burst {
            take("198.51.100.1", 0).unwrap();
        }
        let seconds = match take("198.51.100.1", 0) {
            Err(AccessError::Limited { seconds }) => seconds,
            other => panic!("{other:?}"),
        };
        assert_eq!(seconds, 6);
        take("198.51.100.2", 0).unwrap();
        assert!(take("198.51.100.1", 6 * SECOND_US - 1).is_err());
        take("198.51.100.1", 6 * SECOND_US).unwrap();
        assert!(take("198.51.100.1", 6 * SECOND_US).is_err());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_memory_is_bounded() {
        let addresses = Addresses::default();
        for n in 0..20_u128 {
            let ip = Ipv6Addr::from_bits((0x2001_0db8 << 96) + n);
            addresses.take(ip.into(), 0).unwrap();
        }
        let same = "2001:db8::ffff:1".parse().unwrap();
        assert!(addresses.take(same, 0).is_err());
        for n in 0..25_000_u32 {
            addresses
                .take(std::net::Ipv4Addr::from_bits(n).into(), 0)
                .unwrap();
        }
        assert!(addresses.whole_at.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
