//! Exit codes, and what is said when a command cannot do what it was asked.

use crate::shop::Shop;

#[test]
fn what_is_not_there_ends_with_3_and_what_is_near_is_told() {
    let shop = Shop::full();
    for (who, near) in [
        ("ref_bae", "referral ref_bea has the id ref_bea"),
        ("bea+news@example.com", "similar email bea@example.com"),
        ("user_karl", "referral ref_carl has the uid user_carl"),
        (
            "BEA@EXAMPLE.CO",
            "referral ref_bea has the email bea@example.com",
        ),
    ] {
        let ran = shop.run(&["explain", who]);
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{who}");
        assert!(
            ran.err.contains("tried: a referral's id"),
            "{who}: {}",
            ran.err
        );
        assert!(ran.err.contains(near), "{who}: {}", ran.err);
    }
    let ran = shop.run(&["replay", "evt_none", "evt_001"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("evt_none") && ran.out.starts_with("1 events"),
        "{ran:?}"
    );
}

#[test]
fn a_person_in_several_referrals_is_told_of_each() {
    let shop = Shop::full();
    let ran = shop.ok(&["explain", "cus_fay"]);
    assert!(ran.out.contains("coupon:partners:cus_fay"), "{}", ran.out);
    let claims = "id,campaign,promoter,email,uid,stripe_customer_id,referred_at\n\
                  r_two,partners,prom_ana,carl@example.com,,,2026-03-05T00:00:00Z";
    shop.pipe("referrals", &[claims.to_owned()]);
    let ran = shop.ok(&["explain", "carl@example.com"]);
    assert!(
        ran.out.starts_with("2 referrals: 2 by email"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("r_two") && ran.out.contains("ref_carl"),
        "{}",
        ran.out
    );
    shop.verified();
}

#[test]
fn looking_changes_no_tables_and_working_brings_them_up_to_date() {
    let shop = Shop::empty();
    let ran = shop.run(&["verify"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("run `qualify migrate`"), "{}", ran.err);
    assert_eq!(shop.run(&["migrate", "--check"]).code, 4);
    shop.ok(&["migrate"]);
    shop.ok(&["migrate", "--check"]);
    assert_eq!(shop.ok(&["settle", "--now"]).out, "nothing is due\n");
    shop.verified();
}

#[test]
fn what_may_work_later_ends_with_75() {
    let shop = Shop::empty();
    for command in [
        &["explain", "x"][..],
        &["settle"],
        &["verify"],
        &["migrate"],
    ] {
        let nowhere = ["--database-url", "postgres://u:SENTINEL@127.0.0.1:1/q"];
        let ran = shop.run(&[command, &nowhere[..]].concat());
        assert_eq!(ran.code, 75, "{command:?}: {ran:?}");
        assert!(!ran.err.contains("SENTINEL"), "{}", ran.err);
    }
    assert_eq!(shop.run(&["settle", "--now", "--dry-run"]).code, 2);
    assert_eq!(shop.run(&["import", "promoters", "nowhere.csv"]).code, 1);
}
