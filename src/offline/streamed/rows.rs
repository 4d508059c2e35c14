//! One verdict as bytes, to be sorted, put aside and merged. What is printed of it lies ready
//! behind what the sums, the limits and the comparison of rule sets need.

use crate::domain::currency::Currency;
use crate::domain::ids::PromoterId;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reward, RewardTo, Verdict, VerdictState};

/// The tag of a verdict that no registered referral is involved in.
pub const NO_TAG: u32 = u32::MAX;
/// Bytes before a row: its length.
const LENGTH_BYTES: usize = 4;

/// A verdict, as far as it is not printed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'r> {
    /// Its campaign, by position in the rule set.
    pub campaign: u16,
    /// A referral that was judged together with it; [`NO_TAG`] if none was.
    pub tag: u32,
    /// The answer.
    pub state: VerdictState,
    /// When it qualified.
    pub qualified_at: Option<Timestamp>,
    /// The referral.
    pub referral: &'r str,
    /// Its promoter.
    pub promoter: Option<&'r str>,
    /// What would be owed, before limits.
    pub rewards: Vec<Reward>,
    /// What is printed: JSON, or a sentence.
    pub text: &'r [u8],
}

const STATES: [VerdictState; 4] = [
    VerdictState::Qualified,
    VerdictState::Pending,
    VerdictState::Rejected,
    VerdictState::Review,
];

impl<'r> Row<'r> {
    /// A verdict's row, its text still empty.
    pub fn of(campaign: u16, tag: u32, verdict: &'r Verdict) -> Self {
        Self {
            campaign,
            tag,
            state: verdict.state,
            qualified_at: verdict.qualified_at,
            referral: verdict.referral.as_str(),
            promoter: verdict.promoter.as_ref().map(PromoterId::as_str),
            rewards: verdict.rewards.clone(),
            text: &[],
        }
    }

    /// Appends it, with whatever `text` writes behind it.
    pub fn write(&self, out: &mut Vec<u8>, text: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        out.extend_from_slice(&self.campaign.to_be_bytes());
        put(out, self.referral);
        out.extend_from_slice(&self.tag.to_be_bytes());
        let state = STATES.iter().position(|state| *state == self.state);
        out.push(state.and_then(|at| u8::try_from(at).ok()).unwrap_or(0));
        let at = self.qualified_at.map_or(i64::MIN, Timestamp::unix);
        out.extend_from_slice(&at.to_be_bytes());
        out.push(u8::from(self.promoter.is_some()));
        put(out, self.promoter.unwrap_or_default());
        out.push(u8::try_from(self.rewards.len()).unwrap_or(u8::MAX));
        for reward in self.rewards.iter().take(usize::from(u8::MAX)) {
            out.push(u8::from(reward.to == RewardTo::Invited));
            out.extend_from_slice(reward.currency.code().as_bytes());
            out.extend_from_slice(&reward.amount_minor.to_be_bytes());
        }
        text(out);
        let length = u32::try_from(out.len() - start - LENGTH_BYTES).unwrap_or(u32::MAX);
        if let Some(place) = out.get_mut(start..start + LENGTH_BYTES) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// Reads a row back; `bytes` is what follows its length. `None` if they are no row.
    pub fn read(bytes: &'r [u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        let campaign = u16::from_be_bytes(bytes.take()?);
        let referral = bytes.text()?;
        let tag = u32::from_be_bytes(bytes.take()?);
        let [state] = bytes.take()?;
        let state = *STATES.get(usize::from(state))?;
        let qualified_at = Timestamp::from_unix(i64::from_be_bytes(bytes.take()?));
        let [has_promoter] = bytes.take()?;
        let promoter = bytes.text()?;
        let [count] = bytes.take()?;
        let mut rewards = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let [to] = bytes.take()?;
            let code: [u8; 3] = bytes.take()?;
            rewards.push(Reward {
                to: if to == 0 {
                    RewardTo::Promoter
                } else {
                    RewardTo::Invited
                },
                currency: Currency::parse(std::str::from_utf8(&code).ok()?)?,
                amount_minor: i64::from_be_bytes(bytes.take()?),
            });
        }
        Some(Self {
            campaign,
            tag,
            state,
            qualified_at,
            referral,
            promoter: Some(promoter).filter(|_| has_promoter == 1),
            rewards,
            text: bytes.0,
        })
    }
}

/// What rows are sorted by, read from the bytes behind a row's length: campaign, referral.
pub fn key(row: &[u8]) -> (&[u8], &[u8]) {
    let (campaign, rest) = row.split_at_checked(2).unwrap_or_default();
    let mut rest = Bytes(rest);
    (campaign, rest.text().unwrap_or_default().as_bytes())
}

/// A row's tag.
pub fn tag(row: &[u8]) -> Option<u32> {
    let (_, rest) = row.split_at_checked(2)?;
    let mut rest = Bytes(rest);
    rest.text()?;
    rest.take().map(u32::from_be_bytes)
}

/// The row at a position of many, behind its length, and where the next one is.
pub fn row_at(rows: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let length = rows.get(at..)?.first_chunk::<LENGTH_BYTES>()?;
    let start = at + LENGTH_BYTES;
    let end = start + usize::try_from(u32::from_be_bytes(*length)).ok()?;
    Some((rows.get(start..end)?, end))
}

fn put(out: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = usize::try_from(u32::from_be_bytes(self.take()?)).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was_written() {
        let row = Row {
            campaign: 3,
            tag: 7,
            state: VerdictState::Review,
            qualified_at: Timestamp::from_unix(-5),
            referral: "ref_é",
            promoter: Some(""),
            rewards: vec![Reward {
                to: RewardTo::Invited,
                amount_minor: -2,
                currency: Currency::USD,
            }],
            text: b"{}",
        };
        let mut bytes = Vec::new();
        row.write(&mut bytes, |out| out.extend_from_slice(b"{}"));
        row.write(&mut bytes, |out| out.extend_from_slice(b"{}"));
        let (first, next) = row_at(&bytes, 0).unwrap();
        assert_eq!(Row::read(first).unwrap(), row);
        assert_eq!(key(first), (&[0, 3][..], "ref_é".as_bytes()));
        let (second, end) = row_at(&bytes, next).unwrap();
        assert_eq!((second, end), (first, bytes.len()));
        assert_eq!(row_at(&bytes, end), None);
        assert_eq!(Row::read(&first[..9]), None);
    }
}
