//! Judges one closed part of the world by every campaign of every rule set: mostly one customer
//! with its referral. The judging itself is `evaluate`'s.

use super::book::ReferralBook;
use super::error::BacktestError;
use super::rows::Row;
use super::runs::Sorter;
use super::views::{Person, Tried};
use crate::domain::decision::Decisions;
use crate::domain::payment::Customer;
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::evaluate::backtest::{Detail, Trial, judge_part};
use crate::evaluate::explain;
use crate::matching::Promoters;

/// Who refers, who was referred, what admins decided.
#[derive(Debug, Default)]
pub struct People {
    /// Referrals of all campaigns.
    pub referrals: ReferralBook,
    /// Promoters.
    pub promoters: Promoters,
    /// Decisions in force.
    pub decisions: Decisions,
}

/// What is printed of each verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// One JSON object a line.
    Json,
    /// A table a campaign, with a sentence a line.
    Table,
}

/// Everything that judging takes, the customers apart.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The people.
    pub people: &'a People,
    /// The campaigns of each rule set, in order of id. Only the first one's verdicts are shown.
    pub sets: Vec<Vec<Tried<'a>>>,
    /// The instant to decide for.
    pub as_of: Timestamp,
    /// What is printed.
    pub output: Output,
}

impl Judge<'_> {
    /// Judges these persons and referrals, which must be closed (see
    /// [`World`](crate::matching::World)); each verdict goes to its rule set's sorter.
    pub fn part(
        &self,
        persons: Vec<Person>,
        referrals: &[u32],
        tag: u32,
        sorters: &mut [Sorter],
    ) -> Result<(), BacktestError> {
        let mut views: Vec<Vec<Customer>> = Vec::new();
        for (view, customer) in persons.into_iter().flat_map(|person| person.seen) {
            while views.len() <= view {
                views.push(Vec::new());
            }
            if let Some(customers) = views.get_mut(view) {
                customers.push(customer);
            }
        }
        let customers = |view: Option<usize>| -> &[Customer] {
            let of_view = view.and_then(|view| views.get(view));
            of_view.map_or(&[], Vec::as_slice)
        };
        for ((set, campaigns), sorter) in self.sets.iter().enumerate().zip(sorters) {
            for (position, tried) in campaigns.iter().enumerate() {
                let campaign = tried.campaign;
                let mine = referrals.iter().filter(|number| {
                    let entry = self.people.referrals.entry(**number);
                    entry.is_some_and(|entry| *entry.campaign == campaign.id)
                });
                let mine: Vec<Referral> = mine
                    .filter_map(|number| self.people.referrals.get(*number))
                    .collect();
                let own = customers(tried.own);
                if mine.is_empty() && !own.iter().any(|customer| self.used_a_coupon(customer)) {
                    continue;
                }
                let trial = Trial {
                    customers: own,
                    other_mode: customers(tried.other),
                    referrals: &mine,
                    promoters: &self.people.promoters,
                    decisions: &self.people.decisions,
                    as_of: self.as_of,
                };
                let shown = set == 0;
                let detail = if shown && self.output == Output::Json {
                    Detail::Full
                } else {
                    Detail::Brief
                };
                let position = u16::try_from(position).unwrap_or(u16::MAX);
                for verdict in judge_part(campaign, &trial, detail) {
                    let row = Row::of(position, tag, &verdict);
                    let push = |out: &mut Vec<u8>| {
                        row.write(out, |out| {
                            if shown {
                                self.print(&verdict, out);
                            }
                        });
                    };
                    sorter.push(push).map_err(BacktestError::Temporary)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a customer paid with a coupon of any promoter: without one, and without a
    /// referral, it makes no claim.
    fn used_a_coupon(&self, customer: &Customer) -> bool {
        let mut coupons = customer.payments.iter().flat_map(|p| &p.coupons);
        coupons.any(|coupon| self.people.promoters.of_coupon(coupon).is_some())
    }

    fn print(&self, verdict: &Verdict, out: &mut Vec<u8>) {
        match self.output {
            // A verdict has no form that cannot be written, and memory takes everything.
            Output::Json => drop(serde_json::to_writer(out, verdict)),
            Output::Table => out.extend_from_slice(explain::sentence(verdict).as_bytes()),
        }
    }
}
