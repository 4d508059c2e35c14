//! Every refusal of a campaign file: one mistake, one problem, at its exact place. `«` marks
//! the place in the text and is taken out before reading.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a test that fails"
)]

use qualify::rules;

/// What is written below a valid head, the key, the code, and words of the message.
type Refusal = (&'static str, &'static str, &'static str, &'static str);

const HEAD: &str = "id = \"x\"\nname = \"X\"\n";

fn refused(text: &str, (_, key, code, words): &Refusal) {
    let at = text
        .find('«')
        .unwrap_or_else(|| panic!("no mark in {text}"));
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    let problems = rules::parse("x.toml", &text.replacen('«', "", 1)).unwrap_err();
    let [problem] = problems.as_slice() else {
        panic!("one problem expected in {text}\nfound {problems:#?}");
    };
    assert_eq!(
        (problem.key.as_str(), problem.code),
        (*key, *code),
        "{text}"
    );
    let place = (problem.line as usize, problem.column as usize);
    assert_eq!(place, (line, column), "{text}\n{problem}");
    assert!(problem.message.contains(words), "{text}\n{problem}");
}

#[test]
#[rustfmt::skip]
fn refusals_of_the_head() {
    let long = format!("id = «\"{}\"\nname = \"X\"", "a".repeat(64));
    let name = format!("id = \"x\"\nname = «\"{}\"", "é".repeat(121));
    let table: &[Refusal] = &[
        ("«name = \"X\"", "id", "missing_key", "write for example id"),
        ("«id = \"x\"", "name", "missing_key", "write for example name"),
        ("id = «1\nname = \"X\"", "id", "type_mismatch", "found 1"),
        ("id = «\"\"\nname = \"X\"", "id", "id_invalid", "1 to 63"),
        ("id = «\"-x\"\nname = \"X\"", "id", "id_invalid", "hyphen"),
        ("id = «\"Éa\"\nname = \"X\"", "id", "id_invalid", "lower-case"),
        ("id = «\"a_b\"\nname = \"X\"", "id", "id_invalid", "a_b"),
        ("id = \"x\"\nname = «\" \"", "name", "empty", "printable"),
        ("id = \"x\"\nname = «\" X\"", "name", "text_invalid", "spaces"),
        ("id = \"x\"\nname = «\"a\\nb\"", "name", "text_invalid", "control"),
        ("id = \"x\"\nname = «true", "name", "type_mismatch", "found true"),
        ("id = \"é\" «x", "", "toml_syntax", "not TOML"),
        ("id = \"x\"\nname = \"X\"\n«id = \"y\"", "", "toml_syntax", "duplicate key"),
    ];
    for refusal in table {
        refused(refusal.0, refusal);
    }
    refused(&long, &("", "id", "id_invalid", "…"));
    refused(&name, &("", "name", "text_invalid", "121 characters"));
    let large = format!("«#{}", "x".repeat(rules::FILE_BYTES_MAX));
    refused(&large, &("", "", "too_large", "at most 65536"));
}

