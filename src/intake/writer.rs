//! Group commit: one task takes whatever waits, stores it in one transaction, then answers
//! every request of the group. It decides nothing about the events.
//!
//! The database work belongs to the task and not to the requests, so a client that goes away
//! cannot cancel a transaction half-way.

use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::incoming::Incoming;
use super::sink::{EventSink, SinkError, Stored};
use crate::telemetry::metric;

/// Bytes that one permit of the queue's room stands for.
const PERMIT_BYTES: usize = 1024;

/// The bounds of the queue and of one commit.
#[derive(Debug, Clone, Copy)]
pub struct WriterLimits {
    /// Events that may wait.
    pub queue_events: usize,
    /// Bytes of bodies that may wait.
    pub queue_bytes: usize,
    /// Events in one commit.
    pub group_events: usize,
    /// Bytes of bodies in one commit, but for the last event's.
    pub group_bytes: usize,
}

impl Default for WriterLimits {
    fn default() -> Self {
        Self {
            queue_events: 8192,
            queue_bytes: 64 << 20,
            group_events: 256,
            group_bytes: 8 << 20,
        }
    }
}

/// Why an event was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Too much waits already.
    QueueFull,
    /// The database failed.
    Database,
    /// The writer has ended.
    Stopped,
}

struct Waiting {
    event: Incoming,
    reply: Reply,
}

struct Reply {
    answer: oneshot::Sender<Result<Stored, Refused>>,
    // Given back with the answer: what is being committed still takes room.
    _room: OwnedSemaphorePermit,
}

/// The way to the writer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

impl Writer {
    /// Starts the task. It ends after `stop`, when everything that waits is answered.
    /// `committed` is told after every commit.
    pub fn start(
        sink: Arc<dyn EventSink>,
        limits: WriterLimits,
        committed: Arc<Notify>,
        stop: CancellationToken,
    ) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(limits.queue_events);
        let room = Arc::new(Semaphore::new(limits.queue_bytes.div_ceil(PERMIT_BYTES)));
        let task = Task {
            sink,
            limits,
            committed,
            waiting,
        };
        (Self { queue, room }, tokio::spawn(task.run(stop)))
    }

    /// Stores an event; answers after the commit and not before.
    pub async fn store(&self, event: Incoming) -> Result<Stored, Refused> {
        let permits = event.body.len().div_ceil(PERMIT_BYTES).max(1);
        let permits = u32::try_from(permits).map_err(|_| Refused::QueueFull)?;
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(permits)
            .map_err(|_| Refused::QueueFull)?;
        let (answer, answered) = oneshot::channel();
        let reply = Reply {
            answer,
            _room: room,
        };
        self.queue
            .try_send(Waiting { event, reply })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Refused::QueueFull,
                mpsc::error::TrySendError::Closed(_) => Refused::Stopped,
            })?;
        answered.await.unwrap_or(Err(Refused::Stopped))
    }

    /// Whether the task still takes events.
    pub fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }
}

struct Task {
    sink: Arc<dyn EventSink>,
    limits: WriterLimits,
    committed: Arc<Notify>,
    waiting: mpsc::Receiver<Waiting>,
}

impl Task {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled(), if !self.waiting.is_closed() => {
                    // Nothing more comes in; what waits is still taken out below.
                    self.waiting.close();
                    continue;
                }
                first = self.waiting.recv() => first,
            };
            let Some(first) = first else { break };
            let (events, replies) = self.group(first);
            self.commit(events, replies).await;
        }
    }

    /// The first event and whatever waits behind it, within the bounds.
    fn group(&mut self, first: Waiting) -> (Vec<Incoming>, Vec<Reply>) {
        let mut bytes = first.event.body.len();
        let mut events = vec![first.event];
        let mut replies = vec![first.reply];
        while events.len() < self.limits.group_events && bytes < self.limits.group_bytes {
            let Ok(next) = self.waiting.try_recv() else {
                break;
            };
            bytes = bytes.saturating_add(next.event.body.len());
            events.push(next.event);
            replies.push(next.reply);
        }
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        metrics::gauge!(metric::QUEUE).set(waiting);
        (events, replies)
    }

    async fn commit(&self, events: Vec<Incoming>, replies: Vec<Reply>) {
        match self.insert(&events).await {
            Ok(outcomes) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    // A client that is gone needs no answer; its event is stored.
                    reply.answer.send(Ok(outcome)).ok();
                }
            }
            // One event that the database refuses must not take its neighbours with it.
            Err(SinkError::Refused(_)) if events.len() > 1 => {
                for (event, reply) in events.iter().zip(replies) {
                    let outcome = self.insert(std::slice::from_ref(event)).await;
                    let outcome = outcome.map_err(|_| Refused::Database);
                    let outcome = outcome.and_then(|o| o.first().copied().ok_or(Refused::Database));
                    reply.answer.send(outcome).ok();
                }
            }
            Err(_) => {
                for reply in replies {
                    reply.answer.send(Err(Refused::Database)).ok();
                }
            }
        }
    }

    async fn insert(&self, events: &[Incoming]) -> Result<Vec<Stored>, SinkError> {
        let started = tokio::time::Instant::now();
        let outcome = self.sink.insert(events).await.and_then(|outcomes| {
            if outcomes.len() == events.len() {
                Ok(outcomes)
            } else {
                let seen = outcomes.len();
                let text = format!("{seen} outcomes for {} events", events.len());
                Err(SinkError::Unavailable(text))
            }
        });
        match &outcome {
            Ok(_) => {
                self.committed.notify_one();
                let size = u32::try_from(events.len()).unwrap_or(u32::MAX);
                metrics::histogram!(metric::GROUP).record(size);
                metrics::histogram!(metric::COMMIT).record(started.elapsed());
            }
            Err(error) => {
                metrics::counter!(metric::COMMIT_FAILED).increment(1);
                tracing::error!(%error, group = events.len(), "events could not be stored");
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests;
