//! Judges every customer of a history, shard by shard, on several threads, with one customer in
//! memory at a time; then, together, the few that share a referral.
//!
//! A customer is judged by itself the moment it is read, with the referrals that may claim it.
//! That is right unless another customer has to do with one of them, which is known at the end:
//! then what was said is struck out by its tag, and the customers concerned are read again.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::BacktestError;
use super::index::KeyIndex;
use super::part::Judge;
use super::rows::NO_TAG;
use super::runs::{Runs, Sorter};
use super::shards::Shards;
use super::threads::share_out;
use super::touches::{Components, Group, Touches};
use super::views::Person;
use super::watch::{Step, Watch};
use crate::domain::ids::CustomerId;

/// Referrals without any customer that are judged at a time.
const ALONE_AT_ONCE: usize = 1_000;
/// Customers after which a shard tells how far it is.
const TOLD_EVERY: u64 = 1_000;

/// How much of the machine may be used.
#[derive(Debug, Clone)]
pub struct Means {
    /// Threads.
    pub threads: usize,
    /// Where to put things aside; the system's folder if `None`.
    pub folder: Option<PathBuf>,
    /// What is held in memory.
    pub held: Held,
}

/// How much is held in memory before it is put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Facts of events. Half a million, of some 200,000 events, take about 300 MB.
    pub facts: usize,
    /// Bytes of verdicts, all threads and rule sets together.
    pub verdict_bytes: usize,
    /// Customers that have to be judged together with others.
    pub persons: usize,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            facts: 500_000,
            verdict_bytes: 128 * 1024 * 1024,
            persons: 20_000,
        }
    }
}

/// The verdicts of each rule set, sorted, and which of them are struck out.
#[derive(Debug)]
pub struct Verdicts {
    runs: Vec<Runs>,
    components: Components,
}

impl Verdicts {
    /// By rule set; and what says which of them were said too early.
    pub fn split(&mut self) -> (&mut [Runs], &Components) {
        (&mut self.runs, &self.components)
    }
}

struct Reader {
    sorters: Vec<Sorter>,
    touches: Touches,
}

/// Judges everybody.
pub fn judge_all(
    judge: &Judge<'_>,
    shards: &dyn Shards,
    means: &Means,
    watch: &dyn Watch,
) -> Result<Verdicts, BacktestError> {
    let campaigns = judge.sets.iter().flatten().map(|tried| tried.campaign);
    let index = KeyIndex::new(&judge.people.referrals, &judge.people.decisions, campaigns);
    let run_bytes = means.held.verdict_bytes / means.threads.max(1) / judge.sets.len().max(1);
    let sorters = || -> Vec<Sorter> {
        let new = |_| Sorter::new(means.folder.clone(), run_bytes);
        judge.sets.iter().map(new).collect()
    };
    let reader = |_| Reader {
        sorters: sorters(),
        touches: Touches::default(),
    };
    let (judged, of) = (AtomicU64::new(0), shards.persons());
    let tell = |more| {
        let done = judged.fetch_add(more, Ordering::Relaxed) + more;
        watch.progress(Step::Customers { done, of });
    };
    let readers = share_out(
        means.threads,
        shards.count(),
        watch,
        reader,
        |thread, reader, shard| {
            let mut seen = 0;
            shards.each(thread, shard, &mut |person| {
                seen += 1;
                if seen % TOLD_EVERY == 0 {
                    tell(TOLD_EVERY);
                    if watch.is_cancelled() {
                        return Err(BacktestError::Cancelled);
                    }
                }
                by_itself(judge, &index, reader, shard, person)
            })?;
            tell(seen % TOLD_EVERY);
            Ok(())
        },
    )?;
    drop(index);
    let mut runs: Vec<Runs> = judge.sets.iter().map(|_| Runs::default()).collect();
    let mut keep = |sorters: Vec<Sorter>| {
        runs.iter_mut()
            .zip(sorters)
            .for_each(|(runs, sorter)| runs.add(sorter));
    };
    let mut touches = Vec::with_capacity(readers.len());
    for reader in readers {
        keep(reader.sorters);
        touches.push(reader.touches);
    }
    let components = Components::new(judge.people.referrals.len(), &touches);
    let groups = components.groups(&touches);
    drop(touches);
    together(judge, shards, means, watch, &sorters, groups, &mut keep)?;
    let alone = components.alone();
    let chunks: Vec<&[u32]> = alone.chunks(ALONE_AT_ONCE).collect();
    let done = share_out(
        means.threads,
        chunks.len(),
        watch,
        |_| sorters(),
        |_, sorters, chunk| {
            let referrals = chunks.get(chunk).copied().unwrap_or_default();
            judge.part(Vec::new(), referrals, NO_TAG, sorters)
        },
    )?;
    for sorters in done {
        keep(sorters);
    }
    Ok(Verdicts { runs, components })
}

