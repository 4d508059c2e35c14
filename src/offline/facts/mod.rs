//! What events told, kept: folded in memory while it is little, else in parts on the disk, each
//! with everything that its customers need.
//!
//! [`record`] packs a fact; [`chunks`] is the file; [`routes`] finds what belongs together
//! although it names no customer, or several; [`parts`] hands customers over again.

mod chunks;
mod parts;
mod record;
mod routes;

use std::io;
use std::path::PathBuf;

pub use parts::Parts;
pub use record::{Packed, is_everybodys, pack};

use chunks::Chunks;

use super::origin::Origin;
use super::streamed::Means;
use crate::domain::fact::{Fact, FactBook};

/// Parts on the disk.
const PARTS: usize = 512;
/// Parts that the notes on what belongs together are sorted in.
const MARK_PARTS: usize = 64;

/// Parts of what names no customer, so that it is never held all at once.
const ORPHAN_PARTS: usize = 64;

/// How much is held in memory, and where the rest goes.
#[derive(Debug, Clone)]
pub struct Room {
    /// Facts held before they are put aside.
    pub facts_max: usize,
    /// Parts that they are put aside in.
    pub parts: usize,
    /// The folder; the system's if `None`.
    pub folder: Option<PathBuf>,
}

impl Room {
    /// What a run may use.
    pub fn of(means: &Means) -> Self {
        Self {
            facts_max: means.held.facts,
            parts: PARTS,
            folder: means.folder.clone(),
        }
    }
}

/// Facts as they come in.
#[derive(Debug)]
pub struct Facts {
    room: Room,
    origins: Vec<Origin>,
    taken: usize,
    /// By origin: everything, or what is everybody's once the rest is put aside.
    books: Vec<FactBook>,
    aside: Option<Aside>,
}

#[derive(Debug)]
struct Aside {
    parts: Chunks,
    /// Facts that name no customer.
    orphans: Chunks,
    marks: Chunks,
}

impl Facts {
    /// None yet.
    pub const fn new(room: Room) -> Self {
        Self {
            room,
            origins: Vec::new(),
            taken: 0,
            books: Vec::new(),
            aside: None,
        }
    }

    /// Whether facts are put aside by now, so that it is worth packing them.
    pub const fn is_aside(&self) -> bool {
        self.aside.is_some()
    }

    /// The number of an origin.
    pub fn origin(&mut self, origin: &Origin) -> usize {
        let there = self.origins.iter().position(|one| one == origin);
        there.unwrap_or_else(|| {
            self.origins.push(origin.clone());
            self.books.push(FactBook::default());
            self.origins.len() - 1
        })
    }

    /// Takes in a fact of an origin.
    pub fn take(&mut self, origin: usize, fact: Fact) -> io::Result<()> {
        if let Some(aside) = &mut self.aside
            && !is_everybodys(fact.object.kind)
        {
            return aside.put(origin, &pack(&fact));
        }
        if let Some(book) = self.books.get_mut(origin) {
            book.fold(fact);
        }
        self.taken += 1;
        if self.aside.is_none() && self.taken > self.room.facts_max {
            self.put_aside()?;
        }
        Ok(())
    }

    /// Takes in a packed fact; only once [`Self::is_aside`].
    pub fn take_packed(&mut self, origin: usize, fact: &Packed) -> io::Result<()> {
        match &mut self.aside {
            Some(aside) => aside.put(origin, fact),
            None => Err(io::Error::other("facts are packed too early")),
        }
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let folder = self.room.folder.as_deref();
        let mut aside = Aside {
            parts: Chunks::new(self.room.parts, folder)?,
            orphans: Chunks::new(ORPHAN_PARTS, folder)?,
            marks: Chunks::new(MARK_PARTS, folder)?,
        };
        for (origin, book) in self.books.iter_mut().enumerate() {
            for fact in std::mem::take(book) {
                if is_everybodys(fact.object.kind) {
                    book.fold(fact);
                } else {
                    aside.put(origin, &pack(&fact))?;
                }
            }
        }
        self.aside = Some(aside);
        Ok(())
    }

    /// Everything that coupons and promotion codes say, of all origins.
    pub fn everybodys(&self) -> impl Iterator<Item = &FactBook> {
        self.books.iter()
    }

    /// The origins, in the order in which views name them.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Ready to be read by parts.
    pub fn finish(self) -> io::Result<Parts> {
        Parts::new(self.books, self.aside)
    }
}

impl Aside {
    fn put(&mut self, origin: usize, fact: &Packed) -> io::Result<()> {
        for mark in &fact.marks {
            routes::note(&mut self.marks, *mark, fact.anchor)?;
        }
        let write = |out: &mut Vec<u8>| parts::write(out, origin, fact.anchor, &fact.bytes);
        if fact.anchor.is_customer() {
            self.parts.push(fact.anchor.part(self.parts.count()), write)
        } else {
            self.orphans.push(fact.anchor.part(ORPHAN_PARTS), write)
        }
    }
}
