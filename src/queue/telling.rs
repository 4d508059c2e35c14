//! What webhook endpoints are told of a judgement, in its own transaction: what was queued, what
//! was withdrawn, which cases are new. Where nobody is told, it is one small query, and none at
//! all if nothing of the kind happened.

use crate::domain::ids::{ConnectionId, OutboxId, QualificationId};
use crate::domain::time::Timestamp;
use crate::domain::told::{CaseTold, QualificationTold};
use crate::domain::topic::Topic;
use crate::store::cases::StoredCase;
use crate::store::json::to_json;
use crate::store::outbox::{OutboxMessage, insert_messages};
use crate::store::qualifications::{
    Qualification, QualificationState, Transition, load_qualifications,
};
use crate::store::webhook_endpoints::wanted_topics;
use crate::store::{StoreError, Tx};

/// What a judgement may tell.
const TOPICS: [Topic; 3] = [
    Topic::QualificationQualified,
    Topic::QualificationWithdrawn,
    Topic::CaseOpened,
];

/// What a judgement has written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Put on the queue, unless the person had a place there already.
    pub queued: Vec<Qualification>,
    /// Changed otherwise.
    pub changed: Vec<Transition>,
    /// Cases that were not open before.
    pub opened: Vec<StoredCase>,
}

/// Puts into the outbox what somebody wants to be told.
pub(super) async fn tell(
    tx: &mut Tx,
    connection: &ConnectionId,
    written: &Written,
    now: Timestamp,
) -> Result<(), StoreError> {
    let is_withdrawn = |to: &&Qualification| to.state == QualificationState::Withdrawn;
    let withdrawn = written.changed.iter().map(|change| &change.to);
    let withdrawn: Vec<&Qualification> = withdrawn.filter(is_withdrawn).collect();
    if written.queued.is_empty() && withdrawn.is_empty() && written.opened.is_empty() {
        return Ok(());
    }
    let wanted = wanted_topics(tx, connection, &TOPICS).await?;
    let mut messages = Vec::new();
    if wanted.contains(&Topic::QualificationQualified) && !written.queued.is_empty() {
        let topic = Topic::QualificationQualified;
        // What was left out because the person has a place already is not there.
        let ids: Vec<QualificationId> = written.queued.iter().map(|q| q.id.clone()).collect();
        for queued in load_qualifications(tx, connection, &ids).await? {
            messages.push(message(topic, queued.id.as_str(), &of(&queued), now)?);
        }
    }
    if wanted.contains(&Topic::QualificationWithdrawn) {
        let topic = Topic::QualificationWithdrawn;
        for withdrawn in withdrawn {
            messages.push(message(topic, withdrawn.id.as_str(), &of(withdrawn), now)?);
        }
    }
    if wanted.contains(&Topic::CaseOpened) {
        for case in &written.opened {
            let told = CaseTold {
                id: &case.id,
                kind: case.kind,
                state: case.state.name(),
                campaign: &case.campaign,
                referral: &case.referral,
                opened_at: case.opened_at,
                changed_at: case.changed_at,
            };
            messages.push(message(Topic::CaseOpened, case.id.as_str(), &told, now)?);
        }
    }
    insert_messages(tx, connection, &messages).await
}

fn message<T: serde::Serialize>(
    topic: Topic,
    subject: &str,
    told: &T,
    now: Timestamp,
) -> Result<OutboxMessage, StoreError> {
    Ok(OutboxMessage {
        outbox_id: OutboxId::new(format!("{}.{subject}.{}", topic.name(), now.unix())),
        topic: topic.name().to_owned(),
        subject_id: subject.to_owned(),
        payload: to_json("outbox", told)?,
        created_at: now.unix(),
        delivered_at: None,
        attempts: 0,
    })
}

fn of(qualification: &Qualification) -> QualificationTold<'_> {
    QualificationTold {
        id: &qualification.id,
        campaign: &qualification.campaign,
        revision: &qualification.revision,
        referral: &qualification.referral,
        promoter: &qualification.promoter,
        customer: &qualification.person,
        state: qualification.state.name(),
        reason: &qualification.reason,
        qualified_at: qualification.qualified_at,
        settle_after: qualification.settle_after,
        rewards: &qualification.rewards,
        given: &qualification.given,
        created_at: qualification.created_at,
        changed_at: qualification.changed_at,
    }
}
