//! A case on the conflict desk: everything that whoever decides it looks at, and what each
//! choice, or taking back the one that was made, would do. Nothing is stored.

use std::collections::{BTreeMap, HashMap};

use crate::clock::Clock;
use crate::domain::decision::{Choice, Decision, Decisions};
use crate::domain::fact::{ObjectKey, ObjectKind, ObjectState};
use crate::domain::ids::{CaseId, ConnectionId, CustomerId, PromoterId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::queue::judging::judge;
use crate::queue::worker::{Prepared, prepare};
use crate::store::cases::CaseState;
use crate::store::decisions::decisions_on_cases;
use crate::store::objects::{coupon_sources_of, load_objects};
use crate::store::qualifications::{Qualification, QualificationState};
use crate::store::{Db, StoreError, Tx};

use super::RegistryError;
use super::case_view::{CaseView, seen};
use super::decisions::{known, seeds, supposed};
use super::effects::{Effect, between};

/// A case with everything around it.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The case, its candidates and choices.
    pub view: CaseView,
    /// What the campaign is called; its id where it is no longer there.
    pub campaign: String,
    /// The referral, if somebody registered it.
    pub referral: Option<Referral>,
    /// The names of all promoters in play.
    pub promoters: BTreeMap<PromoterId, String>,
    /// What is known of the candidates beyond what is counted.
    pub people: HashMap<CustomerId, Known>,
    /// Of an open case, what each choice would change, in the order of the choices.
    pub previews: Vec<(Choice, Vec<Effect>)>,
    /// Of a resolved case, what came of it and what taking it back would do.
    pub outcome: Option<Outcome>,
    /// Every decision on the case, oldest first; without a choice one was taken back.
    pub history: Vec<Decision>,
}

/// What Stripe says of a customer beside what is counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Its name.
    pub name: Option<String>,
    /// Its subscriptions: (id, state), in order of id.
    pub subscriptions: Vec<(String, String)>,
}

/// What a decision has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What is another with it than it would be without.
    pub did: Vec<Effect>,
    /// What taking it back would change.
    pub undo: Vec<Effect>,
    /// What the queue and the ledger have of the referral, whatever is in force last.
    pub qualifications: Vec<Qualification>,
    /// Whether it is in the ledger, so that it cannot be taken back.
    pub is_settled: bool,
}

/// Looks at a case.
pub async fn look(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    case: &CaseId,
) -> Result<Desk, RegistryError> {
    let now = clock.now();
    let mut tx = db.read().await?;
    let case = known(&mut tx, connection, case).await?;
    let mut prepared = prepare(&mut tx, connection, seeds(&case)).await?;
    let history = decisions_on_cases(&mut tx, connection, std::slice::from_ref(&case.id)).await?;
    let decided = prepared.neighbourhood.decisions.clone();
    let view = seen(&mut prepared.neighbourhood, case, now);
    let people = people(&mut tx, connection, &view).await?;
    tx.rollback().await?;
    let (previews, outcome) = match view.case.state {
        CaseState::Open => (previews(&mut prepared, &view, &decided, now), None),
        CaseState::Resolved => (
            Vec::new(),
            Some(outcome(&mut prepared, &view, &decided, now)),
        ),
        CaseState::Gone => (Vec::new(), None),
    };
    let world = &prepared.neighbourhood;
    let referral = world.referrals.iter().find(|r| r.id == view.case.referral);
    let campaign = world.campaigns.iter().find(|c| c.id == view.case.campaign);
    let promoters = world.promoters.iter();
    Ok(Desk {
        campaign: campaign.map_or_else(|| view.case.campaign.to_string(), |c| c.name.clone()),
        referral: referral.cloned(),
        promoters: promoters.map(|p| (p.id.clone(), p.name.clone())).collect(),
        people,
        previews,
        outcome,
        view,
        history,
    })
}

/// What each choice would change: the same part of the world is judged once for each.
fn previews(
    prepared: &mut Prepared,
    view: &CaseView,
    decided: &Decisions,
    now: Timestamp,
) -> Vec<(Choice, Vec<Effect>)> {
    prepared.neighbourhood.decisions = decided.clone();
    let before = judge(&prepared.neighbourhood, now);
    let mut all = Vec::with_capacity(view.choices.len());
    for choice in &view.choices {
        let mut decisions = decided.clone();
        decisions.fold(supposed(&view.case.id, Some(choice)));
        prepared.neighbourhood.decisions = decisions;
        let after = judge(&prepared.neighbourhood, now);
        let effects = between(prepared, &before, &after, now);
        all.push((choice.clone(), effects));
    }
    all
}

fn outcome(
    prepared: &mut Prepared,
    view: &CaseView,
    decided: &Decisions,
    now: Timestamp,
) -> Outcome {
    let mut undecided = decided.clone();
    undecided.fold(supposed(&view.case.id, None));
    prepared.neighbourhood.decisions = undecided;
    let without = judge(&prepared.neighbourhood, now);
    prepared.neighbourhood.decisions = decided.clone();
    let with = judge(&prepared.neighbourhood, now);
    let key = (view.case.campaign.clone(), view.case.referral.clone());
    let qualifications = prepared.qualifications_of(&key).to_vec();
    let mut states = qualifications.iter().map(|q| q.state);
    Outcome {
        did: between(prepared, &without, &with, now),
        undo: between(prepared, &with, &without, now),
        is_settled: states.any(|state| state == QualificationState::Settled),
        qualifications,
    }
}

/// Names and subscriptions of the candidates.
async fn people(
    tx: &mut Tx,
    connection: &ConnectionId,
    view: &CaseView,
) -> Result<HashMap<CustomerId, Known>, StoreError> {
    let candidates = view.candidates.iter().map(|c| c.customer.clone());
    let ids: Vec<CustomerId> = candidates.collect();
    known_of(tx, connection, &ids).await
}

/// What is known of some customers beside what is counted.
pub(super) async fn known_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    ids: &[CustomerId],
) -> Result<HashMap<CustomerId, Known>, StoreError> {
    let keys = ids.iter();
    let keys = keys.map(|id| ObjectKey::new(ObjectKind::Customer, id.as_str()));
    let keys: Vec<ObjectKey> = keys.collect();
    let mut found = HashMap::new();
    for object in load_objects(tx, connection, &keys).await? {
        if let ObjectState::Customer(state) = object.state {
            let known = Known {
                name: state.name.current().map(str::to_owned),
                subscriptions: Vec::new(),
            };
            found.insert(CustomerId::from(object.key.id), known);
        }
    }
    let mut sources = coupon_sources_of(tx, connection, ids).await?;
    sources.sort_by(|a, b| a.key.cmp(&b.key));
    for object in sources {
        let (Some(customer), ObjectState::Subscription(state)) = (object.customer, object.state)
        else {
            continue;
        };
        let status = state.status.current().unwrap_or("unknown").to_owned();
        let known: &mut Known = found.entry(customer).or_default();
        known.subscriptions.push((object.key.id, status));
    }
    Ok(found)
}
