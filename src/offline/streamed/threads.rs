//! The same work on many things, by several threads that take the next one when they are done.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::error::BacktestError;
use super::watch::Watch;

/// Works on 0 up to `count`; each thread has a state of its own, which comes back. The first
/// error stops all of them, and so does whoever watches.
pub fn share_out<S: Send>(
    threads: usize,
    count: usize,
    watch: &dyn Watch,
    state: impl Fn(usize) -> S + Sync,
    work: impl Fn(usize, &mut S, usize) -> Result<(), BacktestError> + Sync,
) -> Result<Vec<S>, BacktestError> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failed: Mutex<Option<BacktestError>> = Mutex::new(None);
    let run = |thread: usize| {
        let mut state = state(thread);
        while !stop.load(Ordering::Relaxed) {
            let item = next.fetch_add(1, Ordering::Relaxed);
            if item >= count {
                break;
            }
            let done = if watch.is_cancelled() {
                Err(BacktestError::Cancelled)
            } else {
                work(thread, &mut state, item)
            };
            if let Err(error) = done {
                stop.store(true, Ordering::Relaxed);
                if let Ok(mut failed) = failed.lock() {
                    failed.get_or_insert(error);
                }
            }
        }
        state
    };
    let states = std::thread::scope(|scope| {
        let run = &run;
        let others = 1..threads.min(count).max(1);
        let others: Vec<_> = others
            .map(|thread| scope.spawn(move || run(thread)))
            .collect();
        let mut states = vec![run(0)];
        for other in others {
            match other.join() {
                Ok(state) => states.push(state),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        states
    });
    match failed.into_inner().ok().flatten() {
        Some(error) => Err(error),
        None => Ok(states),
    }
}
