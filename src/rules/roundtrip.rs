//! Tests of the canonical form: reading it gives the same campaign, and files that mean the
//! same have the same revision. How refusals look is tested in `tests/`.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::each_payment;
use super::{parse, revision, to_toml};
use crate::domain::campaign::{
    AmountBasis, Anchor, AttributionRules, Bound, Campaign, Duplicates, Limits, MatchKey,
    MatchRules, Mode, Prefer, Products, QualifyRules, RewardRule, Threshold, Touch,
};
use crate::domain::currency::Currency;
use crate::domain::ids::{AccountId, CampaignId, RevisionId};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;

fn currency() -> impl Strategy<Value = Currency> {
    let codes = prop::sample::select(vec!["eur", "isk", "jpy", "kwd", "usd"]);
    codes.prop_map(|code| Currency::parse(code).unwrap())
}

fn money() -> impl Strategy<Value = Money> {
    (1_i64..=1_000_000_000_000_000, currency()).prop_map(|(minor, c)| Money::new(minor, c))
}

fn bound() -> impl Strategy<Value = Bound> {
    prop::sample::select(vec![Bound::AtLeast, Bound::MoreThan])
}

/// Printable text without spaces around it, quotes and backslashes included.
fn label() -> impl Strategy<Value = String> {
    "[a-zA-Z\"\\\\'#é漢=\\[\\]]( ?[a-z0-9\"\\\\'_.-]){0,20}"
}

fn labels() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set(label(), 1..4).prop_map(|set| set.into_iter().collect())
}

fn matching() -> impl Strategy<Value = MatchRules> {
    use MatchKey::{Email, Metadata, StripeId};
    let keys = prop::sample::subsequence(vec![StripeId, Metadata, Email], 1..=3);
    let duplicates = prop::sample::select(vec![
        Duplicates::Hold,
        Duplicates::Combine,
        Duplicates::Oldest,
        Duplicates::Newest,
        Duplicates::HighestSpend,
    ]);
    (keys, labels(), duplicates, any::<bool>()).prop_map(|(keys, metadata, duplicates, new)| {
        MatchRules {
            keys,
            metadata,
            duplicates,
            new_customers_only: new,
        }
    })
}

fn spend() -> impl Strategy<Value = Vec<Threshold>> {
    prop::collection::vec((bound(), money()), 0..4).prop_map(|entries| {
        let mut by_currency = std::collections::BTreeMap::new();
        for (bound, amount) in entries {
            by_currency.insert(amount.currency, Threshold { bound, amount });
        }
        by_currency.into_values().collect()
    })
}

fn products() -> impl Strategy<Value = Option<Products>> {
    prop::option::of((labels(), 0_usize..3)).prop_map(|listed| {
        listed.map(|(ids, side)| match side {
            0 => Products {
                include: ids,
                exclude: vec![],
            },
            1 => Products {
                include: vec![],
                exclude: ids,
            },
            _ => Products {
                include: vec!["!".to_owned()],
                exclude: ids,
            },
        })
    })
}

fn qualify() -> impl Strategy<Value = QualifyRules> {
    let anchors = vec![
        Anchor::Referral,
        Anchor::FirstPayment,
        Anchor::CustomerCreated,
    ];
    let counting = (
        prop::option::of(1_u32..=3650),
        prop::sample::select(anchors),
        1_u32..=1000,
        (bound(), 1_i64..1_000_000, 0_u32..=3),
    );
    let rest = (any::<bool>(), any::<bool>(), 0_u32..=365, products());
    (spend(), counting, rest).prop_map(
        |(spend, (within_days, from, payments, (bound, units, scale)), rest)| {
            let (before_tax, out_of_band, hold_days, products) = rest;
            let each_payment = each_payment::make(bound, Decimal::new(units, scale)).unwrap();
            let amount = if before_tax {
                AmountBasis::BeforeTax
            } else {
                AmountBasis::Paid
            };
            QualifyRules {
                spend,
                within_days,
                from,
                payments,
                each_payment,
                amount,
                out_of_band,
                hold_days,
                products,
            }
        },
    )
}

fn attribution() -> impl Strategy<Value = AttributionRules> {
    let prefer = vec![Prefer::Link, Prefer::Coupon, Prefer::Earliest, Prefer::Hold];
    let touch = vec![Touch::First, Touch::Last];
    (
        any::<bool>(),
        prop::sample::select(prefer),
        prop::sample::select(touch),
    )
        .prop_map(|(coupons, prefer, touch)| AttributionRules {
            coupons,
            prefer,
            touch,
        })
}

/// A reward that fits to these thresholds.
fn reward(spend: Vec<Threshold>) -> impl Strategy<Value = Option<RewardRule>> {
    let fixed = money().prop_map(RewardRule::Fixed);
    let percent = (1_u32..=10_000, prop::option::of(money())).prop_map(move |(points, cap)| {
        let counted = spend.first().map(|threshold| threshold.amount.currency);
        RewardRule::Percent {
            basis_points: points,
            cap: cap.map(|cap| Money::new(cap.minor, counted.unwrap_or(cap.currency))),
        }
    });
    prop::option::of(prop_oneof![fixed, percent])
}

/// A budget that fits: only beside one fixed reward, and large enough for it.
fn limits(reward: Option<RewardRule>, most: Option<u32>, extra: Option<i64>) -> Limits {
    let budget = match (reward, extra) {
        (Some(RewardRule::Fixed(fixed)), Some(extra)) => Some(Money::new(
            (fixed.minor + extra).min(1_000_000_000_000_000),
            fixed.currency,
        )),
        _ => None,
    };
    Limits {
        per_promoter_settled: most,
        budget,
    }
}

