//! Group commit: one task takes whatever waits, stores it in one transaction (per connection),
//! then answers every request of the group. It decides nothing about the events.
//!
//! The database work belongs to the task and not to the requests, so a client that goes away
//! cannot cancel a transaction half-way.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::sink::{EventSink, SinkError};
use crate::domain::ids::ConnectionId;
use crate::store::events::{Inserted, NewEvent};
use crate::telemetry::metric;

/// Bytes that one permit of the queue's room stands for.
const PERMIT_BYTES: usize = 1024;

/// The bounds of the queue and of one commit.
#[derive(Debug, Clone, Copy)]
pub struct WriterLimits {
    /// Events that may wait.
    pub queue_events: usize,
    /// Bytes of bodies that may wait. Packed copies, which are shorter, come on top of them.
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
    connection: ConnectionId,
    event: NewEvent,
    reply: Reply,
}

struct Reply {
    answer: oneshot::Sender<Result<Inserted, Refused>>,
    // Given back with the answer: what is being committed still takes room.
    _room: OwnedSemaphorePermit,
}

/// The way to the writer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    packs: bool,
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
        let packs = sink.packs();
        let task = Task {
            sink,
            limits,
            committed,
            waiting,
        };
        (Self { queue, room, packs }, tokio::spawn(task.run(stop)))
    }

    /// Stores an event; answers after the commit and not before.
    pub async fn store(
        &self,
        connection: ConnectionId,
        mut event: NewEvent,
    ) -> Result<Inserted, Refused> {
        let permits = event.body.len().div_ceil(PERMIT_BYTES).max(1);
        let permits = u32::try_from(permits).map_err(|_| Refused::QueueFull)?;
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(permits)
            .map_err(|_| Refused::QueueFull)?;
        if self.packs {
            event.pack();
        }
        let (answer, answered) = oneshot::channel();
        let reply = Reply {
            answer,
            _room: room,
        };
        self.queue
            .try_send(Waiting {
                connection,
                event,
                reply,
            })
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

/// What one transaction stores, and who waits for it.
#[derive(Default)]
struct Group {
    events: Vec<NewEvent>,
    replies: Vec<Reply>,
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
            for (connection, group) in self.group(first) {
                self.commit(&connection, group).await;
            }
        }
    }

    /// The first event and whatever waits behind it, within the bounds, by connection.
    fn group(&mut self, first: Waiting) -> BTreeMap<ConnectionId, Group> {
        let mut groups: BTreeMap<ConnectionId, Group> = BTreeMap::new();
        let (mut count, mut bytes) = (0_usize, 0_usize);
        let mut next = Some(first);
        while let Some(waiting) = next {
            count = count.saturating_add(1);
            bytes = bytes.saturating_add(waiting.event.body.len());
            let group = groups.entry(waiting.connection).or_default();
            group.events.push(waiting.event);
            group.replies.push(waiting.reply);
            let full = count >= self.limits.group_events || bytes >= self.limits.group_bytes;
            next = if full {
                None
            } else {
                self.waiting.try_recv().ok()
            };
        }
        let left = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        metrics::gauge!(metric::QUEUE).set(left);
        groups
    }

    async fn commit(&self, connection: &ConnectionId, group: Group) {
        let Group { events, replies } = group;
        match self.insert(connection, &events).await {
            Ok(outcomes) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    // A client that is gone needs no answer; its event is stored.
                    reply.answer.send(Ok(outcome)).ok();
                }
            }
            // One event that the database refuses must not take its neighbours with it.
            Err(SinkError::Refused(_)) if events.len() > 1 => {
                for (event, reply) in events.iter().zip(replies) {
                    let alone = std::slice::from_ref(event);
                    let outcome = self.insert(connection, alone).await.ok();
                    let outcome = outcome.and_then(|outcomes| outcomes.first().copied());
                    reply.answer.send(outcome.ok_or(Refused::Database)).ok();
                }
            }
            Err(_) => {
                for reply in replies {
                    reply.answer.send(Err(Refused::Database)).ok();
                }
            }
        }
    }

    async fn insert(
        &self,
        connection: &ConnectionId,
        events: &[NewEvent],
    ) -> Result<Vec<Inserted>, SinkError> {
        let started = tokio::time::Instant::now();
        let outcome = self.sink.insert(connection, events).await;
        let outcome = outcome.and_then(|outcomes| match outcomes.len() {
            seen if seen == events.len() => Ok(outcomes),
            seen => {
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
