//! Chance: the only place that draws it. Keys and tokens are made of bytes from here, handed
//! on as arguments; ids of stored things are never random, they follow from what they name.

use std::time::Duration;

use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::domain::ids::NodeId;

/// Bytes of a node's id: enough that two nodes never meet with the same one.
const NODE_BYTES: usize = 8;

/// The operating system gave no random bytes; nothing secret can be made.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes; try again")]
pub struct NoChance;

/// 256 bits from the operating system, as much as any key or token here needs.
pub fn secret_bytes() -> Result<[u8; 32], NoChance> {
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| NoChance)?;
    Ok(bytes)
}

/// A process's name among the nodes of one database: drawn at every start, so that no node is
/// ever taken for the one that ran before it.
pub fn node_id() -> Result<NodeId, NoChance> {
    let mut bytes = [0_u8; NODE_BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| NoChance)?;
    Ok(NodeId::new(format!("node_{}", hex::encode(bytes))))
}

/// A wait shorter than `most`, so that those who failed together do not come
/// back together.
pub fn up_to(most: Duration) -> Duration {
    let most_us = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    match OsRng.try_next_u64() {
        Ok(drawn) => Duration::from_micros(drawn.checked_rem(most_us).unwrap_or(0)),
        Err(_) => most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_told_apart() {
        let (a, b) = (node_id().unwrap(), node_id().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.as_str().len(), "node_".len() + 2 * NODE_BYTES);
    }

    #[test]
    fn a_wait_stays_within_its_bound() {
        let most = Duration::from_millis(10);
        assert!((0..1000).all(|_| up_to(most) <= most));
        assert_eq!(up_to(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn no_two_draws_are_the_same() {
        assert_ne!(secret_bytes().unwrap(), secret_bytes().unwrap());
    }
}
