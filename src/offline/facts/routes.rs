//! Which facts belong together: those that share a mark. Nearly all marks are of one customer
//! alone; only anchors that meet others are remembered.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::io;

use super::chunks::Chunks;
use super::record::Anchor;
use crate::offline::streamed::Hashed;
use crate::payments::group::Joined;

/// Bytes of a (mark, anchor).
const PAIR_BYTES: usize = 16;

/// Where the anchors that meet others belong.
#[derive(Debug, Default)]
pub struct Routes {
    to: HashMap<u64, u64, BuildHasherDefault<Hashed>>,
    crowds: HashMap<u64, Vec<Anchor>, BuildHasherDefault<Hashed>>,
}

/// Notes that a fact bears a mark.
pub fn note(marks: &mut Chunks, mark: u64, anchor: Anchor) -> io::Result<()> {
    let parts = u64::try_from(marks.count().max(1)).unwrap_or(1);
    let part = usize::try_from(mark % parts).unwrap_or(0);
    marks.push(part, |out| {
        out.extend_from_slice(&mark.to_be_bytes());
        out.extend_from_slice(&anchor.0.to_be_bytes());
    })
}

impl Routes {
    /// Joins whatever shares a mark.
    pub fn new(marks: &Chunks) -> io::Result<Self> {
        let mut joined: Joined<Anchor> = Joined::default();
        let mut met: Vec<Anchor> = Vec::new();
        for part in 0..marks.count() {
            let bytes = marks.read(part)?;
            let pairs = bytes.chunks_exact(PAIR_BYTES).filter_map(|pair| {
                let (mark, anchor) = pair.split_first_chunk::<8>()?;
                let anchor: [u8; 8] = anchor.try_into().ok()?;
                Some((
                    u64::from_be_bytes(*mark),
                    Anchor(u64::from_be_bytes(anchor)),
                ))
            });
            let mut pairs: Vec<(u64, Anchor)> = pairs.collect();
            drop(bytes);
            pairs.sort_unstable();
            pairs.dedup();
            for pairs in pairs.chunk_by(|a, b| a.0 == b.0) {
                for pair in pairs.windows(2) {
                    if let [(_, a), (_, b)] = pair {
                        let (here, there) = (joined.node(*a), joined.node(*b));
                        joined.join(here, there);
                        met.extend([*a, *b]);
                    }
                }
            }
            met.sort_unstable();
            met.dedup();
        }
        let mut together: BTreeMap<usize, Vec<Anchor>> = BTreeMap::new();
        for anchor in met {
            let node = joined.node(anchor);
            together.entry(joined.root(node)).or_default().push(anchor);
        }
        let mut routes = Self::default();
        for anchors in together.into_values() {
            let customers = anchors.iter().filter(|anchor| anchor.is_customer());
            let customers: Vec<Anchor> = customers.copied().collect();
            let Some(head) = customers.first().or(anchors.first()).copied() else {
                continue;
            };
            for anchor in anchors.iter().filter(|anchor| **anchor != head) {
                routes.to.insert(anchor.0, head.0);
            }
            if customers.len() > 1 {
                routes.crowds.insert(head.0, customers);
            }
        }
        Ok(routes)
    }

    /// With whom an anchor belongs; mostly itself.
    pub fn head(&self, anchor: Anchor) -> Anchor {
        self.to.get(&anchor.0).map_or(anchor, |head| Anchor(*head))
    }

    /// Whether several customers belong together under this head.
    pub fn is_crowd(&self, head: Anchor) -> bool {
        self.crowds.contains_key(&head.0)
    }

    /// Every head under which several customers belong together, with those.
    pub fn crowds(&self) -> impl Iterator<Item = (Anchor, &[Anchor])> {
        let crowds = self.crowds.iter();
        crowds.map(|(head, customers)| (Anchor(*head), customers.as_slice()))
    }
}
