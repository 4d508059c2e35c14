//! What is asked of the bench on its command line.

/// What to measure, on what.
#[derive(Debug)]
pub struct Options {
    /// Events measured.
    pub events: usize,
    /// Events' worth of rows stored before.
    pub stored: u64,
    /// Read what judging looks into through once, before measuring.
    pub warm: bool,
    /// Payments of one customer who pays all the time; 0 for none.
    pub whale: u64,
    /// `sqlite`, `postgres` (a server of its own), or an address of an empty database.
    pub db: String,
}

impl Options {
    /// Reads the command line; what cargo adds to it is passed over.
    pub fn read() -> Self {
        let mut options = Self {
            events: 20_000,
            stored: 0,
            warm: false,
            whale: 0,
            db: "sqlite".to_owned(),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut next = || {
                words
                    .next()
                    .unwrap_or_else(|| panic!("{word} wants a value"))
            };
            match word.as_str() {
                "--events" => options.events = number(&next()),
                "--stored" => options.stored = number(&next()),
                "--warm" => options.warm = true,
                "--whale" => options.whale = number(&next()),
                "--db" => options.db = next(),
                "--bench" => {}
                other => panic!("{other}? there are --events, --stored, --warm, --whale and --db"),
            }
        }
        options
    }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    let digits = text.replace('_', "");
    digits
        .parse()
        .unwrap_or_else(|_| panic!("{text} is no number"))
}
