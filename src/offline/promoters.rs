//! `promoters.csv`: `id,name,email,code,coupons`. A coupon decides whose money it is, so that
//! a doubtful one stops the run; other flaws of a row are told and passed over.

use std::collections::BTreeMap;

use super::notes::Notes;
use super::source::Source;
use super::table::{Table, TableError, filled};
use crate::domain::email::CanonicalEmail;
use crate::domain::fact::{FactBook, ObjectKind, ObjectState};
use crate::domain::ids::{CouponId, PromoterId};
use crate::domain::people::Promoter;
use crate::rules::{CouponProblem, KnownCoupons, check_coupon_id, check_promoter_coupons};

/// The columns.
pub const COLUMNS: [&str; 5] = ["id", "name", "email", "code", "coupons"];

/// What was read: promoters, and what is wrong with their coupons (`file:line: problem`).
#[derive(Debug, Default)]
pub struct PromotersRead {
    /// Promoters in the order of the file.
    pub promoters: Vec<Promoter>,
    /// The line that each of them is on.
    pub lines: BTreeMap<PromoterId, u64>,
    /// Coupons that no run may go on with.
    pub problems: Vec<String>,
}

/// Reads promoters. `known` are the coupons and promotion codes that events have shown.
pub fn read(
    source: Source,
    known: &KnownCoupons,
    notes: &mut Notes<'_>,
) -> Result<PromotersRead, TableError> {
    let mut table = Table::open(source, COLUMNS)?;
    let file = table.file().to_owned();
    let mut read = PromotersRead::default();
    while let Some(row) = table.next_row()? {
        let row = match row {
            Ok(row) => row,
            Err((line, problem)) => {
                notes.unusable(&file, line, problem);
                continue;
            }
        };
        let [id, name, email, code, coupons] = row.cells;
        if id.is_empty() {
            notes.unusable(&file, row.line, "the id is blank");
            continue;
        }
        let id = PromoterId::from(id);
        if let Some(first) = read.lines.get(&id) {
            let problem = format!("promoter `{id}` is on line {first} already; that one is kept");
            notes.unusable(&file, row.line, problem);
            continue;
        }
        let canonical = CanonicalEmail::parse(email);
        if canonical.is_none() && !email.is_empty() {
            let problem = format!("`{email}` is not an email address; the promoter is kept");
            notes.unusable(&file, row.line, problem);
        }
        let mut mine = Vec::new();
        for text in coupons.split(';').map(str::trim).filter(|t| !t.is_empty()) {
            match check_coupon_id(text, known) {
                Ok(coupon) => mine.push(coupon),
                Err(problem) => {
                    let line = row.line;
                    read.problems.push(format!("{file}:{line}: {problem}"));
                }
            }
        }
        mine.sort_unstable();
        mine.dedup();
        read.lines.insert(id.clone(), row.line);
        read.promoters.push(Promoter {
            name: filled(name).unwrap_or_else(|| id.as_str().to_owned()),
            id,
            email: canonical,
            code: filled(code),
            coupons: mine,
            stripe_customer_id: None,
            suspended: false,
        });
    }
    read.problems
        .extend(shared(&file, &read.promoters, &read.lines));
    Ok(read)
}

fn shared(file: &str, promoters: &[Promoter], lines: &BTreeMap<PromoterId, u64>) -> Vec<String> {
    let given = promoters
        .iter()
        .flat_map(|promoter| promoter.coupons.iter().map(|coupon| (&promoter.id, coupon)));
    let problems = check_promoter_coupons(given).err().unwrap_or_default();
    let placed = problems.iter().map(|problem| {
        let line = match problem {
            CouponProblem::InUse { other, .. } => lines.get(other).copied(),
            _ => None,
        };
        format!("{file}:{}: {problem}", line.unwrap_or(1))
    });
    placed.collect()
}

/// The coupons and promotion codes that events have shown.
pub fn known_coupons<'b>(books: impl Iterator<Item = &'b FactBook>) -> KnownCoupons {
    let mut known = KnownCoupons::new();
    for (object, state) in books.flat_map(FactBook::iter) {
        match state {
            ObjectState::PromotionCode(promotion) => {
                if let Some(coupon) = &promotion.coupon {
                    for code in promotion.code.values() {
                        known.add_promotion_code(&object.id, code, coupon.clone());
                    }
                }
            }
            _ if object.kind == ObjectKind::Coupon => {
                known.add_coupon(CouponId::from(object.id.as_str()));
            }
            _ => {}
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offline::table::tests::source;

    fn read_text(text: &str) -> (PromotersRead, String) {
        let mut said = Vec::new();
        let mut known = KnownCoupons::new();
        known.add_promotion_code("promo_1", "SPRING", CouponId::from("Z4OV"));
        let read = read(source(text), &known, &mut Notes::new(&mut said)).unwrap();
        (read, String::from_utf8(said).unwrap())
    }

    #[test]
    fn coupons_are_read_and_doubtful_ones_refused() {
        let (read, said) = read_text(
            "coupons,id,name,email,code\n\
             ANA20;ANA30 ; ANA20,prom_ana,Ana,Ana@Example.com,ana\n\
             promo_1;spring;ANA20,prom_ben,,nobody,\n\
             X,prom_ana,Ana again,,\n",
        );
        let coupons: Vec<_> = read.promoters[0]
            .coupons
            .iter()
            .map(CouponId::as_str)
            .collect();
        assert_eq!(coupons, ["ANA20", "ANA30"]);
        assert_eq!(read.promoters[1].name, "prom_ben");
        assert_eq!(read.promoters.len(), 2);
        assert_eq!(read.problems.len(), 3, "{:?}", read.problems);
        assert!(read.problems[0].starts_with("t.csv:3: \"promo_1\" is a promotion code"));
        assert!(read.problems[2].contains("prom_ana") && read.problems[2].contains("prom_ben"));
        assert_eq!(
            said,
            "t.csv:3: `nobody` is not an email address; the promoter is kept\n\
             t.csv:4: promoter `prom_ana` is on line 2 already; that one is kept\n"
        );
    }
}
