//! Every verdict judged anew, on the facts of all events and by the revision that settled it,
//! against the stored one. The instant is now: a window that has closed counts as closed.

use std::collections::{BTreeMap, BTreeSet};

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

/// Judges everything and compares.
pub(super) async fn check(
    tx: &mut Tx,
    connection: &ConnectionId,
    book: &FactBook,
    people: &People,
    waiting: &Waiting,
    now: Timestamp,
) -> Result<Check, StoreError> {
    let customers = payments::customers(book);
    let mut whole = Neighbourhood {
        campaigns: people.campaigns.clone(),
        targets: people.referrals.iter().map(|r| r.id.clone()).collect(),
        coupon_targets: customers.iter().map(|c| c.id.clone()).collect(),
        referrals: people.referrals.clone(),
        customers,
        promoters: people.promoters.clone(),
        decisions: people.decisions.clone(),
        ..Neighbourhood::default()
    };
    load_settled(tx, connection, &mut whole, &people.qualifications).await?;
    let judged = judge(&whole, now).judged;
    compare(&judged, &people.verdicts, waiting)
}

fn compare(
    judged: &BTreeMap<VerdictKey, Judged>,
    stored: &BTreeMap<VerdictKey, StoredVerdict>,
    waiting: &Waiting,
) -> Result<Check, StoreError> {
    let mut check = Check::new(NAME);
    let keys: BTreeSet<&VerdictKey> = judged.keys().chain(stored.keys()).collect();
    for key in keys {
        check.looked_at += 1;
        let (is, was) = (judged.get(key), stored.get(key));
        let verdicts = [is.map(|j| &j.verdict), was.map(|s| &s.verdict)];
        let customers = verdicts.into_iter().flatten().flat_map(|v| &v.customers);
        if waiting.touches(&key.1, customers.map(|customer| &customer.id)) {
            continue;
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
                    let at =
                        |at: Option<Timestamp>| at.map_or("never".to_owned(), Timestamp::words);
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
    }
    Ok(check)
}