#[test]
#[rustfmt::skip]
fn refusals_of_single_keys() {
    let table: &[Refusal] = &[
        ("schema = «0", "schema", "schema_unsupported", "accepts 1"),
        ("schema = «\"1\"", "schema", "type_mismatch", "without quotes"),
        ("account = «\"acct_\"", "account", "account_invalid", "acct_1"),
        ("mode = «\"Live\"", "mode", "value_unknown", "did you mean \"live\"?"),
        ("starts = «2026-03-01T00:00:00", "starts", "type_mismatch", "add Z: 2026-03-01T00:00:00Z"),
        ("starts = «2026-03-01", "starts", "type_mismatch", "add Z: 2026-03-01T00:00:00Z"),
        ("ends = «\"2026-03-01T00:00:00Z\"", "ends", "type_mismatch", "without quotes"),
        ("ends = «0000-01-01T00:00:00Z", "ends", "out_of_range", "0001"),
        ("«colour = 1", "colour", "unknown_key", "accepted at the top"),
        ("«hold_days = 1", "hold_days", "unknown_key", "belongs in [qualify]"),
        ("[limits]\n«mode = \"test\"", "limits.mode", "unknown_key", "top of the file"),
        ("[«qualfy]", "qualfy", "unknown_key", "did you mean `qualify`?"),
        ("qualify = «1", "qualify", "type_mismatch", "a table with"),
        ("[match]\nkeys = «\"email\"", "match.keys", "type_mismatch", "a list of"),
        ("[match]\nkeys = «[]", "match.keys", "empty", "leave `keys` out"),
        ("[match]\nkeys = [\"email\", «\"email\"]", "match.keys[1]", "duplicate_value", "twice"),
        ("[match]\nkeys = [\"email\", «\"stripe_id\"]", "match.keys[1]", "order_invalid", "fixed"),
        ("[match]\nkeys = [«\"mail\"]", "match.keys[0]", "value_unknown", "did you mean \"email\"?"),
        ("[match]\nmetadata = [\"a\", «\"a\"]", "match.metadata[1]", "duplicate_value", "twice"),
        ("[match]\nmetadata = [«\"\"]", "match.metadata[0]", "empty", "1 to 40"),
        ("[match]\nduplicates = «\"merge\"", "match.duplicates", "value_unknown", "combine"),
        ("[match]\ncustomers = «true", "match.customers", "type_mismatch", "\"any\" or \"new\""),
        ("[attribution]\nprefer = «\"first\"", "attribution.prefer", "value_unknown", "earliest"),
        ("[attribution]\ntouch = «\"frist\"", "attribution.touch", "value_unknown", "\"first\"?"),
        ("[attribution]\ncoupons = «\"A\"", "attribution.coupons", "type_mismatch", "to promoters"),
        ("limits.per_promoter_settled = «0", "limits.per_promoter_settled", "out_of_range", "1 to"),
    ];
    for refusal in table {
        refused(&format!("{HEAD}{}\n", refusal.0), refusal);
    }
}

