//! Stripe events, read side by side and taken in one after the other: what each means is
//! `stripe`'s business, keeping it is that of [`facts`](super::facts).
//!
//! [`blocks`] cuts; [`parse`] reads one event; [`seen`] knows which were there already. Here
//! they come together, in order, so that the first of two contradicting deliveries is kept
//! and complaints come line by line.

pub mod blocks;
mod parse;
mod seen;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use blocks::{Block, Feed};
use parse::{Kept, Parsed, What};
use seen::{Again, Seen};

use super::facts::Facts;
use super::notes::Notes;
use super::streamed::{BacktestError, Step, Watch};
use crate::domain::time::Timestamp;

/// What became of the lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventsRead {
    /// Events whose facts were folded.
    pub used: u64,
    /// Events that say nothing of interest, by reason code.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Deliveries of an event that was there already.
    pub duplicates: u64,
    /// Events that happened after the instant to decide for.
    pub later: u64,
    /// Events of interest that cannot be understood.
    pub quarantined: u64,
    /// Lines that are no event, or contradict one that was there already.
    pub unusable: u64,
}

impl EventsRead {
    /// `12 events used, 1 duplicate, 3 ignored (3 type_not_used), …`
    pub fn summary(&self) -> String {
        let ignored: u64 = self.ignored.values().sum();
        let by_reason = self.ignored.iter().map(|(code, n)| format!("{n} {code}"));
        let by_reason: Vec<String> = by_reason.collect();
        let counts = [
            (self.duplicates, "delivered again".to_owned()),
            (self.later, "later than --at".to_owned()),
            (ignored, format!("ignored ({})", by_reason.join(", "))),
        ];
        let mut text = vec![format!("events: {} used", self.used)];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        text.extend(counts.map(|(count, what)| format!("{count} {what}")));
        text.push(format!("{} quarantined", self.quarantined));
        text.push(format!("{} unusable", self.unusable));
        text.join(", ")
    }
}

/// Takes in events of one feed after the other.
pub struct EventReader<'w> {
    facts: Facts,
    until: Option<Timestamp>,
    threads: usize,
    watch: &'w dyn Watch,
    seen: Seen,
    read: EventsRead,
    newest: Option<Timestamp>,
    lines: u64,
}

/// What was read in all.
#[derive(Debug)]
pub struct Told {
    /// The facts.
    pub facts: Facts,
    /// What became of the lines.
    pub read: EventsRead,
    /// The newest `created` among the events.
    pub newest: Option<Timestamp>,
}

/// A block on its way: what is to be parsed, and where the outcome is awaited.
type Job = (Block, bool, SyncSender<Vec<Parsed>>);

impl<'w> EventReader<'w> {
    /// Keeps facts in `facts`; events after `until` are left out.
    pub fn new(
        facts: Facts,
        until: Option<Timestamp>,
        threads: usize,
        watch: &'w dyn Watch,
    ) -> Self {
        Self {
            facts,
            until,
            threads: threads.max(1),
            watch,
            seen: Seen::default(),
            read: EventsRead::default(),
            newest: None,
            lines: 0,
        }
    }

    /// What was read.
    pub fn finish(self) -> Told {
        Told {
            facts: self.facts,
            read: self.read,
            newest: self.newest,
        }
    }

    /// Reads a feed to its end. `name` is its file's, for complaints; a feed without one has
    /// no lines to complain about.
    pub fn read(
        &mut self,
        feed: &mut dyn Feed,
        name: Option<&str>,
        notes: &mut Notes<'_>,
    ) -> Result<(), BacktestError> {
        let (until, threads) = (self.until, self.threads);
        let scope = feed.scope().cloned();
        let packs = AtomicBool::new(self.facts.is_aside());
        let depth = threads * 3;
        let (jobs, waiting) = sync_channel::<Job>(depth);
        let (order, outcomes) = sync_channel(depth);
        let waiting = Mutex::new(waiting);
        let (waiting, packs, scope) = (&waiting, &packs, scope.as_ref());
        std::thread::scope(|threads_of| {
            let cut = threads_of.spawn(move || cut(feed, packs, &jobs, &order));
            for _ in 0..threads {
                threads_of.spawn(move || work(waiting, scope, until));
            }
            let taken = self.take_all(&outcomes, packs, name, notes);
            // Whoever still cuts or parses finds nobody waiting, and ends.
            drop(outcomes);
            let cut = cut
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            taken.and(cut)
        })
    }

    fn take_all(
        &mut self,
        outcomes: &Receiver<(u64, Receiver<Vec<Parsed>>)>,
        packs: &AtomicBool,
        name: Option<&str>,
        notes: &mut Notes<'_>,
    ) -> Result<(), BacktestError> {
        for (first, outcome) in outcomes {
            let Ok(parsed) = outcome.recv() else {
                break;
            };
            for (parsed, number) in parsed.into_iter().zip(first..) {
                let problem = self.take(parsed).map_err(BacktestError::Temporary)?;
                if let (Some(problem), Some(name)) = (problem, name) {
                    notes.unusable(name, number, problem);
                }
                self.lines += 1;
            }
            packs.store(self.facts.is_aside(), Ordering::Relaxed);
            self.watch.progress(Step::Events(self.lines));
            if self.watch.is_cancelled() {
                return Err(BacktestError::Cancelled);
            }
        }
        Ok(())
    }