prop_compose! {
    fn campaign()(qualify in qualify())(
        head in ("[a-z0-9][a-z0-9-]{0,62}", label(), prop::option::of("acct_[A-Za-z0-9]{1,20}")),
        (test, starts, length) in (any::<bool>(),
            prop::option::of(-1_000_000_i64..4_000_000_000), prop::option::of(1_i64..100_000_000)),
        (matching, attribution) in (matching(), attribution()),
        promoter in reward(qualify.spend.clone()),
        invited in reward(qualify.spend.clone()),
        (most, extra) in (prop::option::of(1_u32..=1_000_000), prop::option::of(0_i64..1000)),
        qualify in Just(qualify),
    ) -> Campaign {
        let (id, name, account) = head;
        let starts = starts.and_then(Timestamp::from_unix);
        let ends = length.map(|s| starts.unwrap_or_default().plus_seconds(s));
        let limits = limits(promoter, most, extra);
        let reward_invited = if limits.budget.is_some() { None } else { invited };
        let mut campaign = Campaign {
            id: CampaignId::from(id),
            revision: RevisionId::from(""),
            name,
            account: account.map(AccountId::from),
            mode: if test { Mode::Test } else { Mode::Live },
            starts, ends, matching, qualify, attribution,
            reward_promoter: promoter,
            reward_invited,
            limits,
        };
        campaign.revision = revision(&campaign);
        campaign
    }
}

proptest! {
    #[test]
    fn the_canonical_form_reads_back_as_the_same_campaign(campaign in campaign()) {
        let text = to_toml(&campaign);
        let read = parse("x.toml", &text);
        prop_assert_eq!(read, Ok(campaign), "{}", text);
    }

    #[test]
    fn no_text_makes_reading_panic(text in "[a-z\\[\\]{}=\"., \n0-9é]{0,200}") {
        let _ = parse("x.toml", &text);
    }

    /// A valid campaign with some characters replaced: reaches further than noise does.
    #[test]
    fn no_damaged_campaign_makes_reading_panic(
        campaign in campaign(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}=\".,\n0é-]"), 1..6),
    ) {
        let mut text: Vec<char> = to_toml(&campaign).chars().collect();
        for (place, with) in damage {
            let place = place.index(text.len());
            text[place] = with.chars().next().unwrap();
        }
        if let Err(problems) = parse("x.toml", &text.iter().collect::<String>()) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|p| p.line >= 1 && p.column >= 1));
        }
    }
}

#[test]
fn files_that_mean_the_same_have_one_revision() {
    let short = parse(
        "a.toml",
        r#"
            id = "x"
            name = "X"
            starts = 2026-03-01T00:00:00Z
            [qualify]
            spend = [ { at_least = "45", currency = "eur" }, { at_least = "50", currency = "usd" } ]
            [qualify.products]
            include = ["prod_B", "prod_A"]
            [reward.promoter]
            percent = "12.5"
        "#,
    );
    let long = parse(
        "b.toml",
        r#"
            schema = 1                      # the first and only one
            name = 'X'
            id = "x"
            mode = "live"
            starts = 2026-03-01T01:00:00.25+01:00

            [reward]
            promoter = { percent = "12.50" }

            [attribution]
            coupons = true
            prefer = "link"
            touch = "first"

            [match]
            keys = ["stripe_id", "metadata", "email"]
            metadata = ["fp_uid"]
            duplicates = "hold"
            customers = "any"

            [qualify]
            from = "referral"
            payments = 1
            each_payment = { more_than = "0.5" }
            amount = "paid"
            out_of_band = false
            hold_days = 0
            products.include = ["prod_A", "prod_B"]
            [[qualify.spend]]
            currency = "USD"
            at_least = "50.00"
            [[qualify.spend]]
            currency = "EUR"
            at_least = "45.000"
            [limits]
        "#,
    );
    let (short, long) = (short.unwrap(), long.unwrap());
    assert_eq!(short, long);
    assert!(short.revision.as_str().starts_with("sha256:"));
    let other = parse("c.toml", &to_toml(&short).replace("\"45.00\"", "\"45.01\"")).unwrap();
    assert_ne!(short.revision, other.revision);
}

/// Stored revisions name this digest: it changes only with what the campaign means.
#[test]
fn the_canonical_form_stays_as_it_is() {
    let campaign = parse(
        "a.toml",
        "id = \"x\"\nname = \"a \\\"b\\\" \\\\\"\nmode = \"test\"\n[qualify]\nhold_days = 3\n\
         spend = [{ more_than = \"5\", currency = \"kwd\" }]\n\
         [reward.promoter]\npercent = \"10\"\ncap = { amount = \"9.5\", currency = \"kwd\" }\n",
    )
    .unwrap();
    assert_eq!(
        to_toml(&campaign),
        "schema = 1\nid = \"x\"\nname = \"a \\\"b\\\" \\\\\"\nmode = \"test\"\n\n[qualify]\n\
         spend = [{ more_than = \"5.000\", currency = \"kwd\" }]\nhold_days = 3\n\n\
         [reward.promoter]\npercent = \"10\"\n\
         cap = { amount = \"9.500\", currency = \"kwd\" }\n"
    );
    assert_eq!(campaign.revision, revision(&campaign));
}
