//! Stripe events in any number, the same for the same seed: each customer signs up and pays once,
//! told in four events. Event `n` can be made again at any time, so nobody has to keep it.
//!
//! Ids begin with the time as Stripe's do, customers' as well: of two in Stripe's documentation,
//! `cus_NeGfPRiPKxeBi1` was made at 1680569616 and `cus_NffrFeUfNV2Hib` at 1680893993, and the
//! first five places differ by just that many seconds in base 62.

use std::fmt::Write as _;

/// How many events tell of one customer.
const TOLD_IN: u64 = 4;
/// Events that happen in one second of the story.
const PER_SECOND: u64 = 1_000;
/// What Stripe's ids have in common within an account.
const ACCOUNT: &str = "Kq2eZvYlo2";

const TEMPLATES: [&str; 4] = [
    include_str!("bodies/customer.json"),
    include_str!("bodies/intent.json"),
    include_str!("bodies/charge.json"),
    include_str!("bodies/invoice.json"),
];

/// Which events are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Customers, payment intents, charges and invoices in turn.
    Mix,
    /// `customer.created` alone.
    Customers,
    /// `charge.succeeded` alone.
    Charges,
    /// `invoice.paid` alone.
    Invoices,
}

/// A piece of a template.
#[derive(Debug, Clone, Copy)]
enum Piece {
    Text(&'static str),
    Event,
    At,
    Time,
    Account,
    Random,
    Number,
    Amount,
    Email,
    Customer,
    Intent,
    Charge,
    Invoice,
    Subscription,
}

const NAMES: [(&str, Piece); 13] = [
    ("@event", Piece::Event),
    ("@at", Piece::At),
    ("@time", Piece::Time),
    ("@account", Piece::Account),
    ("@random", Piece::Random),
    ("@number", Piece::Number),
    ("@amount", Piece::Amount),
    ("@email", Piece::Email),
    ("@customer", Piece::Customer),
    ("@intent", Piece::Intent),
    ("@charge", Piece::Charge),
    ("@invoice", Piece::Invoice),
    ("@subscription", Piece::Subscription),
];

/// Makes events.
#[derive(Debug, Clone)]
pub struct Events {
    seed: u64,
    kind: Kind,
    /// When the story begins, unix seconds.
    start: u64,
    templates: Vec<Vec<Piece>>,
}

impl Events {
    pub fn new(seed: u64, kind: Kind, start: u64) -> Self {
        let templates = TEMPLATES.iter().map(|text| pieces(text)).collect();
        Self {
            seed,
            kind,
            start,
            templates,
        }
    }

    /// The id of event `n`: in order of time as Stripe's are, at random within a second.
    pub fn id(&self, n: u64) -> String {
        format!(
            "evt_1{}{ACCOUNT}{}",
            self.time(n),
            letters(self.chance(n, 0), 8)
        )
    }

    /// The email of a customer.
    pub fn email(customer: u64) -> String {
        format!("customer.{customer}@example.com")
    }

    /// How many customers the first `events` are about.
    pub fn customers(&self, events: u64) -> u64 {
        match self.kind {
            Kind::Mix => events.div_ceil(TOLD_IN),
            _ => events,
        }
    }

    /// The body of event `n`, appended.
    pub fn body(&self, n: u64, out: &mut String) {
        let (customer, template) = match self.kind {
            Kind::Mix => (n / TOLD_IN, n % TOLD_IN),
            Kind::Customers => (n, 0),
            Kind::Charges => (n, 2),
            Kind::Invoices => (n, 3),
        };
        // Everything about a customer lies in the second of its first event.
        let first = match self.kind {
            Kind::Mix => customer * TOLD_IN,
            _ => n,
        };
        let time = self.time(first);
        let own = |what| letters(self.chance(customer, what), 8);
        let mut random = self.chance(n, 9);
        for piece in &self.templates[usize::try_from(template).unwrap()] {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Event => out.push_str(&self.id(n)),
                Piece::At => write!(out, "{}", self.start + n / PER_SECOND).unwrap(),
                Piece::Time => out.push_str(&time),
                Piece::Account => out.push_str(ACCOUNT),
                Piece::Random => {
                    random = mixed(random);
                    out.push_str(&letters(random, 8));
                }
                Piece::Number => write!(out, "{customer}").unwrap(),
                Piece::Amount => {
                    write!(out, "{}", 2_000 + self.chance(customer, 8) % 9_000).unwrap();
                }
                Piece::Email => out.push_str(&Self::email(customer)),
                Piece::Customer => write!(out, "cus_{time}{}", own(1)).unwrap(),
                Piece::Intent => write!(out, "pi_3{time}{ACCOUNT}{}", own(3)).unwrap(),
                Piece::Charge => write!(out, "ch_3{time}{ACCOUNT}{}", own(4)).unwrap(),
                Piece::Invoice => write!(out, "in_1{time}{ACCOUNT}{}", own(5)).unwrap(),
                Piece::Subscription => write!(out, "sub_1{time}{ACCOUNT}{}", own(6)).unwrap(),
            }
        }
    }

    fn time(&self, n: u64) -> String {
        letters(self.start + n / PER_SECOND, 6)
    }

    fn chance(&self, n: u64, what: u64) -> u64 {
        mixed(self.seed ^ mixed(n.wrapping_mul(16).wrapping_add(what)))
    }
}

/// A template, cut at its `@names`.
fn pieces(mut text: &'static str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while let Some(at) = text.find('@') {
        let (before, rest) = text.split_at(at);
        let known = NAMES.iter().filter(|(name, _)| rest.starts_with(name));
        let (name, piece) = known.max_by_key(|(name, _)| name.len()).unwrap();
        pieces.extend([Piece::Text(before), *piece]);
        text = &rest[name.len()..];
    }
    pieces.push(Piece::Text(text));
    pieces
}

/// Letters and digits that sort as the number does.
fn letters(mut number: u64, count: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; 16];
    for place in (0..count).rev() {
        text[place] = ALPHABET[usize::try_from(number % 62).unwrap()];
        number /= 62;
    }
    String::from_utf8_lossy(&text[..count]).into_owned()
}

/// The finishing step of `SplitMix64`: every bit of the input moves every bit of the output.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
