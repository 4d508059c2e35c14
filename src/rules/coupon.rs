//! Coupon IDs as people type them: a promotion code is refused where an ID belongs, and one
//! ID is given to one promoter only. Which coupons a payment carries is not known here.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::{CouponId, ID_BYTES_MAX, PromoterId};

/// What is known of a connection's coupons and promotion codes. It may be incomplete.
#[derive(Debug, Clone, Default)]
pub struct KnownCoupons {
    ids: BTreeSet<CouponId>,
    promotions: BTreeMap<String, CouponId>,
    codes: BTreeMap<String, CouponId>,
}

impl KnownCoupons {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a coupon by its id.
    pub fn add_coupon(&mut self, id: CouponId) {
        self.ids.insert(id);
    }

    /// Adds a promotion code: its id `promo_…`, what customers type, and the coupon it leads
    /// to. Customers may type it in either case (Stripe, "Promotion codes").
    pub fn add_promotion_code(&mut self, id: &str, code: &str, coupon: CouponId) {
        self.ids.insert(coupon.clone());
        self.promotions.insert(id.to_owned(), coupon.clone());
        self.codes.insert(code.to_lowercase(), coupon);
    }
}

/// Why a text is not a coupon ID that a promoter can be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CouponProblem {
    /// Nothing was written.
    #[error("found no coupon ID; accepted are 1 to 255 characters, as in Stripe under Coupons")]
    Empty,
    /// Longer than any id of Stripe's.
    #[error("found {bytes} bytes; a coupon ID has at most {ID_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A line break or the like.
    #[error("found a control character in the coupon ID; accepted are printable characters")]
    ControlCharacter,
    /// A promotion code, by its id or as customers type it.
    #[error("{}", promotion_words(text, coupon.as_ref()))]
    IsPromotionCode {
        /// What was written.
        text: String,
        /// The coupon it leads to, if known.
        coupon: Option<CouponId>,
    },
    /// Another promoter has it.
    #[error(
        "the coupon ID \"{coupon}\" is given to promoter {owner} already and cannot be given to \
         {other} too; take it from one of them"
    )]
    InUse {
        /// The coupon.
        coupon: CouponId,
        /// Who has it.
        owner: PromoterId,
        /// Who is to have it too.
        other: PromoterId,
    },
}

impl CouponProblem {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty | Self::TooLong { .. } | Self::ControlCharacter => "coupon_invalid",
            Self::IsPromotionCode { .. } => "coupon_is_promotion_code",
            Self::InUse { .. } => "coupon_in_use",
        }
    }
}

fn promotion_words(text: &str, coupon: Option<&CouponId>) -> String {
    match coupon {
        Some(coupon) => format!(
            "\"{text}\" is a promotion code, not a coupon ID; the coupon it leads to is \"{coupon}\""
        ),
        None => format!(
            "\"{text}\" is a promotion code, not a coupon ID; open the promotion code in Stripe \
             and take the ID of its coupon"
        ),
    }
}

/// Reads a coupon ID. Spaces around it are dropped; an ID that is not known yet is accepted,
/// and a known ID is accepted even if a promotion code reads the same.
pub fn check_coupon_id(text: &str, known: &KnownCoupons) -> Result<CouponId, CouponProblem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(CouponProblem::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(CouponProblem::TooLong { bytes: text.len() });
    }
    if text.chars().any(char::is_control) {
        return Err(CouponProblem::ControlCharacter);
    }
    if known.ids.contains(text) {
        return Ok(CouponId::from(text));
    }
    let code = known.codes.get(&text.to_lowercase());
    let coupon = known.promotions.get(text).or(code).cloned();
    if coupon.is_some() || text.starts_with("promo_") {
        return Err(CouponProblem::IsPromotionCode {
            text: text.to_owned(),
            coupon,
        });
    }
    Ok(CouponId::from(text))
}

/// Finds coupon IDs that are given to two promoters of one connection; the one named first
/// is the owner. An ID named twice for the same promoter is no problem.
pub fn check_promoter_coupons<'a>(
    given: impl IntoIterator<Item = (&'a PromoterId, &'a CouponId)>,
) -> Result<(), Vec<CouponProblem>> {
    let mut owners: BTreeMap<&CouponId, &PromoterId> = BTreeMap::new();
    let mut problems = Vec::new();
    for (promoter, coupon) in given {
        let owner = *owners.entry(coupon).or_insert(promoter);
        if owner != promoter {
            problems.push(CouponProblem::InUse {
                coupon: coupon.clone(),
                owner: owner.clone(),
                other: promoter.clone(),
            });
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> KnownCoupons {
        let mut known = KnownCoupons::new();
        known.add_coupon(CouponId::from("ANA20"));
        known.add_promotion_code("promo_1Spring", "SPRING", CouponId::from("Z4OV52SU"));
        known.add_promotion_code("promo_2Ana", "ANA20", CouponId::from("Z4OV52SU"));
        known
    }

    #[test]
    fn a_promotion_code_is_refused_with_its_coupon() {
        for text in ["SPRING", "spring", "promo_1Spring", " promo_1Spring "] {
            let problem = check_coupon_id(text, &known()).unwrap_err();
            assert_eq!(problem.code(), "coupon_is_promotion_code", "{text}");
            assert!(problem.to_string().contains("\"Z4OV52SU\""), "{problem}");
        }
        let problem = check_coupon_id("promo_unknown", &known()).unwrap_err();
        assert_eq!(problem.code(), "coupon_is_promotion_code");
        assert!(problem.to_string().contains("open the promotion code"));
    }

    #[test]
    fn ids_are_accepted_known_or_not_and_keep_their_case() {
        for text in ["ANA20", "Z4OV52SU", "unknown 25% off"] {
            assert_eq!(check_coupon_id(text, &known()), Ok(CouponId::from(text)));
        }
        assert_eq!(
            check_coupon_id(" ANA20\n", &known()),
            Ok(CouponId::from("ANA20"))
        );
    }

    #[test]
    fn what_cannot_be_an_id_is_refused() {
        let code = |text: &str| check_coupon_id(text, &known()).unwrap_err().code();
        assert_eq!(code(" "), "coupon_invalid");
        assert_eq!(code("A\u{0}B"), "coupon_invalid");
        assert_eq!(code(&"A".repeat(256)), "coupon_invalid");
        assert!(check_coupon_id(&"A".repeat(255), &known()).is_ok());
    }

    #[test]
    fn one_coupon_has_one_promoter() {
        let (ana, ben) = (PromoterId::from("prom_ana"), PromoterId::from("prom_ben"));
        let (one, two) = (CouponId::from("ANA20"), CouponId::from("ana20"));
        assert!(check_promoter_coupons([(&ana, &one), (&ana, &one), (&ben, &two)]).is_ok());
        let problems = check_promoter_coupons([(&ana, &one), (&ben, &one)]).unwrap_err();
        assert_eq!(
            problems,
            [CouponProblem::InUse {
                coupon: one.clone(),
                owner: ana.clone(),
                other: ben.clone()
            }]
        );
        let text = problems[0].to_string();
        assert!(text.contains("prom_ana") && text.contains("prom_ben"));
        assert_eq!(problems[0].code(), "coupon_in_use");
    }
}
