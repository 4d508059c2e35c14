//! One event: what it is, whose, what it says, ready to be kept. It depends on nothing that was
//! read before, so that many are read at once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use crate::domain::fact::Fact;
use crate::domain::time::Timestamp;
use crate::ingest::read::Scope;
use crate::offline::facts::{Packed, is_everybodys, pack};
use crate::offline::origin::Origin;
use crate::store::events::{EventState, StoredEvent};
use crate::stripe::{self, Event, Reading};

/// The id that the Dashboard's test events share; it names no event.
const SHARED_TEST_ID: &str = "evt_00000000000000";

/// What a line or a stored event comes to.
#[derive(Debug)]
pub enum Parsed {
    /// Nothing is there.
    Blank,
    /// No event.
    Unusable(String),
    /// It happened after the instant to decide for.
    Later,
    /// An event.
    Event {
        /// Its id, for messages, with its hash; `None` if it is known to be there once.
        id: Option<(Box<str>, u64)>,
        /// A hash of what it says.
        says: u64,
        /// When it happened.
        created: Timestamp,
        /// Whose facts it tells.
        origin: Origin,
        /// What it says.
        what: What,
    },
}

/// What an event says.
#[derive(Debug)]
pub enum What {
    /// Facts.
    Facts(Vec<Kept>),
    /// Nothing of interest: the reason's code.
    Ignored(&'static str),
    /// Something that cannot be understood, and why.
    Quarantined(String),
}

/// A fact as it is kept.
#[derive(Debug)]
pub enum Kept {
    /// In memory.
    Held(Box<Fact>),
    /// On the disk.
    Packed(Packed),
}

fn kept(facts: Vec<Fact>, packs: bool) -> What {
    let keep = |fact: Fact| {
        if packs && !is_everybodys(fact.object.kind) {
            Kept::Packed(pack(&fact))
        } else {
            Kept::Held(Box::new(fact))
        }
    };
    What::Facts(facts.into_iter().map(keep).collect())
}

/// Reads a line. `packs`: whether facts go to the disk.
pub fn line(line: &[u8], until: Option<Timestamp>, packs: bool) -> Parsed {
    if line.trim_ascii().is_empty() {
        return Parsed::Blank;
    }
    let Event { envelope, reading } = match stripe::read_event(line) {
        Ok(event) => event,
        Err(problem) => return Parsed::Unusable(problem.to_string()),
    };
    if until.is_some_and(|until| envelope.created > until) {
        return Parsed::Later;
    }
    let says = digest(&envelope.event_type, envelope.created, &reading);
    let origin = Origin {
        account: envelope.account,
        mode: envelope.mode,
    };
    let mut hasher = DefaultHasher::new();
    (&origin, envelope.id.as_str()).hash(&mut hasher);
    let id = (envelope.id.as_str() != SHARED_TEST_ID)
        .then(|| (envelope.id.as_str().into(), hasher.finish()));
    Parsed::Event {
        id,
        says,
        created: envelope.created,
        origin,
        what: match reading {
            Reading::Facts(facts) => kept(facts, packs),
            Reading::Ignored { reason } => What::Ignored(reason.code()),
            Reading::Quarantined { reason } => What::Quarantined(reason.to_string()),
        },
    }
}

/// Reads a stored event, as the running service does.
pub fn stored(scope: &Scope, event: StoredEvent, until: Option<Timestamp>, packs: bool) -> Parsed {
    let created = Timestamp::from_unix(event.created_at).unwrap_or_default();
    if until.is_some_and(|until| event.created_at > until.unix()) {
        return Parsed::Later;
    }
    let mut read = crate::ingest::read::read(scope, &[event]);
    let what = match read.marks.pop().map(|mark| mark.state) {
        Some(EventState::Done) => kept(read.facts, packs),
        Some(EventState::Quarantined) => What::Quarantined(String::new()),
        _ => What::Ignored("not_used"),
    };
    Parsed::Event {
        id: None,
        says: 0,
        created,
        // A connection is one account in one mode, whatever its events name.
        origin: Origin {
            account: None,
            mode: scope.mode,
        },
        what,
    }
}

/// What an event says, as one number. Deliveries of one event differ in `pending_webhooks`
/// and the like, so the bytes would not do.
fn digest(event_type: &str, created: Timestamp, reading: &Reading) -> u64 {
    struct Sink(DefaultHasher);
    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink(DefaultHasher::new());
    sink.0.write(event_type.as_bytes());
    sink.0.write_i64(created.unix());
    if let Reading::Facts(facts) = reading {
        // Facts have no form that cannot be written, and the sink takes everything.
        let _ = serde_json::to_writer(&mut sink, facts);
    }
    sink.0.finish()
}
