//! Stripe events, one a line, folded as they are read. Bodies are not kept; what an event
//! means is `stripe`'s business.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hasher};
use std::io;

use super::history::{History, Origin};
use super::lines::{LINE_BYTES_MAX, Line, next_line};
use super::notes::Notes;
use super::source::Source;
use crate::domain::time::Timestamp;
use crate::stripe::{self, Event, Reading};

/// The id that the Dashboard's test events share; it names no event.
const SHARED_TEST_ID: &str = "evt_00000000000000";

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

/// Reads sources of events one after the other.
pub struct EventReader<'h> {
    history: &'h mut History,
    until: Option<Timestamp>,
    seen: HashMap<Origin, HashMap<Box<str>, u64>>,
    read: EventsRead,
}

impl<'h> EventReader<'h> {
    /// Folds into `history`; events after `until` are left out.
    pub fn new(history: &'h mut History, until: Option<Timestamp>) -> Self {
        Self {
            history,
            until,
            seen: HashMap::new(),
            read: EventsRead::default(),
        }
    }

    /// Reads one source to its end. Errors only if it cannot be read on.
    pub fn read(&mut self, source: &mut Source, notes: &mut Notes<'_>) -> io::Result<()> {
        let mut buffer = Vec::new();
        for number in 1.. {
            let line = next_line(source.input.as_mut(), &mut buffer, LINE_BYTES_MAX);
            let problem = match line.map_err(|e| at_line(&e, &source.name, number))? {
                Line::End => break,
                Line::TooLong => {
                    self.read.unusable += 1;
                    Some(format!("the line is longer than {LINE_BYTES_MAX} bytes"))
                }
                Line::Text => self.line(without_bom(&buffer, number)),
            };
            if let Some(problem) = problem {
                notes.unusable(&source.name, number, problem);
            }
        }
        Ok(())
    }

    /// What became of the lines.
    pub fn finish(self) -> EventsRead {
        self.read
    }

    /// Takes in one line; says what is wrong with it.
    fn line(&mut self, line: &[u8]) -> Option<String> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        match stripe::read_event(line) {
            Ok(event) => self.event(event),
            Err(problem) => {
                self.read.unusable += 1;
                Some(problem.to_string())
            }
        }
    }

    fn event(&mut self, event: Event) -> Option<String> {
        let Event { envelope, reading } = event;
        if self.until.is_some_and(|until| envelope.created > until) {
            self.read.later += 1;
            return None;
        }
        let origin = Origin {
            account: envelope.account,
            mode: envelope.mode,
        };
        if envelope.id.as_str() != SHARED_TEST_ID {
            let seen = self.seen.entry(origin.clone()).or_default();
            let says = digest(&envelope.event_type, envelope.created, &reading);
            match seen.get(envelope.id.as_str()) {
                Some(said) if *said == says => {
                    self.read.duplicates += 1;
                    return None;
                }
                Some(_) => {
                    self.read.unusable += 1;
                    return Some(format!(
                        "{} was there already and said something else; the first is kept",
                        envelope.id
                    ));
                }
                None => {
                    seen.insert(envelope.id.as_str().into(), says);
                }
            }
        }
        self.history.newest = self.history.newest.max(Some(envelope.created));
        match reading {
            Reading::Facts(facts) => {
                self.read.used += 1;
                self.history.facts.entry(origin).or_default().extend(facts);
                None
            }
            Reading::Ignored { reason } => {
                *self.read.ignored.entry(reason.code()).or_default() += 1;
                None
            }
            Reading::Quarantined { reason } => {
                self.read.quarantined += 1;
                Some(format!("quarantined: {reason}"))
            }
        }
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

fn at_line(error: &io::Error, name: &str, line: u64) -> io::Error {
    io::Error::new(error.kind(), format!("{name}:{line}: {error}"))
}

/// The first line of a file saved by some editors begins with a byte order mark.
fn without_bom(line: &[u8], number: u64) -> &[u8] {
    match line.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) if number == 1 => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::Mode;

    fn event(id: &str, created: i64, email: &str, more: &str) -> String {
        format!(
            "{{\"id\":\"{id}\",\"object\":\"event\",\"created\":{created},\"livemode\":true{more},\
             \"type\":\"customer.updated\",\"data\":{{\"object\":{{\"id\":\"cus_1\",\
             \"object\":\"customer\",\"created\":1,\"email\":\"{email}\"}}}}}}"
        )
    }

    fn read(lines: &[String], until: Option<i64>) -> (History, EventsRead, String) {
        let mut source = Source {
            name: "e".to_owned(),
            input: Box::new(io::Cursor::new(lines.join("\n").into_bytes())),
        };
        let (mut history, mut said) = (History::default(), Vec::new());
        let until = until.and_then(Timestamp::from_unix);
        let mut reader = EventReader::new(&mut history, until);
        reader
            .read(&mut source, &mut Notes::new(&mut said))
            .unwrap();
        let read = reader.finish();
        (history, read, String::from_utf8(said).unwrap())
    }

    #[test]
    fn the_same_event_is_used_once_however_it_is_delivered() {
        let lines = [
            event("evt_1", 10, "a@x.de", ",\"pending_webhooks\":2"),
            event("evt_1", 10, "a@x.de", ",\"pending_webhooks\":0"),
            event("evt_1", 10, "b@x.de", ""),
            event("evt_1", 10, "b@x.de", ",\"account\":\"acct_1\""),
        ];
        let (history, read, said) = read(&lines, None);
        assert_eq!((read.used, read.duplicates, read.unusable), (2, 1, 1));
        assert!(said.starts_with("e:3: evt_1 was there already"), "{said}");
        assert_eq!(history.accounts().len(), 1);
        let origin = |account: Option<&str>| Origin {
            account: account.map(Into::into),
            mode: Mode::Live,
        };
        let kept = serde_json::to_string(&history.facts[&origin(None)]).unwrap();
        assert!(
            kept.contains("a@x.de") && !kept.contains("b@x.de"),
            "the first is kept"
        );
        // Events that name no account belong to each.
        let account = "acct_1".into();
        let both = history.facts_of(Some(&account), Mode::Live);
        let both = serde_json::to_string(both.as_ref()).unwrap();
        assert!(both.contains("a@x.de") && both.contains("b@x.de"));
        assert!(history.facts_of(Some(&account), Mode::Test).is_empty());
    }

    #[test]
    fn test_events_that_share_an_id_hide_no_other() {
        let lines = [
            event(SHARED_TEST_ID, 10, "a@x.de", ""),
            event(SHARED_TEST_ID, 10, "b@x.de", ""),
        ];
        let (_, read, said) = read(&lines, None);
        assert_eq!((read.used, said.as_str()), (2, ""));
    }

    #[test]
    fn what_happened_later_is_left_out() {
        let lines = [10, 11, 12].map(|at| event(&format!("evt_{at}"), at, "a@x.de", ""));
        let (history, read, _) = read(&lines, Some(11));
        assert_eq!((read.used, read.later), (2, 1));
        assert_eq!(history.newest, Timestamp::from_unix(11));
    }
}
