//! The form's groups and fields, as they are shown: the words that the file's keys stand for.

use super::form::{SPEND_MAX, spend};
use crate::web::input::Fields;
use crate::web::parts::{Choice, Errors, Field};

/// Fields under one heading.
#[derive(Debug)]
pub(crate) struct Group {
    pub title: &'static str,
    pub hint: &'static str,
    pub rows: Vec<Vec<Field>>,
}

/// Makes fields with what stands in them and what is wrong with them.
struct Maker<'f> {
    fields: &'f Fields,
    errors: &'f Errors,
}

impl Maker<'_> {
    fn fill(&self, name: &str, field: Field) -> Field {
        field
            .value(self.fields.raw(name))
            .error(self.errors.at(name))
    }

    fn text(&self, name: &str, label: &str) -> Field {
        self.fill(name, Field::text(name, label))
    }

    fn area(&self, name: &str, label: &str) -> Field {
        self.fill(name, Field::area(name, label, 3))
    }

    fn select(&self, name: &str, label: &str, of: &[(&str, &str)]) -> Field {
        self.fill(name, Field::select(name, label, choices(of)))
    }

    fn radios(&self, name: &str, label: &str, of: &[(&str, &str)]) -> Field {
        self.fill(name, Field::radios(name, label, choices(of)))
    }

    fn tick(&self, name: &str, label: &str) -> Field {
        Field::tick(name, label, self.fields.is_ticked(name)).error(self.errors.at(name))
    }
}

fn choices(of: &[(&str, &str)]) -> Vec<Choice> {
    of.iter()
        .map(|(value, label)| Choice::new(*value, *label))
        .collect()
}

const BOUNDS: [(&str, &str); 2] = [("at_least", "at least"), ("more_than", "more than")];

/// The whole form.
pub(super) fn groups(fields: &Fields, errors: &Errors, is_new: bool) -> Vec<Group> {
    let make = Maker { fields, errors };
    vec![
        campaign(&make, is_new),
        earned(&make),
        counts(&make),
        reward(&make, "reward.promoter", "What the promoter gets"),
        reward(&make, "reward.invited", "What the invited person gets"),
        settling(&make),
        people(&make),
        whose(&make),
    ]
}

fn campaign(make: &Maker<'_>, is_new: bool) -> Group {
    let mut rows = Vec::new();
    if is_new {
        let hint =
            "Lower-case letters, digits and hyphens. It stays the same when the rules change.";
        rows.push(vec![make.text("id", "Id").hint(hint)]);
    }
    rows.push(vec![make.text("name", "Name")]);
    let hint =
        "A day or an instant, like 2026-03-01 or 2026-03-01T09:00:00+09:00. Blank: no limit.";
    rows.push(vec![
        make.text("starts", "Referrals from").hint(hint),
        make.text("ends", "Referrals before")
            .hint("Referrals made before this keep all their days to pay."),
    ]);
    Group {
        title: "Campaign",
        hint: "",
        rows,
    }
}

fn earned(make: &Maker<'_>) -> Group {
    let there = spend(make.fields);
    // One more than there are, to add a currency without a script.
    let lines = (there.len() + 1).min(SPEND_MAX);
    let blank = [String::from("at_least"), String::new(), String::new()];
    let mut rows: Vec<Vec<Field>> = (0..lines)
        .map(|index| {
            let name = |part: &str| format!("qualify.spend[{index}].{part}");
            let [bound, amount, currency] = there.get(index).unwrap_or(&blank).clone();
            let label = |what: &str| format!("{what} {}", index + 1);
            let (amount_name, currency_name) = (name("amount"), name("currency"));
            vec![
                Field::select(&name("bound"), &label("Spend"), choices(&BOUNDS)).value(bound),
                Field::text(&amount_name, &label("Amount"))
                    .value(amount)
                    .error(make.errors.at(&amount_name)),
                Field::text(&currency_name, &label("Currency"))
                    .value(currency)
                    .error(make.errors.at(&currency_name)),
            ]
        })
        .collect();
    rows.push(vec![
        make.text("qualify.payments", "Payments at least"),
        make.text("qualify.within_days", "Within days")
            .hint("Days of 24 hours. Blank: no limit."),
        make.select(
            "qualify.from",
            "Counted from",
            &[
                ("referral", "the referral"),
                ("first_payment", "the first payment that counts"),
                ("customer_created", "the customer’s creation"),
            ],
        ),
    ]);
    Group {
        title: "What has to be spent",
        hint: "One line a currency; any one suffices, nothing is converted. No line: any payment that counts.",
        rows,
    }
}

