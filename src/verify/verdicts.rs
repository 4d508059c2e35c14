//! Every verdict judged anew, on the facts of all events and by the revision that settled it,
//! against the stored one. The instant is now: a window that has closed counts as closed.

use std::collections::BTreeMap;

use super::Check;
use super::people::{People, Waiting};
use crate::domain::fact::FactBook;
use crate::domain::ids::ConnectionId;
use crate::domain::time::Timestamp;
use crate::payments;
use crate::queue::judging::{Judged, Neighbourhood, judge};
use crate::queue::worker::load_settled;
use crate::store::json::to_json;
use crate::store::verdicts::{StoredVerdict, VerdictKey};
use crate::store::{StoreError, Tx};

pub(super) const NAME: &str = "verdicts";
const REJUDGE: &str =
    "run `qualify replay --state done`: whoever an event is about is judged again";

/// Verdicts by what they are on.
pub(super) type Anew = BTreeMap<VerdictKey, Judged>;

/// Judges everything. Takes what it rests on apart from facts.
pub(super) async fn judge_all(
    tx: &mut Tx,
    connection: &ConnectionId,
    book: &FactBook,
    people: People,
    now: Timestamp,
) -> Result<Anew, StoreError> {
    let customers = payments::customers(book);
    let mut whole = Neighbourhood {
        campaigns: people.campaigns,
        targets: people.referrals.iter().map(|r| r.id.clone()).collect(),
        coupon_targets: customers.iter().map(|c| c.id.clone()).collect(),
        referrals: people.referrals,
        customers,
        promoters: people.promoters,
        decisions: people.decisions,
        ..Neighbourhood::default()
    };
    load_settled(tx, connection, &mut whole, &people.settled_otherwise).await?;
    Ok(judge(&whole, now).judged)
}

/// Compares one verdict with what it is judged anew.
pub(super) fn compare(
    key: &VerdictKey,
    is: Option<&Judged>,
    was: Option<&StoredVerdict>,
    waiting: &Waiting,
    check: &mut Check,
) -> Result<(), StoreError> {
    check.looked_at += 1;
    let verdicts = [is.map(|j| &j.verdict), was.map(|s| &s.verdict)];
    let customers = verdicts.into_iter().flatten().flat_map(|v| &v.customers);
    if waiting.touches(&key.1, customers.map(|customer| &customer.id)) {
        return Ok(());
    }
    let place = format!("verdicts {} {}", key.0, key.1);
    match (is, was) {
        (Some(is), Some(was)) => {
            let (new, old) = (&is.verdict, &was.verdict);
            if new != old {
                let seen = format!(
                    "stored is {}, judged anew it is {}",
                    to_json(NAME, old)?,
                    to_json(NAME, new)?
                );
                check.differs(place, seen, REJUDGE);
            } else if is.next_check_at != was.next_check_at {
                let at = |at: Option<Timestamp>| at.map_or("never".to_owned(), Timestamp::words);
                let (is, was) = (at(is.next_check_at), at(was.next_check_at));
                let seen = format!("it is looked at again {was}, and should be {is}");
                check.differs(place, seen, REJUDGE);
            }
        }
        (Some(is), None) => {
            let seen = format!(
                "none is stored; judged, it is {}",
                to_json(NAME, &is.verdict)?
            );
            check.differs(place, seen, REJUDGE);
        }
        (None, Some(_)) => {
            check.differs(place, "it is stored, and there is no such claim", REJUDGE);
        }
        (None, None) => {}
    }
    Ok(())
}
