//! Items of batches as lines of a table: what each does, about whom, and what came of it.

use std::collections::HashMap;

use crate::domain::ids::{ConnectionId, PromoterId, QualificationId};
use crate::domain::money::Money;
use crate::domain::verdict::Reward;
use crate::store::batch_items::{BatchItem, ItemAction, ItemState};
use crate::store::promoters::load_promoters;
use crate::store::qualifications::{Qualification, load_qualifications};
use crate::store::{StoreError, Tx};
use crate::web::parts::{Icon, Link, State as Badge, Tone};
use crate::web::{format, url};

/// An item's line.
#[derive(Debug)]
pub(crate) struct ItemRow {
    pub number: String,
    pub what: Badge,
    pub referral: Option<Link>,
    pub promoter: Option<Link>,
    pub amounts: Vec<String>,
    pub because: String,
    pub outcome: Badge,
    /// What came between, where something did.
    pub overtaken: Option<String>,
}

/// Whom items are about.
#[derive(Debug, Default)]
pub(super) struct Whom {
    qualifications: HashMap<QualificationId, Qualification>,
    names: HashMap<PromoterId, String>,
}

impl Whom {
    /// Whom these items are about.
    pub(super) async fn of(
        tx: &mut Tx,
        connection: &ConnectionId,
        items: &[BatchItem],
    ) -> Result<Self, StoreError> {
        let ids: Vec<QualificationId> = items.iter().map(|i| i.qualification.clone()).collect();
        let loaded = load_qualifications(tx, connection, &ids).await?;
        Self::known(tx, connection, loaded).await
    }

    /// From qualifications that are there already.
    pub(super) async fn known(
        tx: &mut Tx,
        connection: &ConnectionId,
        qualifications: Vec<Qualification>,
    ) -> Result<Self, StoreError> {
        let mut promoters: Vec<PromoterId> =
            qualifications.iter().map(|q| q.promoter.clone()).collect();
        promoters.sort_unstable();
        promoters.dedup();
        let named = load_promoters(tx, connection, &promoters).await?;
        let named = named.into_iter().map(|stored| stored.promoter);
        Ok(Self {
            qualifications: qualifications
                .into_iter()
                .map(|q| (q.id.clone(), q))
                .collect(),
            names: named.map(|one| (one.id, one.name)).collect(),
        })
    }

    /// An item as a line.
    pub(super) fn row(&self, item: &BatchItem) -> ItemRow {
        let about = self.qualifications.get(&item.qualification);
        let referral = about.map(|q| {
            let id = q.referral.as_str();
            Link::new(id, url::referral(id))
        });
        let promoter = about.map(|q| {
            let name = self.names.get(&q.promoter);
            let name = name.map_or(q.promoter.as_str(), String::as_str);
            Link::new(name, url::promoter(q.promoter.as_str()))
        });
        ItemRow {
            number: format::count(item.position.saturating_add(1)),
            what: action(item.action),
            referral,
            promoter,
            amounts: item.amounts.iter().map(amount).collect(),
            because: format::code_words(&item.reason),
            outcome: outcome(item),
            overtaken: item
                .outcome
                .clone()
                .filter(|_| item.state == ItemState::Superseded),
        }
    }
}

/// `+20.00 USD for the promoter`.
fn amount(reward: &Reward) -> String {
    let money = format::change(Money::new(reward.amount_minor, reward.currency));
    format!("{money} for the {}", reward.to.person())
}

/// What an item does.
pub(super) fn action(action: ItemAction) -> Badge {
    match action {
        ItemAction::Settle => Badge::new(Tone::Good, Icon::Coin, "Settle"),
        ItemAction::Reverse => Badge::new(Tone::Bad, Icon::Back, "Take back"),
        ItemAction::Reinstate => Badge::new(Tone::Good, Icon::Check, "Give again"),
        ItemAction::Skip => Badge::new(Tone::Warn, Icon::Minus, "Leave for later"),
    }
}

fn outcome(item: &BatchItem) -> Badge {
    match (item.state, item.action) {
        (ItemState::Pending, _) => Badge::new(Tone::Wait, Icon::Clock, "Waits"),
        (ItemState::Done, ItemAction::Skip) => {
            Badge::new(Tone::Warn, Icon::Minus, "Nothing booked")
        }
        (ItemState::Done, _) => Badge::new(Tone::Good, Icon::Check, "Booked"),
        (ItemState::Superseded, _) => Badge::new(Tone::Warn, Icon::Alert, "Overtaken"),
    }
}
