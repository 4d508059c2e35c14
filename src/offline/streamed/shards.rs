//! Where customers come from: parts that can be read one by one, several at a time.

use super::error::BacktestError;
use super::views::Person;
use crate::domain::ids::CustomerId;

/// Takes one person after the other.
pub type Take<'t> = dyn FnMut(Person) -> Result<(), BacktestError> + 't;

/// All customers of a history, in shards. A customer id is in one shard only, with everything
/// that any view shows of it.
pub trait Shards: Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// About how many persons there are, if that can be told.
    fn persons(&self) -> Option<u64> {
        None
    }

    /// Hands over every person of a shard. `reader` tells apart those that read at the same
    /// time: 0 up to the number of threads.
    fn each(&self, reader: usize, shard: usize, take: &mut Take<'_>) -> Result<(), BacktestError>;

    /// Hands over those persons of a shard that have one of these ids, which are sorted.
    fn some(
        &self,
        reader: usize,
        shard: usize,
        ids: &[CustomerId],
        take: &mut Take<'_>,
    ) -> Result<(), BacktestError> {
        self.each(reader, shard, &mut |person| {
            if ids.binary_search(&person.id).is_ok() {
                take(person)?;
            }
            Ok(())
        })
    }
}
