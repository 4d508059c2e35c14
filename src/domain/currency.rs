//! Currencies, and how many decimals Stripe gives each in its API.
//! Source: Stripe, "Supported currencies" (zero-decimal, three-decimal, special cases).

use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A currency by its ISO 4217 code, lower case as Stripe writes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

const ZERO_DECIMALS: [&[u8; 3]; 15] = [
    b"bif", b"clp", b"djf", b"gnf", b"jpy", b"kmf", b"krw", b"mga", b"pyg", b"rwf", b"vnd", b"vuv",
    b"xaf", b"xof", b"xpf",
];
const THREE_DECIMALS: [&[u8; 3]; 5] = [b"bhd", b"jod", b"kwd", b"omr", b"tnd"];

/// Which of all codes of three letters ISO 4217 lists, by [`place`]: every amount that is read
/// has a currency, and this is a look-up where the list itself is searched.
static LISTED: LazyLock<Vec<bool>> = LazyLock::new(|| {
    let letters = || b'A'..=b'Z';
    let codes =
        letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
    let listed = |code: [u8; 3]| {
        let code = std::str::from_utf8(&code).ok();
        code.and_then(iso_currency::Currency::from_code).is_some()
    };
    codes.map(listed).collect()
});

/// The number of a code among all of three lower-case letters; `None` if it is none.
fn place(code: [u8; 3]) -> Option<usize> {
    code.iter().try_fold(0, |place, letter| {
        let letter = letter.is_ascii_lowercase().then(|| letter - b'a')?;
        Some(place * 26 + usize::from(letter))
    })
}

impl Currency {
    /// United States dollar.
    pub const USD: Self = Self(*b"usd");

    /// Reads a code in either case; `None` if ISO 4217 does not list it.
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        let code = bytes.map(|b| b.to_ascii_lowercase());
        let listed = LISTED.get(place(code)?)?;
        listed.then_some(Self(code))
    }

    /// Lower-case code, `usd`.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Decimals of the API's minor unit: 0, 2 or 3. ISK and UGX are sent times 100, hence 2.
    pub fn exponent(self) -> u32 {
        if ZERO_DECIMALS.contains(&&self.0) {
            0
        } else if THREE_DECIMALS.contains(&&self.0) {
            3
        } else {
            2
        }
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in self.0 {
            write!(f, "{}", char::from(byte.to_ascii_uppercase()))?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl JsonSchema for Currency {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z]{3}$" })
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&code).ok_or_else(|| {
            serde::de::Error::custom(format!("`{code}` is not an ISO 4217 currency code"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_stripe_not_iso() {
        let decimals = |code| Currency::parse(code).map(Currency::exponent);
        assert_eq!(decimals("usd"), Some(2));
        assert_eq!(decimals("JPY"), Some(0));
        assert_eq!(decimals("kwd"), Some(3));
        assert_eq!(
            decimals("isk"),
            Some(2),
            "ISO says 0; Stripe sends it times 100"
        );
        assert_eq!(
            decimals("ugx"),
            Some(2),
            "ISO says 0; Stripe sends it times 100"
        );
        assert_eq!(
            decimals("mga"),
            Some(0),
            "ISO says 2; Stripe sends whole ariary"
        );
        assert_eq!(decimals("zzz"), None);
        assert_eq!(decimals("us"), None);
        assert_eq!(decimals("usdx"), None);
    }
}