#[test]
#[rustfmt::skip]
fn refusals_in_qualify() {
    let spend = "qualify.spend[0].at_least";
    let table: &[Refusal] = &[
        ("spend = «[]", "qualify.spend", "empty", "leave `spend` out"),
        ("spend = «{ at_least = \"1\", currency = \"usd\" }", "qualify.spend", "type_mismatch", "a list like"),
        ("spend = [«\"50\"]", "qualify.spend[0]", "type_mismatch", "a table with"),
        ("spend = [{ at_least = «50, currency = \"usd\" }]", spend, "type_mismatch", "write it as \"50\""),
        ("spend = [{ at_least = «5.5, currency = \"usd\" }]", spend, "type_mismatch", "write it as \"5.5\""),
        ("spend = [{ at_least = «true, currency = \"usd\" }]", spend, "type_mismatch", "quoted decimal"),
        ("spend = [{ at_least = «\"0.00\", currency = \"usd\" }]", spend, "out_of_range", "above zero"),
        ("spend = [{ at_least = «\"-5\", currency = \"usd\" }]", spend, "amount_invalid", "above zero"),
        ("spend = [{ at_least = «\"1,000\", currency = \"usd\" }]", spend, "amount_invalid", "separators"),
        ("spend = [{ at_least = «\"１０\", currency = \"usd\" }]", spend, "amount_invalid", "plain digits"),
        ("spend = [{ at_least = «\"1e3\", currency = \"usd\" }]", spend, "amount_invalid", "plain digits"),
        ("spend = [{ at_least = «\"10.005\", currency = \"usd\" }]", spend, "amount_invalid", "at most 2"),
        ("spend = [{ at_least = «\"5.5\", currency = \"jpy\" }]", spend, "amount_invalid", "no decimals"),
        ("spend = [{ at_least = «\"10000000000000.01\", currency = \"usd\" }]", spend, "amount_invalid", "up to"),
        ("spend = [«{ currency = \"usd\" }]", spend, "missing_key", "more_than"),
        ("spend = [«{ at_least = \"5\" }]", "qualify.spend[0].currency", "missing_key", "usd"),
        ("spend = [{ at_least = \"5\", currency = «\"usb\" }]", "qualify.spend[0].currency", "currency_unknown", "did you mean \"usd\"?"),
        ("spend = [{ at_least = \"5\", currency = «\"€\" }]", "qualify.spend[0].currency", "currency_unknown", "\"eur\"?"),
        ("spend = [{ at_least = \"5\", «more_then = \"5\", currency = \"usd\" }]", "qualify.spend[0].more_then", "unknown_key", "`more_than`?"),
        ("spend = [{ at_least = \"5\", more_than = «\"5\", currency = \"usd\" }]", "qualify.spend[0].more_than", "conflict", "one of them"),
        ("spend = [{ at_least = \"5\", currency = \"usd\" }, «{ more_than = \"6\", currency = \"USD\" }]", "qualify.spend[1]", "duplicate_value", "USD twice"),
        ("within_days = «0", "qualify.within_days", "out_of_range", "found 0; accepted are 1 to 3650"),
        ("within_days = «3651", "qualify.within_days", "out_of_range", "1 to 3650"),
        ("within_days = «-1", "qualify.within_days", "out_of_range", "found -1"),
        ("within_days = «99999999999999999999", "qualify.within_days", "out_of_range", "1 to 3650"),
        ("within_days = «30.0", "qualify.within_days", "type_mismatch", "without decimals"),
        ("from = «\"refferal\"", "qualify.from", "value_unknown", "\"referral\"?"),
        ("payments = «0", "qualify.payments", "out_of_range", "1 to 1000"),
        ("payments = «1001", "qualify.payments", "out_of_range", "1 to 1000"),
        ("each_payment = «\"0.50\"", "qualify.each_payment", "type_mismatch", "a table with"),
        ("each_payment = «{}", "qualify.each_payment.at_least", "missing_key", "more_than"),
        ("each_payment = { more_than = «0.5 }", "qualify.each_payment.more_than", "type_mismatch", "\"0.5\""),
        ("each_payment = { at_least = «\"0\" }", "qualify.each_payment.at_least", "out_of_range", "more_than"),
        ("each_payment = { at_least = «\"0.0001\" }", "qualify.each_payment.at_least", "amount_invalid", "at most 3"),
        ("each_payment = { at_least = \"1\", «currency = \"usd\" }", "qualify.each_payment.currency", "unknown_key", "at_least and more_than"),
        ("amount = «\"net\"", "qualify.amount", "value_unknown", "before_tax"),
        ("out_of_band = «1", "qualify.out_of_band", "type_mismatch", "true or false"),
        ("hold_days = «366", "qualify.hold_days", "out_of_range", "0 to 365"),
        ("«[qualify.products]", "qualify.products.include", "missing_key", "exclude"),
        ("[qualify.products]\ninclude = «[]", "qualify.products.include", "empty", "leave"),
        ("[qualify.products]\ninclude = [\"a\"]\nexclude = «[\"a\"]", "qualify.products.exclude", "conflict", "\"a\""),
    ];
    for refusal in table {
        refused(&format!("{HEAD}[qualify]\n{}\n", refusal.0), refusal);
    }
}

#[test]
#[rustfmt::skip]
fn refusals_of_rewards() {
    let table: &[Refusal] = &[
        ("«[reward.promoter]", "reward.promoter.fixed", "missing_key", "percent"),
        ("reward = «1", "reward", "type_mismatch", "promoter and invited"),
        ("[reward.promoter]\nfixed = «\"20\"", "reward.promoter.fixed", "type_mismatch", "amount and currency"),
        ("[reward.promoter]\nfixed = «{ currency = \"usd\" }", "reward.promoter.fixed.amount", "missing_key", "20.00"),
        ("[reward.promoter]\nfixed = { amount = «\"0\", currency = \"usd\" }", "reward.promoter.fixed.amount", "out_of_range", "above zero"),
        ("[reward.invited]\npercent = «12.5", "reward.invited.percent", "type_mismatch", "\"12.5\""),
        ("[reward.invited]\npercent = «\"12.5%\"", "reward.invited.percent", "percent_invalid", "without a sign"),
        ("[reward.invited]\npercent = «\"1.005\"", "reward.invited.percent", "percent_invalid", "two decimals"),
        ("[reward.invited]\npercent = «\"0\"", "reward.invited.percent", "out_of_range", "above 0"),
        ("[reward.invited]\npercent = «\"100.01\"", "reward.invited.percent", "out_of_range", "up to 100"),
        ("[reward.promoter]\nfixed = { amount = \"1\", currency = \"usd\" }\npercent = «\"5\"", "reward.promoter.percent", "conflict", "both"),
        ("[reward.promoter]\nfixed = { amount = \"1\", currency = \"usd\" }\ncap = «{ amount = \"5\", currency = \"usd\" }", "reward.promoter.cap", "conflict", "without `percent`"),
    ];
    for refusal in table {
        refused(&format!("{HEAD}{}\n", refusal.0), refusal);
    }
    let with_spend = "[qualify]\nspend = [{ at_least = \"5\", currency = \"eur\" }]\n";
    let table: &[Refusal] = &[
        ("[reward.promoter]\npercent = \"5\"\ncap = «{ amount = \"5\", currency = \"usd\" }", "reward.promoter.cap", "conflict", "EUR alone"),
        ("[reward.promoter]\npercent = \"5\"\n[limits]\nbudget = «{ amount = \"5\", currency = \"usd\" }", "limits.budget", "conflict", "EUR alone"),
    ];
    for refusal in table {
        refused(&format!("{HEAD}{with_spend}{}\n", refusal.0), refusal);
    }
}

