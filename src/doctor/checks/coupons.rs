//! Promoters' coupons: at Stripe, and among each other.

use std::collections::BTreeMap;

use super::{Seen, plural};
use crate::doctor::asked::{Answers, CouponAsked};
use crate::doctor::finding::{Area, Check, Finding};
use crate::stripe::client::{Coupon, Failure};

const EXIST: Check = Check::new(Area::Coupons, "coupons_exist", "Coupons exist at Stripe");
const IDS: Check = Check::new(
    Area::Coupons,
    "coupons_are_ids",
    "No promotion code in a coupon's place",
);
const SHARED: Check = Check::new(
    Area::Coupons,
    "coupons_not_shared",
    "Each coupon is one promoter's",
);
const FREE: Check = Check::new(
    Area::Coupons,
    "coupons_not_free",
    "No coupon takes everything off",
);
const VALID: Check = Check::new(Area::Coupons, "coupons_valid", "Coupons can still be used");
const ALIKE: Check = Check::new(
    Area::Coupons,
    "coupons_look_alike",
    "Coupon ids differ clearly",
);

const NONE: &str = "no promoter has a coupon";

/// Looks at each coupon that was asked about: what is wrong with it, or why it is not known.
/// `well` is the answer where nothing is wrong.
fn each(
    seen: &Seen,
    check: Check,
    well: &str,
    look: impl Fn(&CouponAsked) -> Result<Option<String>, &Failure>,
    wrong: impl Fn(Check, usize) -> Finding,
) -> Finding {
    let answers = match seen.answers(check) {
        Ok(answers) => answers,
        Err(_) if seen.stored.coupons.is_empty() => return check.ok(NONE),
        Err(finding) => return finding,
    };
    if answers.coupons_in_all == 0 {
        return check.ok(NONE);
    }
    let (mut bad, mut unknown, mut why) = (Vec::new(), 0, None);
    for coupon in &answers.coupons {
        match look(coupon) {
            Ok(None) => {}
            Ok(Some(words)) => bad.push(format!("{} of {}: {words}", coupon.id, coupon.promoter)),
            Err(failure) => {
                unknown += 1;
                why = why.or(Some(failure));
            }
        }
    }
    if !bad.is_empty() {
        return wrong(check, bad.len()).such_as(bad);
    }
    match why.or(none_asked(answers)) {
        Some(why) => {
            let unknown = if answers.coupons.is_empty() {
                answers.coupons_in_all
            } else {
                unknown
            };
            check.not_looked_at(format!("{} not known: {why}", plural(unknown, "coupon")))
        }
        None => check.ok(format!("{well}{}", of(answers))),
    }
}

/// Why no coupon was asked about though there are some.
fn none_asked(answers: &Answers) -> Option<&Failure> {
    let none = answers.coupons.is_empty();
    answers.coupons_readable.as_ref().err().filter(|_| none)
}

/// ` (the first 200 of 350)`
fn of(answers: &Answers) -> String {
    let (asked, all) = (answers.coupons.len(), answers.coupons_in_all);
    if asked < all {
        format!(" (the first {asked} of {all})")
    } else {
        format!(" ({asked})")
    }
}

/// The coupon, if it exists; another check says so if it does not.
fn existing(one: &CouponAsked) -> Result<Option<&Coupon>, &Failure> {
    match &one.coupon {
        Ok(coupon) => Ok(Some(coupon)),
        Err(Failure::NotFound) => Ok(None),
        Err(failure) => Err(failure),
    }
}

pub(super) fn coupons_exist(seen: &Seen) -> Finding {
    each(
        seen,
        EXIST,
        "all of them",
        |one| {
            let is_there = existing(one)?.is_some();
            Ok((!is_there).then(|| "Stripe knows no such coupon".to_owned()))
        },
        |check, count| {
            check.problem(
                format!("{} not there: no payment carries such an ID", plural(count, "coupon")),
                "Give the promoter the ID of the coupon, exactly as Stripe's dashboard shows it: capitals count.",
            )
        },
    )
}

pub(super) fn coupons_are_ids(seen: &Seen) -> Finding {
    each(
        seen,
        IDS,
        "none of them",
        |one| {
            if existing(one)?.is_some() {
                return Ok(None);
            }
            let code = one.codes.as_ref()?.first();
            Ok(code.map(|code| match &code.coupon {
                Some(coupon) => format!("is a promotion code of the coupon {coupon}"),
                None => "is a promotion code".to_owned(),
            }))
        },
        |check, count| {
            check.problem(
                format!("{} in the place of a coupon ID", plural(count, "promotion code")),
                "Give the promoter the ID of the coupon instead: what customers type is the code, what payments carry is the coupon.",
            )
        },
    )
}

pub(super) fn coupons_not_shared(seen: &Seen) -> Finding {
    each(
        seen,
        SHARED,
        "none is given by several promotion codes",
        |one| {
            if existing(one)?.is_none() {
                return Ok(None);
            }
            let codes = one.codes.as_ref()?;
            let typed: Vec<&str> = codes.iter().map(|code| code.code.as_str()).collect();
            Ok((typed.len() > 1).then(|| format!("given by {}", typed.join(", "))))
        },
        |check, count| {
            check.warning(
                format!("{} with several promotion codes", plural(count, "coupon")),
                "Whoever types any of these codes counts for the one promoter. If the codes are of different people, make a coupon for each.",
            )
        },
    )
}

pub(super) fn coupons_not_free(seen: &Seen) -> Finding {
    each(
        seen,
        FREE,
        "none of them",
        |one| {
            let takes_all = existing(one)?.is_some_and(|coupon| coupon.takes_all);
            Ok(takes_all.then(|| "100 % off".to_owned()))
        },
        |check, count| {
            check.warning(
                format!(
                    "{} with 100 % off; payments of zero never count",
                    plural(count, "coupon")
                ),
                "Use a smaller discount, or make sure that later payments are without it.",
            )
        },
    )
}

