//! A million referrals in little memory: their texts end to end in one string, their campaigns
//! and promoters by number. It knows no rules.

use std::collections::HashMap;
use std::hash::Hash;

use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CampaignId, PromoterId, ReferralId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;

/// The number that says "none".
const NONE: u32 = u32::MAX;

/// Referrals of all campaigns.
#[derive(Debug, Default)]
pub struct ReferralBook {
    text: String,
    rows: Vec<Row>,
    campaigns: Numbered<CampaignId>,
    promoters: Numbered<PromoterId>,
}

#[derive(Debug)]
struct Row {
    start: usize,
    /// Bytes of id, email, uid and Stripe customer id, in this order.
    bytes: [u32; 4],
    campaign: u32,
    promoter: u32,
    referred_at: Timestamp,
}

/// A referral as it lies in the book.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'b> {
    /// Its id.
    pub id: &'b str,
    /// The person's email, canonical.
    pub email: Option<&'b str>,
    /// The person's id in the referring product.
    pub uid: Option<&'b str>,
    /// The person's Stripe customer id.
    pub stripe_customer_id: Option<&'b str>,
    /// Its campaign.
    pub campaign: &'b CampaignId,
}

impl ReferralBook {
    /// How many there are; they are numbered from 0.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds one.
    pub fn push(&mut self, referral: &Referral) {
        let start = self.text.len();
        let texts = [
            Some(referral.id.as_str()),
            referral.email.as_ref().map(CanonicalEmail::as_str),
            referral.uid.as_deref(),
            referral.stripe_customer_id.as_deref(),
        ];
        let bytes = texts.map(|text| {
            let Some(text) = text else { return NONE };
            self.text.push_str(text);
            u32::try_from(text.len()).unwrap_or(0)
        });
        self.rows.push(Row {
            start,
            bytes,
            campaign: self.campaigns.number(&referral.campaign),
            promoter: (referral.promoter.as_ref()).map_or(NONE, |id| self.promoters.number(id)),
            referred_at: referral.referred_at,
        });
    }

    /// The texts of one.
    pub fn entry(&self, number: u32) -> Option<Entry<'_>> {
        let row = self.row(number)?;
        let mut at = row.start;
        let mut next = |bytes: u32| {
            let end = at + usize::try_from(bytes).ok().filter(|_| bytes != NONE)?;
            let text = self.text.get(at..end);
            at = end;
            text
        };
        let [id, email, uid, stripe_customer_id] = row.bytes;
        Some(Entry {
            id: next(id)?,
            email: next(email),
            uid: next(uid),
            stripe_customer_id: next(stripe_customer_id),
            campaign: self.campaigns.get(row.campaign)?,
        })
    }

    /// One as matching wants it.
    pub fn get(&self, number: u32) -> Option<Referral> {
        let (row, entry) = (self.row(number)?, self.entry(number)?);
        Some(Referral {
            id: ReferralId::from(entry.id),
            campaign: entry.campaign.clone(),
            promoter: self.promoters.get(row.promoter).cloned(),
            email: entry.email.map(CanonicalEmail::restored),
            uid: entry.uid.map(str::to_owned),
            stripe_customer_id: entry.stripe_customer_id.map(str::to_owned),
            referred_at: row.referred_at,
        })
    }

    /// The numbers of all, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.rows.len()).unwrap_or(NONE)
    }

    fn row(&self, number: u32) -> Option<&Row> {
        self.rows.get(usize::try_from(number).ok()?)
    }
}

impl<'r> FromIterator<&'r Referral> for ReferralBook {
    fn from_iter<I: IntoIterator<Item = &'r Referral>>(referrals: I) -> Self {
        let mut book = Self::default();
        referrals.into_iter().for_each(|one| book.push(one));
        book
    }
}

/// Values that occur again and again, by number.
#[derive(Debug)]
pub struct Numbered<T> {
    all: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    /// The number of a value, given now if it is new.
    pub fn number(&mut self, value: &T) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(NONE);
        self.all.push(value.clone());
        self.numbers.insert(value.clone(), number);
        number
    }

    /// The value of a number.
    pub fn get(&self, number: u32) -> Option<&T> {
        self.all.get(usize::try_from(number).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let full = Referral {
            id: "ref_1".into(),
            campaign: "c".into(),
            promoter: Some("ana".into()),
            email: CanonicalEmail::parse("Bea@Example.com"),
            uid: Some("u1".to_owned()),
            stripe_customer_id: Some("cus_1".to_owned()),
            referred_at: Timestamp::parse("2026-03-01").unwrap(),
        };
        let bare = Referral {
            id: "ref_2".into(),
            promoter: None,
            email: None,
            uid: Some(String::new()),
            stripe_customer_id: None,
            ..full.clone()
        };
        let book: ReferralBook = [&full, &bare, &full].into_iter().collect();
        let back: Vec<_> = book.numbers().map(|n| book.get(n).unwrap()).collect();
        assert_eq!(back, [full.clone(), bare, full]);
        assert_eq!(book.get(3), None);
    }
}
