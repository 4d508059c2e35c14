//! Chance: the only place that draws it. Keys and tokens are made of bytes from here, handed
//! on as arguments; ids are never random, they follow from what they name.

use rand::TryRngCore;
use rand::rngs::OsRng;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_draws_are_the_same() {
        assert_ne!(secret_bytes().unwrap(), secret_bytes().unwrap());
    }
}
