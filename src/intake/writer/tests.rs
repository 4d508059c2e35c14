//! The writer against a sink that can be held, fail, refuse and panic.

use std::sync::Mutex;

use super::*;
use crate::domain::campaign::Mode;
use crate::intake::sink::Storing;
use crate::store::events::EventState;

/// Stores ids; refuses `bad…`, fails on `down…`, panics on `boom…`; waits for a permit first.
#[derive(Debug)]
struct Fake {
    groups: Mutex<Vec<Vec<String>>>,
    gate: Semaphore,
}

impl Fake {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            groups: Mutex::default(),
            gate: Semaphore::new(permits),
        })
    }

    fn groups(&self) -> Vec<Vec<String>> {
        self.groups.lock().unwrap().clone()
    }
}

impl EventSink for Fake {
    fn insert<'a>(&'a self, _: &'a ConnectionId, events: &'a [NewEvent]) -> Storing<'a> {
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            let ids: Vec<String> = events.iter().map(|e| e.event_id.to_string()).collect();
            let any = |prefix: &str| ids.iter().any(|id| id.starts_with(prefix));
            assert!(!any("boom"));
            if any("down") {
                return Err(SinkError::Unavailable("down".into()));
            }
            if any("bad") {
                return Err(SinkError::Refused("bad".into()));
            }
            self.groups.lock().unwrap().push(ids.clone());
            Ok(vec![Inserted::New; ids.len()])
        })
    }
}

fn event(id: &str, bytes: usize) -> NewEvent {
    NewEvent {
        event_id: id.into(),
        event_type: "x.y".into(),
        api_version: None,
        created_at: 0,
        received_at_us: 0,
        mode: Mode::Live,
        body: vec![b'x'; bytes],
        packed: None,
        state: EventState::Received,
        reason: None,
        secret_index: None,
    }
}

async fn store(writer: &Writer, id: &str, bytes: usize) -> Result<Inserted, Refused> {
    writer.store("main".into(), event(id, bytes)).await
}

struct Bench {
    writer: Writer,
    task: JoinHandle<()>,
    stop: CancellationToken,
    committed: Arc<Notify>,
}

fn start(sink: &Arc<Fake>, limits: WriterLimits) -> Bench {
    let stop = CancellationToken::new();
    let committed = Arc::new(Notify::new());
    let sink: Arc<dyn EventSink> = Arc::clone(sink) as _;
    let (writer, task) = Writer::start(sink, limits, Arc::clone(&committed), stop.clone());
    Bench {
        writer,
        task,
        stop,
        committed,
    }
}

/// Posts events at once; on this single-threaded runtime each is queued before the next line.
async fn post(writer: &Writer, ids: &[&str]) -> Vec<JoinHandle<Result<Inserted, Refused>>> {
    let mut posted = Vec::new();
    for id in ids {
        let (writer, id) = (writer.clone(), (*id).to_owned());
        posted.push(tokio::spawn(async move { store(&writer, &id, 10).await }));
        tokio::task::yield_now().await;
    }
    posted
}

#[tokio::test]
async fn what_waits_during_a_commit_is_one_group() {
    let sink = Fake::new(0);
    let bench = start(&sink, WriterLimits::default());
    let posted = post(&bench.writer, &["a", "b", "c", "d"]).await;
    assert!(!posted[0].is_finished(), "no answer before the commit");
    sink.gate.add_permits(2);
    for answer in posted {
        assert_eq!(answer.await.unwrap(), Ok(Inserted::New));
    }
    assert_eq!(sink.groups(), [vec!["a"], vec!["b", "c", "d"]]);
    bench.committed.notified().await;
}

#[tokio::test]
async fn groups_keep_their_bounds() {
    let sink = Fake::new(0);
    let limits = WriterLimits {
        group_events: 2,
        group_bytes: 15,
        ..WriterLimits::default()
    };
    let bench = start(&sink, limits);
    let posted = post(&bench.writer, &["a", "b", "c", "d"]).await;
    sink.gate.add_permits(10);
    for answer in posted {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(sink.groups(), [vec!["a"], vec!["b", "c"], vec!["d"]]);
}

#[tokio::test]
async fn when_the_database_fails_every_request_of_the_group_hears_it() {
    let sink = Fake::new(0);
    let bench = start(&sink, WriterLimits::default());
    let posted = post(&bench.writer, &["a", "b", "down", "c"]).await;
    sink.gate.add_permits(10);
    let mut answers = Vec::new();
    for answer in posted {
        answers.push(answer.await.unwrap());
    }
    let failed = Err(Refused::Database);
    assert_eq!(answers, [Ok(Inserted::New), failed, failed, failed]);
    // The writer lives on.
    assert_eq!(store(&bench.writer, "e", 1).await, Ok(Inserted::New));
}

#[tokio::test]
async fn an_event_that_is_refused_takes_no_neighbour_with_it() {
    let sink = Fake::new(0);
    let bench = start(&sink, WriterLimits::default());
    let posted = post(&bench.writer, &["a", "b", "bad", "c"]).await;
    sink.gate.add_permits(10);
    let mut answers = Vec::new();
    for answer in posted {
        answers.push(answer.await.unwrap().is_ok());
    }
    assert_eq!(answers, [true, true, false, true]);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_by_count_and_by_bytes() {
    let sink = Fake::new(0);
    let limits = WriterLimits {
        queue_events: 1,
        queue_bytes: 4096,
        ..WriterLimits::default()
    };
    let bench = start(&sink, limits);
    let posted = post(&bench.writer, &["a", "b"]).await;
    let full = Err(Refused::QueueFull);
    assert_eq!(store(&bench.writer, "c", 10).await, full);
    assert_eq!(store(&bench.writer, "d", 4000).await, full);
    sink.gate.add_permits(10);
    for answer in posted {
        answer.await.unwrap().unwrap();
    }
    // The room is given back.
    assert_eq!(store(&bench.writer, "e", 4000).await, Ok(Inserted::New));
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_nothing() {
    let sink = Fake::new(0);
    let bench = start(&sink, WriterLimits::default());
    let posted = post(&bench.writer, &["a", "b"]).await;
    posted.iter().for_each(JoinHandle::abort);
    sink.gate.add_permits(2);
    bench.stop.cancel();
    bench.task.await.unwrap();
    assert_eq!(sink.groups(), [["a"], ["b"]]);
}

#[tokio::test]
async fn when_told_to_end_it_stores_what_waits_and_takes_no_more() {
    let sink = Fake::new(0);
    let bench = start(&sink, WriterLimits::default());
    let posted = post(&bench.writer, &["a", "b"]).await;
    bench.stop.cancel();
    sink.gate.add_permits(10);
    for answer in posted {
        assert_eq!(answer.await.unwrap(), Ok(Inserted::New));
    }
    bench.task.await.unwrap();
    assert!(!bench.writer.is_alive());
    let late = store(&bench.writer, "c", 10).await;
    assert_eq!(late, Err(Refused::Stopped));
}

#[tokio::test]
async fn a_dead_writer_refuses_instead_of_hanging() {
    let sink = Fake::new(10);
    let bench = start(&sink, WriterLimits::default());
    let answer = store(&bench.writer, "boom", 10).await;
    assert_eq!(answer, Err(Refused::Stopped));
    assert!(bench.task.await.is_err());
    assert!(!bench.writer.is_alive());
    let next = store(&bench.writer, "a", 10).await;
    assert_eq!(next, Err(Refused::Stopped));
}
