//! Which events have been read, in 12 bytes each and some air: hashes of their ids with hashes
//! of what they said. Two of twenty million ids share one hash with a chance of 1 to 100,000.

/// Tables that grow one by one, so that growing never needs the room twice.
const TABLES: usize = 256;

/// Events by the hash of their id.
#[derive(Debug)]
pub struct Seen(Vec<Table>);

#[derive(Debug, Default, Clone)]
struct Table {
    ids: Vec<u64>,
    said: Vec<u32>,
    taken: usize,
}

/// Whether an event was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is new.
    New,
    /// It was there and said the same.
    Same,
    /// It was there and said something else.
    Other,
}

impl Default for Seen {
    fn default() -> Self {
        Self(vec![Table::default(); TABLES])
    }
}

impl Seen {
    /// Notes an event by the hash of its id and of what it says. The first stays.
    pub fn note(&mut self, id: u64, says: u64) -> Again {
        // Zero marks a free place.
        let id = id.max(1);
        let says = u32::try_from(says >> 32).unwrap_or(0);
        let table = usize::try_from(id % TABLES as u64).unwrap_or(0);
        let Some(table) = self.0.get_mut(table) else {
            return Again::New;
        };
        table.note(id, says)
    }
}

impl Table {
    fn note(&mut self, id: u64, says: u32) -> Again {
        if self.taken * 5 >= self.ids.len() * 4 {
            self.grow();
        }
        let place = self.place(id);
        let (Some(there), Some(said)) = (self.ids.get_mut(place), self.said.get_mut(place)) else {
            return Again::New;
        };
        if *there == id {
            return if *said == says {
                Again::Same
            } else {
                Again::Other
            };
        }
        (*there, *said) = (id, says);
        self.taken += 1;
        Again::New
    }

    /// Where an id is, or would be.
    fn place(&self, id: u64) -> usize {
        let length = self.ids.len();
        // The lowest bits chose the table.
        let start = usize::try_from(id / TABLES as u64).unwrap_or(0) % length.max(1);
        let places = (start..length).chain(0..start);
        let mut free = places.filter(|at| {
            self.ids
                .get(*at)
                .is_none_or(|there| *there == id || *there == 0)
        });
        free.next().unwrap_or(length)
    }

    fn grow(&mut self) {
        let larger = (self.ids.len() / 2 * 3).max(64);
        let ids = std::mem::replace(&mut self.ids, vec![0; larger]);
        let said = std::mem::replace(&mut self.said, vec![0; larger]);
        for (id, says) in ids.into_iter().zip(said).filter(|(id, _)| *id != 0) {
            let place = self.place(id);
            if let (Some(there), Some(said)) = (self.ids.get_mut(place), self.said.get_mut(place)) {
                (*there, *said) = (id, says);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_stays() {
        let mut seen = Seen::default();
        let mix = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for n in 1..100_000 {
            assert_eq!(seen.note(mix(n), mix(n + 1)), Again::New, "{n}");
        }
        for n in 1..100_000 {
            assert_eq!(seen.note(mix(n), mix(n + 1)), Again::Same, "{n}");
            assert_eq!(seen.note(mix(n), mix(n + 2)), Again::Other, "{n}");
        }
        assert_eq!(seen.note(0, 0), Again::New);
        assert_eq!(seen.note(0, 0), Again::Same);
    }
}
