//! The timeline on a referral's page: from Stripe's events over facts, match and verdict to
//! batch and ledger.

use crate::domain::time::Timestamp;
use crate::registry::explain::{About, History, Moment, MomentKind};
use crate::web::parts::{Link, When};
use crate::web::url;

/// What happened, as the page shows it.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub rows: Vec<MomentRow>,
    /// What is not in it, and why.
    pub note: Option<&'static str>,
}

/// Something that happened.
#[derive(Debug)]
pub(crate) struct MomentRow {
    pub at: When,
    pub kind: &'static str,
    pub what: String,
    pub link: Option<Link>,
}

/// The timeline of a history; events are linked for whoever may look at them, and are not in it
/// for anybody else.
pub(crate) fn timeline(history: &History, now: Timestamp) -> Timeline {
    Timeline {
        rows: history.moments.iter().map(|m| row(m, now)).collect(),
        note: history.events_cut.then_some(
            "There are too many events to look through all of them: some that came much later than \
             what they are about may be missing here.",
        ),
    }
}

fn row(moment: &Moment, now: Timestamp) -> MomentRow {
    MomentRow {
        at: When::new(moment.at, now),
        kind: match moment.kind {
            MomentKind::Event => "Stripe’s event",
            MomentKind::Referred => "Referral",
            MomentKind::Customer => "Customer",
            MomentKind::Paid => "Payment",
            MomentKind::Refunded => "Refund or dispute",
            MomentKind::Judged => "Verdict",
            MomentKind::Case => "Case",
            MomentKind::Queue => "Queue",
            MomentKind::Batch => "Batch",
            MomentKind::Ledger => "Ledger",
        },
        what: moment.what.clone(),
        link: moment.about.as_ref().map(link),
    }
}

fn link(about: &About) -> Link {
    match about {
        About::Event(id) => Link::new("Event", url::at("/admin/events", id.as_str())),
        About::Case(id) => Link::new("Case", url::at("/admin/cases", id.as_str())),
        About::Batch(id) => Link::new("Batch", url::batch(id.as_str())),
    }
}