pub(super) fn coupons_valid(seen: &Seen) -> Finding {
    each(
        seen,
        VALID,
        "all of them",
        |one| {
            let is_over = existing(one)?.is_some_and(|coupon| !coupon.valid);
            Ok(is_over.then(|| "expired or used up".to_owned()))
        },
        |check, count| {
            check.warning(
                format!("{} expired or used up", plural(count, "coupon")),
                "Make a new coupon at Stripe, and add its ID to the promoter beside the old one.",
            )
        },
    )
}

/// A coupon cannot be stored for two promoters; ids that differ in capitals alone can.
pub(super) fn coupons_look_alike(seen: &Seen) -> Finding {
    if seen.stored.coupons.is_empty() {
        return ALIKE.ok(NONE);
    }
    let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (coupon, promoter) in &seen.stored.coupons {
        let folded = coupon.as_str().trim().to_lowercase();
        let whose = format!("{coupon} of {promoter}");
        alike.entry(folded).or_default().push(whose);
    }
    let alike: Vec<String> = alike
        .into_values()
        .filter(|same| same.len() > 1)
        .map(|same| same.join(", "))
        .collect();
    if alike.is_empty() {
        return ALIKE.ok(format!("all {}", seen.stored.coupons.len()));
    }
    ALIKE
        .warning(
            format!("{} differ in capitals alone", plural(alike.len(), "pair")),
            "To Stripe these are different coupons. Check that each is the one that was meant.",
        )
        .such_as(alike)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, code, healthy, nothing};
    use super::*;
    use crate::doctor::State::{NotLookedAt, Ok as Fine, Problem, Warning};
    use crate::stripe::client::PromotionCode;

    fn with(coupon: Result<Coupon, Failure>, codes: Result<Vec<PromotionCode>, Failure>) -> Seen {
        asked(|answers| {
            answers.coupons[0].coupon = coupon;
            answers.coupons[0].codes = codes;
        })
    }

    fn there() -> Coupon {
        Coupon {
            id: "ANA10".into(),
            takes_all: false,
            valid: true,
            livemode: Some(true),
        }
    }

    #[test]
    fn a_coupon_that_is_not_there_may_be_a_promotion_code() {
        let seen = with(Err(Failure::NotFound), Ok(Vec::new()));
        let found = coupons_exist(&seen);
        assert_eq!(found.state, Problem);
        assert_eq!(
            found.examples,
            ["ANA10 of prom_ana: Stripe knows no such coupon"]
        );
        assert_eq!(coupons_are_ids(&seen).state, Fine);
        let seen = with(Err(Failure::NotFound), Ok(vec![code("ANA10", "C1")]));
        let found = coupons_are_ids(&seen);
        assert_eq!(found.state, Problem);
        assert!(found.examples[0].contains("the coupon C1"), "{found:?}");
        assert_eq!(coupons_not_free(&seen).state, Fine);
    }

    #[test]
    fn shared_free_and_expired_coupons_are_named() {
        let seen = with(
            Ok(there()),
            Ok(vec![code("ANA", "ANA10"), code("BEN", "ANA10")]),
        );
        let found = coupons_not_shared(&seen);
        assert_eq!(found.state, Warning);
        assert_eq!(found.examples, ["ANA10 of prom_ana: given by ANA, BEN"]);
        let free = Coupon {
            takes_all: true,
            ..there()
        };
        assert_eq!(
            coupons_not_free(&with(Ok(free), Ok(Vec::new()))).state,
            Warning
        );
        let over = Coupon {
            valid: false,
            ..there()
        };
        assert_eq!(
            coupons_valid(&with(Ok(over), Ok(Vec::new()))).state,
            Warning
        );
    }

    #[test]
    fn what_was_not_answered_is_not_guessed() {
        let seen = with(Err(Failure::TooSlow), Err(Failure::TooSlow));
        for check in [
            coupons_exist,
            coupons_are_ids,
            coupons_not_shared,
            coupons_not_free,
            coupons_valid,
        ] {
            let found = check(&seen);
            assert_eq!(found.state, NotLookedAt, "{found:?}");
            assert!(
                found.seen.contains("1 coupon not known: no answer in time"),
                "{found:?}"
            );
        }
        // Codes may not be read: what needs them is not known, the rest is.
        let seen = with(Ok(there()), Err(Failure::Busy));
        assert_eq!(coupons_exist(&seen).state, Fine);
        assert_eq!(coupons_not_shared(&seen).state, NotLookedAt);
        let seen = asked(|answers| *answers = Answers::none(&Failure::TooSlow, 3, answers.at));
        assert!(coupons_exist(&seen).seen.contains("3 coupons not known"));
    }

    #[test]
    fn a_bound_is_said_and_no_coupons_is_well() {
        let seen = asked(|answers| answers.coupons_in_all = 350);
        assert!(coupons_exist(&seen).seen.contains("the first 1 of 350"));
        for check in [coupons_exist, coupons_look_alike] {
            assert_eq!(check(&nothing()).seen, NONE);
        }
    }

    #[test]
    fn ids_that_differ_in_capitals_are_alike() {
        let mut seen = healthy();
        assert_eq!(coupons_look_alike(&seen).state, Fine);
        seen.stored
            .coupons
            .push(("ana10".into(), "prom_ben".into()));
        let found = coupons_look_alike(&seen);
        assert_eq!(found.state, Warning);
        assert_eq!(found.examples, ["ANA10 of prom_ana, ana10 of prom_ben"]);
    }
}