#[test]
#[rustfmt::skip]
fn refusals_between_keys() {
    let usd = "[reward.promoter]\nfixed = { amount = \"20\", currency = \"usd\" }\n[limits]\n";
    let table: &[Refusal] = &[
        ("starts = 2026-03-01T00:00:00Z\nends = «2026-03-01T01:00:00+01:00", "ends", "conflict", "after `starts`"),
        ("[limits]\nbudget = «{ amount = \"1\", currency = \"usd\" }", "limits.budget", "conflict", "no reward"),
    ];
    for refusal in table {
        refused(&format!("{HEAD}{}\n", refusal.0), refusal);
    }
    let table: &[Refusal] = &[
        ("budget = «{ amount = \"100\", currency = \"eur\" }", "limits.budget", "conflict", "no conversion"),
        ("budget = «{ amount = \"19.99\", currency = \"usd\" }", "limits.budget", "conflict", "20.00 USD that one settlement"),
    ];
    for refusal in table {
        refused(&format!("{HEAD}{usd}{}\n", refusal.0), refusal);
    }
    let broken = format!(
        "{HEAD}[qualify]\nspend = [{{ at_least = \"5\", currency = «\"zzz\" }}]\n{usd}\
         budget = {{ amount = \"100\", currency = \"usd\" }}\n"
    );
    let only = ("", "qualify.spend[0].currency", "currency_unknown", "zzz");
    refused(&broken, &only);
}

#[test]
fn limits_themselves_are_accepted() {
    for body in [
        "[qualify]\nwithin_days = 1\npayments = 1000\nhold_days = 365",
        "[qualify]\nwithin_days = 3650\npayments = 1\nhold_days = 0",
        "[qualify]\neach_payment = { more_than = \"0\" }",
        "[reward.promoter]\npercent = \"100\"",
        "[reward.promoter]\npercent = \"0.01\"",
        "[reward.promoter]\nfixed = { amount = \"0.01\", currency = \"usd\" }",
        "starts = 2026-03-01T00:00Z\nends = 2026-03-01t00:00:01+00:00",
        "schema = 1\nmode = \"test\"\naccount = \"acct_1QmDemo000000001\"",
    ] {
        let read = rules::parse("x.toml", &format!("{HEAD}{body}\n"));
        assert!(read.is_ok(), "{body}\n{read:?}");
    }
    let longest = format!(
        "id = \"{}\"\nname = \"{}\"",
        "a".repeat(63),
        "é".repeat(120)
    );
    assert!(rules::parse("x.toml", &longest).is_ok());
}

#[test]
fn deep_files_are_refused_without_harm() {
    let depth = 30_000;
    for text in [
        format!("a = {}", "[".repeat(depth)),
        format!("a = {}{}", "[".repeat(depth), "]".repeat(depth)),
        format!("a = {}", "{a=".repeat(depth / 2)),
        format!("{}a = 1", "a.".repeat(depth)),
        format!("[{}a]", "a.".repeat(depth)),
        "b=\n".repeat(20_000),
    ] {
        let problems = rules::parse("x.toml", &text).unwrap_err();
        assert!((1..=rules::PROBLEMS_MAX).contains(&problems.len()));
    }
}
