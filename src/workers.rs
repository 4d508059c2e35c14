//! The tasks that run beside the HTTP server, and how they end. What they do is in their own
//! rooms; they are started in `app.rs`.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Named tasks that share one signal to end.
#[derive(Debug, Default)]
pub struct Workers {
    tasks: Vec<(&'static str, JoinHandle<()>)>,
    stop: CancellationToken,
}

impl Workers {
    /// The signal that a worker watches; it ends soon after it is cancelled.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a worker.
    pub fn spawn(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push((name, tokio::spawn(work)));
    }

    /// Tells all of them to end and waits; whoever takes longer than the grace is cut, which
    /// is safe because unfinished transactions roll back.
    pub async fn end(self, grace: Duration) {
        self.stop.cancel();
        let deadline = tokio::time::Instant::now() + grace;
        for (name, mut task) in self.tasks {
            match tokio::time::timeout_at(deadline, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(worker = name, %error, "a worker had died"),
                Err(_) => {
                    tracing::warn!(worker = name, "a worker did not end in time and is cut");
                    task.abort();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn workers_end_when_told_and_are_cut_when_they_do_not() {
        let mut workers = Workers::default();
        let stop = workers.stop();
        let (told, heard) = tokio::sync::oneshot::channel();
        workers.spawn("polite", async move {
            stop.cancelled().await;
            told.send(()).ok();
        });
        let (_held, cut) = tokio::sync::oneshot::channel::<()>();
        let guard = std::sync::Arc::new(());
        let watched = std::sync::Arc::downgrade(&guard);
        workers.spawn("deaf", async move {
            cut.await.ok();
            drop(guard);
        });
        workers.end(Duration::from_secs(5)).await;
        heard.await.unwrap();
        tokio::task::yield_now().await;
        assert!(watched.upgrade().is_none(), "the deaf one is gone");
    }
}