fn by_itself(
    judge: &Judge<'_>,
    index: &KeyIndex,
    reader: &mut Reader,
    shard: usize,
    person: Person,
) -> Result<(), BacktestError> {
    let mut referrals = Vec::new();
    for (_, customer) in &person.seen {
        index.claimants(customer, &mut referrals);
    }
    referrals.sort_unstable();
    referrals.dedup();
    if !referrals.is_empty() {
        reader.touches.add(shard, &person.id, &referrals);
    }
    let tag = referrals.first().copied().unwrap_or(NO_TAG);
    judge.part(vec![person], &referrals, tag, &mut reader.sorters)
}

/// Judges what hangs together, a bounded number of customers at a time.
fn together(
    judge: &Judge<'_>,
    shards: &dyn Shards,
    means: &Means,
    watch: &dyn Watch,
    sorters: &(dyn Fn() -> Vec<Sorter> + Sync),
    groups: Vec<Group>,
    keep: &mut dyn FnMut(Vec<Sorter>),
) -> Result<(), BacktestError> {
    let mut groups = groups.into_iter().peekable();
    while groups.peek().is_some() {
        let (mut batch, mut persons) = (Vec::new(), 0);
        while let Some(group) = groups.next_if(|_| persons == 0 || persons < means.held.persons) {
            persons += group.persons.len();
            batch.push(group);
        }
        let mut found = read_again(shards, means, watch, &batch)?;
        let parts = batch.into_iter().map(|group| {
            let mut persons: Vec<Person> = group
                .persons
                .iter()
                .filter_map(|(_, id)| found.remove(id))
                .collect();
            persons.sort_by(|a, b| a.id.cmp(&b.id));
            Mutex::new((persons, group.referrals))
        });
        let parts: Vec<Mutex<(Vec<Person>, Vec<u32>)>> = parts.collect();
        let done = share_out(
            means.threads,
            parts.len(),
            watch,
            |_| sorters(),
            |_, sorters, part| {
                let part = parts.get(part).and_then(|part| part.lock().ok());
                let (persons, referrals) = part
                    .map(|mut part| std::mem::take(&mut *part))
                    .unwrap_or_default();
                judge.part(persons, &referrals, NO_TAG, sorters)
            },
        )?;
        for sorters in done {
            keep(sorters);
        }
    }
    Ok(())
}

/// The customers of some groups, read from their shards once more.
fn read_again(
    shards: &dyn Shards,
    means: &Means,
    watch: &dyn Watch,
    groups: &[Group],
) -> Result<HashMap<CustomerId, Person>, BacktestError> {
    let mut wanted: BTreeMap<usize, Vec<CustomerId>> = BTreeMap::new();
    for (shard, id) in groups.iter().flat_map(|group| &group.persons) {
        wanted.entry(*shard).or_default().push(id.clone());
    }
    for ids in wanted.values_mut() {
        ids.sort_unstable();
    }
    let wanted: Vec<(usize, Vec<CustomerId>)> = wanted.into_iter().collect();
    let found = share_out(
        means.threads,
        wanted.len(),
        watch,
        |_| Vec::new(),
        |thread, found, item| {
            let Some((shard, ids)) = wanted.get(item) else {
                return Ok(());
            };
            shards.some(thread, *shard, ids, &mut |person| {
                found.push(person);
                Ok(())
            })
        },
    )?;
    let found = found.into_iter().flatten();
    Ok(found
        .map(|person: Person| (person.id.clone(), person))
        .collect())
}
