//! Everything that can go wrong in a database, done to it by hand: `verify` has to find exactly
//! that, and say where.

use crate::shop::Shop;

/// What is done, the checks that must fail, and a place that must be told.
const DAMAGES: &[(&str, &[&str], &str)] = &[
    (
        "UPDATE events SET body = CAST(substr(CAST(body AS TEXT), 2) AS BLOB) WHERE event_id = 'evt_001'",
        &["stored_bytes", "facts", "verdicts"],
        "events evt_001",
    ),
    (
        "UPDATE events SET body = CAST(replace(CAST(body AS TEXT), 'evt_001', 'evt_x01') AS BLOB)
         WHERE event_id = 'evt_001'",
        &["stored_bytes", "facts"],
        "events evt_001",
    ),
    (
        "UPDATE events SET body = CAST(replace(CAST(body AS TEXT), 'bea@', 'eve@') AS BLOB)
         WHERE event_id = 'evt_001'",
        &["facts", "customer_keys", "verdicts"],
        "objects customer cus_bea",
    ),
    (
        "UPDATE events SET created_at = 7 WHERE event_id = 'evt_001'",
        &["stored_bytes"],
        "events evt_001",
    ),
    (
        "UPDATE objects SET state = replace(state, 'bea@', 'eve@') WHERE object_id = 'cus_bea'",
        &["facts"],
        "objects customer cus_bea",
    ),
    (
        "UPDATE objects SET group_id = 'charge:x' WHERE object_id = 'ch_bea'",
        &["facts"],
        "objects charge ch_bea",
    ),
    (
        "INSERT INTO objects SELECT connection_id, kind, 'cus_none', NULL, NULL, state
         FROM objects WHERE object_id = 'cus_bea'",
        &["facts"],
        "objects customer cus_none",
    ),
    (
        "DELETE FROM objects WHERE object_id = 'cus_bea'",
        &["facts"],
        "objects customer cus_bea",
    ),
    (
        "UPDATE payments SET record = replace(record, '5200', '5300') WHERE group_id = 'charge:ch_bea'",
        &["payments"],
        "payments charge:ch_bea",
    ),
    (
        "DELETE FROM customer_keys WHERE customer_id = 'cus_bea' AND key_kind = 'email'",
        &["customer_keys"],
        "customer_keys cus_bea",
    ),
    (
        "UPDATE verdicts SET verdict = replace(verdict, '52.00', '53.00') WHERE referral_id = 'ref_bea'",
        &["verdicts"],
        "verdicts spring-2026 ref_bea",
    ),
    (
        "DELETE FROM verdicts WHERE referral_id = 'ref_carl'",
        &["verdicts"],
        "verdicts spring-2026 ref_carl",
    ),
    (
        "UPDATE verdicts SET verdict = '{' WHERE referral_id = 'ref_carl'",
        &["people"],
        "verdicts",
    ),
    (
        "UPDATE qualifications SET adjust_due = 1 WHERE referral_id = 'ref_bea'",
        &["qualifications"],
        "of spring-2026 ref_bea",
    ),
    (
        "DROP INDEX qualifications_one_per_person; DROP INDEX qualifications_one_per_referral;
         INSERT INTO qualifications SELECT connection_id, 'qual_x', campaign_id, 'ref_carl', person,
           promoter_id, revision, 'queued', reason, qualified_at, settle_after, rewards, '[]', 0, 0,
           created_at, changed_at, 1 FROM qualifications WHERE referral_id = 'ref_bea'",
        &["qualifications", "uniqueness"],
        "qualifications spring-2026 cus_bea",
    ),
    (
        "DROP TRIGGER ledger_entries_keep_update;
         UPDATE ledger_entries SET amount_minor = amount_minor + 1 WHERE account = 'promoter:prom_ana'",
        &["ledger"],
        "ledger_transactions qual_",
    ),
    (
        "DROP TRIGGER ledger_entries_keep_update;
         UPDATE ledger_entries SET account = 'promoter:prom_ben' WHERE account = 'promoter:prom_ana'",
        &["ledger"],
        "ledger_transactions qual_",
    ),
    (
        "UPDATE qualifications SET given = replace(given, '2000', '1900') WHERE referral_id = 'ref_bea'",
        &["qualifications", "ledger"],
        "qualifications qual_",
    ),
    (
        "UPDATE ledger_balances SET amount_minor = amount_minor + 1 WHERE account = 'promoter:prom_ana'",
        &["ledger"],
        "balances differ from their entries: promoter:prom_ana",
    ),
    (
        "DELETE FROM ledger_balances WHERE account = 'budget:spring-2026'",
        &["ledger"],
        "balances differ from their entries: budget:spring-2026",
    ),
    (
        "PRAGMA foreign_keys = OFF; DROP TRIGGER ledger_transactions_keep_update;
         UPDATE ledger_transactions SET qualification_id = 'qual_gone' || item",
        &["ledger", "batches"],
        "ledger_transactions of qual_gone",
    ),
    (
        "UPDATE batches SET settled = 7",
        &["batches"],
        "batches batch_now.",
    ),
    (
        "DELETE FROM batch_items WHERE position = 0",
        &["batches"],
        "batches batch_now.",
    ),
];

#[test]
fn each_damage_is_found_where_it_is() {
    let shop = Shop::settled();
    shop.verified();
    let whole = std::fs::read(shop.path("data/qualify.db")).unwrap();
    for (damage, checks, place) in DAMAGES {
        std::fs::write(shop.path("data/qualify.db"), &whole).unwrap();
        shop.sql(damage);
        let ran = shop.run(&["verify", "--json"]);
        assert_eq!(ran.code, 4, "{damage}: {ran:?}");
        let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let report = report["checks"].as_array().unwrap();
        let failed: Vec<&str> = report
            .iter()
            .filter(|check| check["found"] != 0)
            .map(|check| check["name"].as_str().unwrap())
            .collect();
        assert_eq!(&failed, checks, "{damage}: {}", ran.out);
        let told = shop.run(&["verify"]).out;
        assert!(
            told.contains(place) && told.contains("      → "),
            "{damage}: {told}"
        );
    }
}
