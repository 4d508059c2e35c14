//! `referrals.csv`: `id,campaign,promoter,email,uid,stripe_customer_id,referred_at`. Rows that
//! cannot be used are told and passed over; who wins a contested person is `matching`'s word.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use super::notes::Notes;
use super::source::Source;
use super::table::{Row, Table, TableError, filled};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CampaignId, PromoterId, ReferralId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::matching::Promoters;

/// The columns.
pub const COLUMNS: [&str; 7] = [
    "id",
    "campaign",
    "promoter",
    "email",
    "uid",
    "stripe_customer_id",
    "referred_at",
];

/// Reads referrals of the known campaigns by the known promoters, in the order of the file.
pub fn read(
    source: Source,
    campaigns: &BTreeSet<CampaignId>,
    promoters: &Promoters,
    notes: &mut Notes<'_>,
) -> Result<Vec<Referral>, TableError> {
    let rows = read_rows(source, campaigns, promoters, notes)?;
    Ok(rows.into_iter().map(|(_, referral)| referral).collect())
}

/// The same, each with its line.
pub fn read_rows(
    source: Source,
    campaigns: &BTreeSet<CampaignId>,
    promoters: &Promoters,
    notes: &mut Notes<'_>,
) -> Result<Vec<(u64, Referral)>, TableError> {
    let mut table = Table::open(source, COLUMNS)?;
    let file = table.file().to_owned();
    // Ids by their hash, so that a million of them are not held twice.
    let mut known: HashMap<u64, usize> = HashMap::new();
    let hasher = RandomState::new();
    let mut read: Vec<(u64, Referral)> = Vec::new();
    while let Some(row) = table.next_row()? {
        let (line, outcome) = match row {
            Ok(row) => (row.line, referral(&row, campaigns, promoters)),
            Err((line, problem)) => (line, Err(problem)),
        };
        match outcome {
            Err(problem) => notes.unusable(&file, line, problem),
            Ok((referral, flaw)) => {
                let hash = hasher.hash_one(&referral.id);
                let there = known.get(&hash).and_then(|at| read.get(*at));
                if let Some((first, _)) = there.filter(|(_, there)| there.id == referral.id) {
                    let id = &referral.id;
                    let problem =
                        format!("referral `{id}` is on line {first} already; that one is kept");
                    notes.unusable(&file, line, problem);
                    continue;
                }
                if let Some(flaw) = flaw {
                    notes.unusable(&file, line, flaw);
                }
                known.entry(hash).or_insert(read.len());
                read.push((line, referral));
            }
        }
    }
    Ok(without_repeats(&file, read, notes))
}

/// A referral, and what of its row had to be left out.
fn referral(
    row: &Row<'_, 7>,
    campaigns: &BTreeSet<CampaignId>,
    promoters: &Promoters,
) -> Result<(Referral, Option<String>), String> {
    let [id, campaign, promoter, email, uid, stripe_id, referred_at] = row.cells;
    if id.is_empty() {
        return Err("the id is blank".to_owned());
    }
    if id.starts_with("coupon:") {
        return Err(format!(
            "`{id}`: ids that begin with `coupon:` are made by coupons; choose another"
        ));
    }
    let campaign = CampaignId::from(campaign);
    if !campaigns.contains(&campaign) {
        return Err(format!("campaign `{campaign}` is not among the rules"));
    }
    let promoter = PromoterId::from(promoter);
    if promoters.get(&promoter).is_none() {
        return Err(format!("promoter `{promoter}` is not among the promoters"));
    }
    let Some(at) = Timestamp::parse(referred_at) else {
        return Err(format!(
            "referred_at `{referred_at}` is not a time; write it like 2026-03-01T00:00:00Z"
        ));
    };
    let canonical = CanonicalEmail::parse(email);
    let flaw = (canonical.is_none() && !email.is_empty())
        .then(|| format!("`{email}` is not an email address"));
    if canonical.is_none() && uid.is_empty() && stripe_id.is_empty() {
        return Err(flaw.unwrap_or_else(|| {
            "none of email, uid and stripe_customer_id is given; at least one is needed".to_owned()
        }));
    }
    let flaw = flaw.map(|flaw| format!("{flaw}; the referral is kept without it"));
    let referral = Referral {
        id: ReferralId::from(id),
        campaign,
        promoter: Some(promoter),
        email: canonical,
        uid: filled(uid),
        stripe_customer_id: filled(stripe_id),
        referred_at: at,
    };
    Ok((referral, flaw))
}