fn counts(make: &Maker<'_>) -> Group {
    Group {
        title: "Which payments count",
        hint: "",
        rows: vec![
            vec![
                make.select("qualify.each_payment.bound", "Each payment", &BOUNDS),
                make.text("qualify.each_payment.amount", "Amount")
                    .hint("In each payment’s own currency."),
                make.select(
                    "qualify.amount",
                    "Of a payment counts",
                    &[
                        ("paid", "what was paid"),
                        ("before_tax", "what was paid, without tax and shipping"),
                    ],
                ),
            ],
            vec![make.tick(
                "qualify.out_of_band",
                "Invoices marked as paid outside Stripe count too",
            )],
            vec![
                make.area("qualify.products.include", "Only these products or prices")
                    .hint("One id a line. Blank: all."),
                make.area("qualify.products.exclude", "Never these")
                    .hint("One id a line."),
            ],
        ],
    }
}

fn reward(make: &Maker<'_>, side: &str, title: &'static str) -> Group {
    let name = |part: &str| format!("{side}.{part}");
    let kinds = [
        ("none", "Nothing"),
        ("fixed", "A fixed amount"),
        ("percent", "A percentage of the spend that counts"),
    ];
    Group {
        title,
        hint: "",
        rows: vec![
            vec![make.radios(&name("kind"), "Reward", &kinds)],
            vec![
                make.text(&name("amount"), "Fixed amount"),
                make.text(&name("currency"), "Currency of the amount"),
            ],
            vec![
                make.text(&name("percent"), "Percent"),
                make.text(&name("cap_amount"), "At most"),
                make.text(&name("cap_currency"), "Currency of the limit"),
            ],
        ],
    }
}

fn settling(make: &Maker<'_>) -> Group {
    Group {
        title: "Settling and limits",
        hint: "",
        rows: vec![
            vec![
                make.text("qualify.hold_days", "Wait days")
                    .hint("Between earning and settling, so that refunds are seen in time."),
                make.text("limits.per_promoter_settled", "Rewards per promoter")
                    .hint("At most. Blank: no limit."),
            ],
            vec![
                make.text("limits.budget_amount", "Budget")
                    .hint("What the campaign may owe in all. Blank: no limit."),
                make.text("limits.budget_currency", "Currency of the budget"),
            ],
        ],
    }
}

fn people(make: &Maker<'_>) -> Group {
    let keys = [
        ("stripe_id", "The Stripe id"),
        ("metadata", "The uid in the customer’s metadata"),
        ("email", "The email"),
    ];
    let chosen = make.fields.all("match.keys");
    let of = choices(&keys).into_iter().map(|choice| Choice {
        chosen: chosen.contains(&choice.value),
        ..choice
    });
    let keys = Field::checks("match.keys", "Recognised by, strongest first", of.collect())
        .error(make.errors.at("match.keys"));
    let several = [
        ("hold", "A person decides"),
        ("combine", "Their spend is added"),
        ("oldest", "The one created first"),
        ("newest", "The one created last"),
        ("highest_spend", "The one with the highest spend"),
    ];
    Group {
        title: "Who the invited person is",
        hint: "",
        rows: vec![
            vec![
                keys,
                make.radios(
                    "match.duplicates",
                    "If several customers fit equally",
                    &several,
                ),
            ],
            vec![make.tick("match.customers", "Only new customers")],
        ],
    }
}

fn whose(make: &Maker<'_>) -> Group {
    Group {
        title: "Whose referral it is",
        hint: "",
        rows: vec![
            vec![make.tick(
                "attribution.coupons",
                "A promoter’s coupon on a payment makes it theirs",
            )],
            vec![
                make.select(
                    "attribution.prefer",
                    "If the referral says one promoter and the coupon another",
                    &[
                        ("link", "the referral counts"),
                        ("coupon", "the coupon counts"),
                        ("earliest", "the earlier counts"),
                        ("hold", "a person decides"),
                    ],
                ),
                make.select(
                    "attribution.touch",
                    "If two promoters referred the same person",
                    &[("first", "the first counts"), ("last", "the last counts")],
                ),
            ],
        ],
    }
}
