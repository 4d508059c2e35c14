//! Facts that were put aside, handed over again part by part as customers.

use std::collections::BTreeSet;
use std::io;

use super::Aside;
use super::chunks::Chunks;
use super::record::{Anchor, unpack};
use super::routes::Routes;
use crate::domain::fact::FactBook;
use crate::offline::streamed::{BacktestError, Shards, Take, Views, persons};

/// Customers that belong together without being one, in one part, at most (about).
const CROWD_CUSTOMERS_MAX: usize = 10_000;
/// Bytes before a fact: its length, origin and anchor.
const HEAD_BYTES: usize = 14;

/// Everything that events told.
#[derive(Debug)]
pub struct Parts {
    /// Everything, or what is everybody's.
    books: Vec<FactBook>,
    aside: Option<Placed>,
}

#[derive(Debug)]
struct Placed {
    parts: Chunks,
    routes: Routes,
    /// Parts of their own for customers that belong together, by head.
    crowds: Vec<BTreeSet<Anchor>>,
}

/// The same, as a question's campaigns see it.
#[derive(Debug)]
pub struct Seen<'p> {
    parts: &'p Parts,
    views: Views,
}

/// Appends a fact.
pub fn write(out: &mut Vec<u8>, origin: usize, anchor: Anchor, fact: &[u8]) {
    let length = u32::try_from(fact.len()).unwrap_or(0);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&u16::try_from(origin).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&anchor.0.to_be_bytes());
    out.extend_from_slice(fact);
}

/// Takes the first fact off: (origin, anchor, fact).
fn next<'b>(bytes: &mut &'b [u8]) -> Option<(usize, Anchor, &'b [u8])> {
    let head = bytes.first_chunk::<HEAD_BYTES>()?;
    let (length, rest) = head.split_first_chunk::<4>()?;
    let (origin, rest) = rest.split_first_chunk::<2>()?;
    let anchor = rest.first_chunk::<8>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let fact = bytes.get(HEAD_BYTES..HEAD_BYTES + length)?;
    *bytes = bytes.get(HEAD_BYTES + length..)?;
    Some((
        usize::from(u16::from_be_bytes(*origin)),
        Anchor(u64::from_be_bytes(*anchor)),
        fact,
    ))
}

impl Parts {
    pub(super) fn new(books: Vec<FactBook>, aside: Option<Aside>) -> io::Result<Self> {
        let Some(mut aside) = aside else {
            return Ok(Self { books, aside: None });
        };
        let routes = Routes::new(&aside.marks)?;
        for part in 0..aside.orphans.count() {
            let orphans = aside.orphans.read(part)?;
            let mut bytes = orphans.as_slice();
            while let Some((origin, anchor, fact)) = next(&mut bytes) {
                let part = routes.head(anchor).part(aside.parts.count());
                aside
                    .parts
                    .push(part, |out| write(out, origin, anchor, fact))?;
            }
        }
        let mut crowds: Vec<BTreeSet<Anchor>> = Vec::new();
        let mut room = 0;
        let mut sizes: Vec<_> = routes
            .crowds()
            .map(|(head, all)| (head, all.len()))
            .collect();
        sizes.sort_unstable();
        for (head, customers) in sizes {
            if room < customers {
                crowds.push(BTreeSet::new());
                room = CROWD_CUSTOMERS_MAX;
            }
            room = room.saturating_sub(customers);
            if let Some(crowd) = crowds.last_mut() {
                crowd.insert(head);
            }
        }
        let placed = Placed {
            parts: aside.parts,
            routes,
            crowds,
        };
        Ok(Self {
            books,
            aside: Some(placed),
        })
    }

    /// As these views see it.
    pub const fn seen(&self, views: Views) -> Seen<'_> {
        Seen { parts: self, views }
    }
}

impl Placed {
    /// Folds what lies in a part on the disk, as far as it is wanted, into books by origin.
    fn fold(
        &self,
        part: usize,
        wanted: impl Fn(Anchor) -> bool,
        books: &mut [FactBook],
    ) -> Result<(), BacktestError> {
        let bytes = self.parts.read(part).map_err(BacktestError::Temporary)?;
        let mut bytes = bytes.as_slice();
        while let Some((origin, anchor, fact)) = next(&mut bytes) {
            if !wanted(self.routes.head(anchor)) {
                continue;
            }
            let damaged = || BacktestError::Temporary(io::Error::other("it is damaged"));
            let fact = unpack(fact).ok_or_else(damaged)?;
            if let Some(book) = books.get_mut(origin) {
                book.fold(fact);
            }
        }
        Ok(())
    }
}

impl Shards for Seen<'_> {
    fn count(&self) -> usize {
        let aside = self.parts.aside.as_ref();
        aside.map_or(1, |placed| placed.parts.count() + placed.crowds.len())
    }

    fn each(&self, _: usize, shard: usize, take: &mut Take<'_>) -> Result<(), BacktestError> {
        let everybodys = &self.parts.books;
        let Some(placed) = &self.parts.aside else {
            return persons(everybodys, &[], &self.views, take);
        };
        let mut books: Vec<FactBook> = everybodys.iter().map(|_| FactBook::default()).collect();
        let parts = placed.parts.count();
        match shard.checked_sub(parts) {
            None => {
                let wanted = |head| !placed.routes.is_crowd(head);
                placed.fold(shard, wanted, &mut books)?;
            }
            Some(crowd) => {
                let empty = BTreeSet::new();
                let heads = placed.crowds.get(crowd).unwrap_or(&empty);
                let here = placed
                    .routes
                    .crowds()
                    .filter(|(head, _)| heads.contains(head));
                // Facts lie where their own customer's lie, orphans where their head's do.
                let lies = here.flat_map(|(head, all)| all.iter().copied().chain([head]));
                let lies: BTreeSet<usize> = lies.map(|anchor| anchor.part(parts)).collect();
                for part in lies {
                    placed.fold(part, |head| heads.contains(&head), &mut books)?;
                }
            }
        }
        persons(&books, everybodys, &self.views, take)
    }
}
