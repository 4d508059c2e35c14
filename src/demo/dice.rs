//! Chance that is the same for the same seed, on every machine and in every version.
//! Not for secrets, and not used outside of the demo.

/// `SplitMix64`: tiny, and fixed for good, which a library's default generator is not.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall as the seed says.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 for 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.throw().checked_rem(bound).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.saturating_sub(low).unsigned_abs().saturating_add(1);
        low.saturating_add_unsigned(self.below(span))
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of these; the default value if there are none.
    pub fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        let place = self.below(u64::try_from(from.len()).unwrap_or(0));
        let place = usize::try_from(place).unwrap_or(0);
        from.get(place).copied().unwrap_or_default()
    }

    /// Letters and digits as Stripe's ids have them.
    pub fn letters(&mut self, count: usize) -> String {
        const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..count)
            .map(|_| char::from(self.pick(ALPHABET)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole demo hangs on these: another algorithm would be another half year.
    #[test]
    fn the_same_seed_falls_the_same_way_for_good() {
        let mut dice = Dice::new(1_234_567);
        // The published test vector of SplitMix64.
        assert_eq!(dice.throw(), 6_457_827_717_110_365_317);
        assert_eq!(dice.throw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut dice = Dice::new(7);
        let thrown: Vec<i64> = (0..200).map(|_| dice.between(-2, 2)).collect();
        assert_eq!(
            (thrown.iter().min(), thrown.iter().max()),
            (Some(&-2), Some(&2))
        );
        assert_eq!(dice.below(0), 0);
        assert_eq!(dice.pick::<u8>(&[]), 0);
        assert_eq!(dice.letters(14).len(), 14);
    }
}