/// A promoter who registers a person again gets the referral that is there already
/// (semantics.md, "Matching"): the earliest is kept. Other promoters' claims stay.
fn without_repeats(
    file: &str,
    mut read: Vec<(u64, Referral)>,
    notes: &mut Notes<'_>,
) -> Vec<(u64, Referral)> {
    read.sort_by(|(_, a), (_, b)| (a.referred_at, &a.id).cmp(&(b.referred_at, &b.id)));
    let mut known: HashMap<u64, usize> = HashMap::new();
    let hasher = RandomState::new();
    let mut repeats: BTreeMap<u64, String> = BTreeMap::new();
    let mut kept: Vec<(u64, Referral)> = Vec::with_capacity(read.len());
    for (line, referral) in read {
        let hash = |kind: &str, text: &str| {
            hasher.hash_one((&referral.campaign, &referral.promoter, kind, text))
        };
        let email = referral
            .email
            .iter()
            .map(|email| hash("email", email.as_str()));
        let uid = referral.uid.iter().map(|uid| hash("uid", uid));
        let keys: Vec<u64> = email.chain(uid).collect();
        let there = keys.iter().filter_map(|key| kept.get(*known.get(key)?));
        let same = |there: &&(u64, Referral)| is_same_person(&there.1, &referral);
        if let Some((_, first)) = there.into_iter().find(same) {
            let (id, first) = (&referral.id, &first.id);
            repeats.insert(line, format!("`{id}` is already referred (kept `{first}`)"));
            continue;
        }
        for key in keys {
            known.entry(key).or_insert(kept.len());
        }
        kept.push((line, referral));
    }
    for (line, problem) in repeats {
        notes.unusable(file, line, problem);
    }
    kept.sort_by_key(|(line, _)| *line);
    kept
}

/// Whether one promoter registered one person twice in a campaign: by email or by uid.
fn is_same_person(a: &Referral, b: &Referral) -> bool {
    let email = a.email.is_some() && a.email == b.email;
    let uid = a.uid.is_some() && a.uid == b.uid;
    a.campaign == b.campaign && a.promoter == b.promoter && (email || uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::people::Promoter;
    use crate::offline::table::tests::source;

    fn promoters() -> Promoters {
        let promoter = |id: &str| Promoter {
            id: PromoterId::from(id),
            name: id.to_owned(),
            email: None,
            code: None,
            coupons: vec![],
            stripe_customer_id: None,
            suspended: false,
        };
        [promoter("ana"), promoter("ben")].into_iter().collect()
    }

    fn read_rows(rows: &str) -> (Vec<String>, String) {
        let text = format!("{}\n{rows}", COLUMNS.join(","));
        let campaigns = BTreeSet::from([CampaignId::from("c")]);
        let mut said = Vec::new();
        let notes = &mut Notes::new(&mut said);
        let referrals = read(source(&text), &campaigns, &promoters(), notes).unwrap();
        let ids = referrals.iter().map(|r| r.id.to_string()).collect();
        (ids, String::from_utf8(said).unwrap())
    }

    #[test]
    fn rows_that_cannot_be_used_are_told_with_their_line() {
        let (ids, said) = read_rows(
            "r1,c,ana,a@x.de,,,2026-03-01\n\
             r2,d,ana,a@x.de,,,2026-03-01\n\
             r3,c,eva,a@x.de,,,2026-03-01\n\
             r4,c,ana,b@x.de,,,yesterday\n\
             r5,c,ana,,,,2026-03-01\n\
             r6,c,ana,nobody,,,2026-03-01\n\
             r7,c,ana,nobody,user_7,,2026-03-01T09:00:00+01:00\n\
             r1,c,ana,c@x.de,,,2026-03-01\n\
             coupon:c:cus_1,c,ana,d@x.de,,,2026-03-01\n",
        );
        assert_eq!(ids, ["r1", "r7"]);
        let lines: Vec<&str> = said.lines().collect();
        let expected = [
            "t.csv:3: campaign `d` is not",
            "t.csv:4: promoter `eva` is not",
            "t.csv:5: referred_at `yesterday` is not",
            "t.csv:6: none of email, uid",
            "t.csv:7: `nobody` is not an email address",
            "t.csv:8: `nobody` is not an email address; the referral is kept",
            "t.csv:9: referral `r1` is on line 2 already",
            "t.csv:10: `coupon:c:cus_1`: ids that begin",
        ];
        assert_eq!(lines.len(), expected.len(), "{said}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(expected), "{line}");
        }
    }

    #[test]
    fn the_earliest_registration_of_a_promoter_is_kept_and_other_promoters_keep_theirs() {
        let (ids, said) = read_rows(
            "late,c,ana,A@x.de,,,2026-03-05\n\
             early,c,ana,a@X.de,u1,,2026-03-01\n\
             other,c,ben,a@x.de,,,2026-03-02\n\
             uid,c,ana,,u1,,2026-03-03\n",
        );
        assert_eq!(ids, ["early", "other"]);
        assert_eq!(
            said,
            "t.csv:2: `late` is already referred (kept `early`)\n\
             t.csv:5: `uid` is already referred (kept `early`)\n"
        );
    }
}
