//! Settled money follows the facts: refunds and disputes counter it, a dispute won gives it
//! again, and nothing is given twice.

use crate::shop::{Shop, charge, customer, dispute, event};

/// 2026-03-05, in the window of the fixture's referrals.
const PAID: i64 = 1_772_668_800;

fn settle(shop: &Shop) -> String {
    let out = shop.ok(&["settle", "--now"]).out;
    shop.verified();
    assert_eq!(shop.ok(&["settle", "--now"]).out, "nothing is due\n");
    out
}

#[test]
fn a_refund_after_settlement_is_countered_by_the_next_batch() {
    let shop = Shop::settled();
    let refunded = charge("ch_bea", "cus_bea", 1_772_618_400, 5200, 5200);
    shop.pipe(
        "events",
        &[event("evt_r", PAID + 9, "charge.refunded", &refunded)],
    );
    shop.verified();
    let preview = shop.ok(&["settle", "--dry-run"]).out;
    assert!(
        preview.contains("reverse") && preview.contains("total -20.00 USD"),
        "{preview}"
    );
    let out = settle(&shop);
    assert!(
        out.contains(": 0 settled, 1 reversed, 0 reinstated"),
        "{out}"
    );
    let told = shop.ok(&["explain", "ref_bea"]).out;
    assert!(
        told.contains("taken back in batch_now.") && told.contains("-20.00 USD"),
        "{told}"
    );
}

#[test]
fn a_dispute_lost_is_reversed_and_won_later_reinstated() {
    let shop = Shop::settled();
    let at = |n: i64| PAID + n;
    let told = |n: i64, kind: &str, status: &str| {
        let object = dispute("dp_1", "ch_emil", at(10), 6000, status);
        vec![event(&format!("evt_d{n}"), at(n), kind, &object)]
    };
    shop.pipe(
        "events",
        &[
            event(
                "evt_c",
                at(0),
                "customer.created",
                &customer("cus_emil", at(0), "emil@example.com"),
            ),
            event(
                "evt_p",
                at(1),
                "charge.succeeded",
                &charge("ch_emil", "cus_emil", at(1), 6000, 0),
            ),
        ],
    );
    assert!(settle(&shop).contains(": 1 settled"), "emil qualifies");
    // While it is open, nothing is decided.
    shop.pipe(
        "events",
        &told(11, "charge.dispute.created", "needs_response"),
    );
    shop.verified();
    assert_eq!(shop.ok(&["settle", "--now"]).out, "nothing is due\n");
    shop.pipe("events", &told(12, "charge.dispute.closed", "lost"));
    assert!(settle(&shop).contains("0 settled, 1 reversed, 0 reinstated"));
    shop.pipe("events", &told(13, "charge.dispute.closed", "won"));
    assert!(settle(&shop).contains("0 settled, 0 reversed, 1 reinstated"));
    let told = shop.ok(&["explain", "ref_emil"]).out;
    assert!(told.starts_with("Settled: 20.00 USD"), "{told}");
}

#[test]
fn a_partial_refund_takes_back_the_difference_of_a_percentage() {
    let shop = Shop::settled();
    // The coupon's customer paid 40.00 USD, of which 12.5 % were given.
    let refunded = charge("ch_fay", "cus_fay", 1_772_841_600, 4000, 1000);
    shop.pipe(
        "events",
        &[event("evt_r", PAID + 900_000, "charge.refunded", &refunded)],
    );
    let preview = shop.ok(&["settle", "--dry-run"]).out;
    assert!(preview.contains("total -1.25 USD"), "{preview}");
    assert!(settle(&shop).contains("1 reversed"));
}

#[test]
fn a_better_claim_is_queued_once_the_settled_one_is_taken_back() {
    let shop = Shop::empty();
    let rules = shop.path("rules/spring.toml");
    let text = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, text + "\n[attribution]\ntouch = \"last\"\n").unwrap();
    let people = ["id,name,email,code,coupons", "prom_a,A,,,", "prom_b,B,,,"];
    shop.pipe("promoters", &people.map(str::to_owned));
    let claim = |id: &str, promoter: &str, day: u32| {
        vec![
            "id,campaign,promoter,email,uid,stripe_customer_id,referred_at".to_owned(),
            format!("{id},spring-2026,{promoter},zoe@example.com,,,2026-03-0{day}T00:00:00Z"),
        ]
    };
    shop.pipe("referrals", &claim("ref_a", "prom_a", 2));
    shop.pipe(
        "events",
        &[
            event(
                "evt_1",
                PAID,
                "customer.created",
                &customer("cus_zoe", PAID, "zoe@example.com"),
            ),
            event(
                "evt_2",
                PAID,
                "charge.succeeded",
                &charge("ch_zoe", "cus_zoe", PAID, 6000, 0),
            ),
        ],
    );
    assert!(settle(&shop).contains(": 1 settled"));
    shop.pipe("referrals", &claim("ref_b", "prom_b", 3));
    shop.verified();
    let out = shop.ok(&["settle", "--now"]).out;
    assert!(out.contains(": 0 settled, 1 reversed"), "{out}");
    shop.verified();
    assert!(
        settle(&shop).contains(": 1 settled"),
        "the person is free for the better claim"
    );
    let told = shop.ok(&["explain", "ref_b"]).out;
    assert!(told.starts_with("Settled: 20.00 USD"), "{told}");
}
