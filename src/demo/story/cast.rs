//! Who is in the story: promoters, and names for everybody else. All of them are made up.

use crate::registry::promoters::PromoterInput;

/// Promoters without coupons: id, name, email.
const FRIENDS: [(&str, &str, &str); 7] = [
    ("prom_ada", "Ada Lindqvist", "ada@example.net"),
    ("prom_bruno", "Bruno Costa", "bruno@example.net"),
    ("prom_chloe", "Chloe Martin", "chloe@example.net"),
    ("prom_dev", "Dev Patel", "dev@example.net"),
    ("prom_elif", "Elif Kaya", "elif@example.net"),
    ("prom_kenji", "Kenji Mori", "kenji@example.net"),
    ("prom_yuki", "Yuki Tanaka", "yuki@example.net"),
];

/// Partners: id, name, email, coupon id, promotion code's id, what people type.
pub const PARTNERS: [(&str, &str, &str, &str, &str, &str); 5] = [
    (
        "prom_fresh",
        "Fresh Founders Podcast",
        "team@freshfounders.example",
        "PARTNER_FRESH",
        "promo_1QFresh",
        "FRESH20",
    ),
    (
        "prom_gretas",
        "Greta's Newsletter",
        "greta@newsletter.example",
        "PARTNER_GRETA",
        "promo_1QGreta",
        "GRETA",
    ),
    (
        "prom_harbor",
        "Harbor Agency",
        "hello@harbor.example",
        "PARTNER_HARBOR",
        "promo_1QHarbor",
        "HARBOR10",
    ),
    (
        "prom_indie",
        "Indie Stack",
        "crew@indiestack.example",
        "PARTNER_INDIE",
        "promo_1QIndie",
        "INDIE",
    ),
    (
        "prom_juno",
        "Juno Academy",
        "juno@academy.example",
        "PARTNER_JUNO",
        "promo_1QJuno",
        "JUNO15",
    ),
];

/// Who refers in the launch; the busy ones are named more often.
pub const LAUNCH: [&str; 9] = [
    "prom_ada",
    "prom_ada",
    "prom_ada",
    "prom_bruno",
    "prom_bruno",
    "prom_chloe",
    "prom_chloe",
    "prom_dev",
    "prom_elif",
];

/// Who refers in Japan.
pub const SAKURA: [&str; 3] = ["prom_kenji", "prom_yuki", "prom_yuki"];

/// Everybody who refers.
pub fn promoters() -> Vec<PromoterInput> {
    let friends = FRIENDS.iter().map(|(id, name, email)| PromoterInput {
        id: (*id).to_owned(),
        name: (*name).to_owned(),
        email: Some((*email).to_owned()),
        code: id.strip_prefix("prom_").map(str::to_owned),
        ..PromoterInput::default()
    });
    let partners = PARTNERS
        .iter()
        .map(|(id, name, email, coupon, _, _)| PromoterInput {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            email: Some((*email).to_owned()),
            coupons: vec![(*coupon).to_owned()],
            ..PromoterInput::default()
        });
    friends.chain(partners).collect()
}

/// First names.
const FIRST: [&str; 32] = [
    "Mia", "Noah", "Ines", "Omar", "Lena", "Jonas", "Aiko", "Pablo", "Zoe", "Emil", "Nadia",
    "Oscar", "Freya", "Luca", "Amara", "Felix", "Ruth", "Diego", "Hanna", "Ravi", "Clara", "Mateo",
    "Signe", "Anton", "Leila", "Hugo", "Marta", "Tariq", "Edith", "Bjorn", "Sofia", "Igor",
];
/// Last names.
const LAST: [&str; 25] = [
    "Keller", "Okafor", "Rossi", "Nakamura", "Silva", "Novak", "Dubois", "Larsen", "Haddad",
    "Moreau", "Singh", "Weber", "Costa", "Yilmaz", "Berg", "Fischer", "Reyes", "Kowal", "Marino",
    "Lund", "Sato", "Brandt", "Vidal", "Ortega", "Quinn",
];
const HOSTS: [&str; 4] = [
    "example.com",
    "example.org",
    "mail.example",
    "studio.example",
];

/// The n-th person's name and email; no two have the same email.
pub fn person(n: usize) -> (String, String) {
    // 32 and 25 have no common factor: 800 different pairs before a number is needed.
    let at = |list: &[&'static str], n: usize| {
        let place = n.checked_rem(list.len()).unwrap_or(0);
        list.get(place).copied().unwrap_or_default()
    };
    let (first, last) = (at(&FIRST, n), at(&LAST, n));
    let host = at(&HOSTS, n / 7);
    let more = match n / 800 {
        0 => String::new(),
        round => round.to_string(),
    };
    let email = format!("{first}.{last}{more}@{host}").to_ascii_lowercase();
    (format!("{first} {last}"), email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_people_share_an_email() {
        let emails: std::collections::BTreeSet<String> = (0..1500).map(|n| person(n).1).collect();
        assert_eq!(emails.len(), 1500);
    }
}
