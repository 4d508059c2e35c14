//! How long each page of a batch held the database, as the program itself measures it; and the
//! death of a process at a page, by SIGKILL.

use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use qualify::settle::CHUNK_ITEMS;
use qualify::telemetry::metric;

/// Where this process is to die: soon after so many items of a stage.
pub struct Death {
    pub stage: &'static str,
    pub items: usize,
}

/// The pages of each stage, in order.
#[derive(Default)]
pub struct Pages {
    plan: Arc<Stage>,
    book: Arc<Stage>,
}

#[derive(Default)]
struct Stage {
    pages: Mutex<Vec<(Instant, f64)>>,
    dies_at: OnceLock<usize>,
}

static PAGES: OnceLock<Pages> = OnceLock::new();

impl Pages {
    /// Listens to every page from now on.
    pub fn install(death: Option<Death>) -> &'static Self {
        let pages = PAGES.get_or_init(Self::default);
        if let Some(death) = death {
            let stage = pages.stage(death.stage);
            let _ = stage.dies_at.set(death.items / CHUNK_ITEMS as usize);
        }
        metrics::set_global_recorder(Listener).expect("nobody listens yet");
        pages
    }

    fn stage(&self, name: &str) -> &Arc<Stage> {
        match name {
            "plan" => &self.plan,
            _ => &self.book,
        }
    }

    /// From the first page of a stage to its last.
    pub fn span(&self, stage: &str) -> Duration {
        let pages = self.stage(stage).pages.lock().unwrap();
        match (pages.first(), pages.last()) {
            (Some(first), Some(last)) => last.0 - first.0 + Duration::from_secs_f64(first.1),
            _ => Duration::ZERO,
        }
    }

    /// (p50, p99, longest), if this process had any.
    pub fn quantiles(&self, stage: &str) -> Option<(Duration, Duration, Duration)> {
        let pages = self.stage(stage).pages.lock().unwrap();
        let mut seconds: Vec<f64> = pages.iter().map(|page| page.1).collect();
        seconds.sort_by(f64::total_cmp);
        let at = |part: usize| {
            let index = (seconds.len() * part / 100).min(seconds.len().saturating_sub(1));
            seconds.get(index).copied().map(Duration::from_secs_f64)
        };
        Some((at(50)?, at(99)?, at(100)?))
    }
}

impl HistogramFn for Stage {
    fn record(&self, seconds: f64) {
        let count = {
            let mut pages = self.pages.lock().unwrap();
            pages.push((Instant::now(), seconds));
            pages.len()
        };
        if self.dies_at.get() == Some(&count) {
            std::thread::spawn(|| {
                // In the middle of a page that comes after.
                std::thread::sleep(Duration::from_millis(7));
                let own = std::process::id().to_string();
                Command::new("kill").args(["-9", &own]).status().unwrap();
            });
        }
    }
}

struct Listener;

impl Recorder for Listener {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() != metric::SETTLE_PAGE {
            return Histogram::noop();
        }
        let stage = key.labels().next().map_or("", |label| label.value());
        let pages = PAGES.get().expect("listening");
        Histogram::from_arc(Arc::clone(pages.stage(stage)))
    }
}