    /// Takes in one event; says what is wrong with it.
    fn take(&mut self, parsed: Parsed) -> io::Result<Option<String>> {
        let (id, says, created, origin, what) = match parsed {
            Parsed::Blank => return Ok(None),
            Parsed::Later => {
                self.read.later += 1;
                return Ok(None);
            }
            Parsed::Unusable(problem) => {
                self.read.unusable += 1;
                return Ok(Some(problem));
            }
            Parsed::Event {
                id,
                says,
                created,
                origin,
                what,
            } => (id, says, created, origin, what),
        };
        if let Some((id, hash)) = id {
            match self.seen.note(hash, says) {
                Again::New => {}
                Again::Same => {
                    self.read.duplicates += 1;
                    return Ok(None);
                }
                Again::Other => {
                    self.read.unusable += 1;
                    return Ok(Some(format!(
                        "{id} was there already and said something else; the first is kept"
                    )));
                }
            }
        }
        self.newest = self.newest.max(Some(created));
        match what {
            What::Facts(facts) => {
                self.read.used += 1;
                let origin = self.facts.origin(&origin);
                for fact in facts {
                    match fact {
                        Kept::Held(fact) => self.facts.take(origin, *fact)?,
                        Kept::Packed(fact) => self.facts.take_packed(origin, &fact)?,
                    }
                }
                Ok(None)
            }
            What::Ignored(code) => {
                *self.read.ignored.entry(code).or_default() += 1;
                Ok(None)
            }
            What::Quarantined(reason) => {
                self.read.quarantined += 1;
                Ok(Some(format!("quarantined: {reason}")))
            }
        }
    }
}

/// Hands blocks to whoever parses, and the places where their outcomes will be to whoever waits.
fn cut(
    feed: &mut dyn Feed,
    packs: &AtomicBool,
    jobs: &SyncSender<Job>,
    order: &SyncSender<(u64, Receiver<Vec<Parsed>>)>,
) -> Result<(), BacktestError> {
    while let Some(block) = feed.next_block()? {
        let (done, outcome) = sync_channel(1);
        let first = block.first();
        let job = (block, packs.load(Ordering::Relaxed), done);
        if order.send((first, outcome)).is_err() || jobs.send(job).is_err() {
            break;
        }
    }
    Ok(())
}

fn work(
    waiting: &Mutex<Receiver<Job>>,
    scope: Option<&crate::ingest::read::Scope>,
    until: Option<Timestamp>,
) {
    loop {
        let job = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok((block, packs, done)) = job else {
            return;
        };
        // Nobody waits for it any more once something failed.
        let _ = done.send(block.parse(scope, until, packs));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::Mode;
    use crate::offline::events::blocks::LineFeed;
    use crate::offline::facts::Room;
    use crate::offline::origin::Origin;
    use crate::offline::source::Source;
    use crate::offline::streamed::Unwatched;

    const SHARED_TEST_ID: &str = "evt_00000000000000";

    fn event(id: &str, created: i64, email: &str, more: &str) -> String {
        format!(
            "{{\"id\":\"{id}\",\"object\":\"event\",\"created\":{created},\"livemode\":true{more},\
             \"type\":\"customer.updated\",\"data\":{{\"object\":{{\"id\":\"cus_1\",\
             \"object\":\"customer\",\"created\":1,\"email\":\"{email}\"}}}}}}"
        )
    }

    fn read(lines: &[String], until: Option<i64>) -> (Told, String) {
        let source = Source {
            name: "e".to_owned(),
            input: Box::new(io::Cursor::new(lines.join("\n").into_bytes())),
        };
        let mut said = Vec::new();
        let until = until.and_then(Timestamp::from_unix);
        let facts = Facts::new(Room {
            facts_max: 100,
            parts: 1,
            folder: None,
        });
        let mut reader = EventReader::new(facts, until, 2, &Unwatched);
        let mut feed = LineFeed { source, read: 0 };
        reader
            .read(&mut feed, Some("e"), &mut Notes::new(&mut said))
            .unwrap();
        (reader.finish(), String::from_utf8(said).unwrap())
    }

    #[test]
    fn the_same_event_is_used_once_however_it_is_delivered() {
        let lines = [
            event("evt_1", 10, "a@x.de", ",\"pending_webhooks\":2"),
            event("evt_1", 10, "a@x.de", ",\"pending_webhooks\":0"),
            event("evt_1", 10, "b@x.de", ""),
            event("evt_1", 10, "b@x.de", ",\"account\":\"acct_1\""),
        ];
        let (told, said) = read(&lines, None);
        let counts = &told.read;
        assert_eq!((counts.used, counts.duplicates, counts.unusable), (2, 1, 1));
        assert!(said.starts_with("e:3: evt_1 was there already"), "{said}");
        let origin = |account: Option<&str>| Origin {
            account: account.map(Into::into),
            mode: Mode::Live,
        };
        assert_eq!(told.facts.origins(), [origin(None), origin(Some("acct_1"))]);
        let kept: Vec<String> = told
            .facts
            .everybodys()
            .map(|book| serde_json::to_string(book).unwrap())
            .collect();
        assert!(
            kept[0].contains("a@x.de") && !kept[0].contains("b@x.de"),
            "the first is kept"
        );
        assert!(kept[1].contains("b@x.de"));
    }

    #[test]
    fn test_events_that_share_an_id_hide_no_other() {
        let lines = [
            event(SHARED_TEST_ID, 10, "a@x.de", ""),
            event(SHARED_TEST_ID, 10, "b@x.de", ""),
        ];
        let (told, said) = read(&lines, None);
        assert_eq!((told.read.used, said.as_str()), (2, ""));
    }

    #[test]
    fn what_happened_later_is_left_out() {
        let lines = [10, 11, 12].map(|at| event(&format!("evt_{at}"), at, "a@x.de", ""));
        let (told, _) = read(&lines, Some(11));
        assert_eq!((told.read.used, told.read.later), (2, 1));
        assert_eq!(told.newest, Timestamp::from_unix(11));
    }
}
