//! The collector of facts, and the checks of single values. What an object means is in the
//! files beside this one.

use std::fmt;

use crate::domain::currency::Currency;
use crate::domain::fact::{CustomerState, Fact, ObjectState, Stamp};
use crate::domain::ids::CustomerId;
use crate::domain::money::AMOUNT_MINOR_MAX;
use crate::domain::time::Timestamp;
use crate::stripe::envelope::{Envelope, is_usable_id};
use crate::stripe::reason::QuarantineReason;
use crate::stripe::wire::{AmountItem, List, Metadata, Named, Reference, Scalar};

/// A value, or why the event is quarantined.
pub type Outcome<T> = Result<T, QuarantineReason>;

/// A place in the event. It costs nothing until it is written out.
#[derive(Debug, Clone, Copy)]
pub struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Field(&'static str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// `data.object`
    pub const fn root() -> Self {
        Self {
            parent: None,
            step: Step::Field("data.object"),
        }
    }

    /// A field of this object.
    pub const fn field(&'p self, name: &'static str) -> Path<'p> {
        Path {
            parent: Some(self),
            step: Step::Field(name),
        }
    }

    /// An item of this list.
    pub const fn index(&'p self, index: usize) -> Path<'p> {
        Path {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    /// Whether this is the event's own object, not one expanded inside it.
    pub const fn is_root(&self) -> bool {
        self.parent.is_none()
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Field(name) if self.parent.is_some() => write!(f, ".{name}"),
            Step::Field(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Collects the facts of one event.
pub struct Reader<'e> {
    /// The event's type.
    pub event_type: &'e str,
    /// When the event says what it says.
    pub stamp: Stamp,
    facts: Vec<Fact>,
}

impl<'e> Reader<'e> {
    /// Begins with nothing.
    pub fn new(envelope: &'e Envelope) -> Self {
        Self {
            event_type: &envelope.event_type,
            stamp: Stamp {
                at: envelope.created,
                event: envelope.id.clone(),
            },
            facts: Vec::new(),
        }
    }

    /// The event's `created`.
    pub const fn at(&self) -> Timestamp {
        self.stamp.at
    }

    /// Says something of an object.
    pub fn push(&mut self, id: impl Into<String>, state: ObjectState) {
        self.facts.push(Fact::new(id, state));
    }

    /// One fact per object, by object key: what is said twice of one object is merged.
    pub fn into_facts(mut self) -> Vec<Fact> {
        self.facts.sort_by(|a, b| a.object.cmp(&b.object));
        let mut merged: Vec<Fact> = Vec::with_capacity(self.facts.len());
        for fact in self.facts {
            match merged.last_mut() {
                Some(last) if last.object == fact.object => last.state.merge(fact.state),
                _ => merged.push(fact),
            }
        }
        merged
    }

    /// The id behind a reference; an expanded object gives its own facts on the way.
    ///
    /// Blank ids count as nothing: the samples of 2017 use them for null.
    pub fn refer<T>(
        &mut self,
        reference: &Reference<'_, T>,
        path: &Path<'_>,
        read: impl FnOnce(&mut Self, &T, &Path<'_>) -> Outcome<Option<String>>,
    ) -> Outcome<Option<String>> {
        match reference {
            Reference::Nothing => Ok(None),
            Reference::Id(id) => id_of(id, path),
            Reference::Object(object) => read(self, object, path),
            Reference::Odd => Err(form(path, "an id, an object or null")),
        }
    }

    /// The id of an object of which nothing else is read.
    pub fn refer_named(
        &mut self,
        reference: &Reference<'_, Named<'_>>,
        path: &Path<'_>,
    ) -> Outcome<Option<String>> {
        self.refer(reference, path, |_, named, path| {
            id(&named.id, &path.field("id"))
        })
    }

    /// Says that a customer existed at an instant, the event's own if none is given.
    pub fn sighting(&mut self, id: &CustomerId, at: Option<Timestamp>, more: CustomerState) {
        let state = CustomerState {
            first_seen: Some(at.unwrap_or(self.at())),
            ..more
        };
        self.push(id.as_str(), ObjectState::Customer(state));
    }
}

fn form(path: &Path<'_>, expected: &'static str) -> QuarantineReason {
    QuarantineReason::FormUnexpected {
        path: path.to_string(),
        expected,
    }
}

fn id_of(text: &str, path: &Path<'_>) -> Outcome<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    if !is_usable_id(text) {
        let path = path.to_string();
        return Err(QuarantineReason::IdInvalid { path });
    }
    Ok(Some(text.to_owned()))
}

/// An id; `None` if null or blank.
pub fn id(value: &Scalar<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
    match value {
        Scalar::Null => Ok(None),
        Scalar::Text(text) => id_of(text, path),
        _ => Err(form(path, "an id or null")),
    }
}

/// A text without the blanks around it; `None` if null, empty if blank.
pub fn text(value: &Scalar<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
    let text = match value {
        Scalar::Null => return Ok(None),
        Scalar::Text(text) => text.trim(),
        _ => return Err(form(path, "a text or null")),
    };
    without_nul(text, path)?;
    Ok(Some(text.to_owned()))
}

/// A text that says something; `None` if null or blank.
pub fn filled(value: &Scalar<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
    Ok(text(value, path)?.filter(|text| !text.is_empty()))
}

fn without_nul(text: &str, path: &Path<'_>) -> Outcome<()> {
    if text.contains('\0') {
        let path = path.to_string();
        return Err(QuarantineReason::NulInText { path });
    }
    Ok(())
}

/// Minor units; `None` if null.
pub fn amount(value: &Scalar<'_>, path: &Path<'_>) -> Outcome<Option<i64>> {
    match value {
        Scalar::Null => Ok(None),
        Scalar::Int(n) if (-AMOUNT_MINOR_MAX..=AMOUNT_MINOR_MAX).contains(n) => Ok(Some(*n)),
        _ => Err(bad_amount(path)),
    }
}

/// An amount that does not fit, at a place.
pub fn bad_amount(path: &Path<'_>) -> QuarantineReason {
    let path = path.to_string();
    QuarantineReason::AmountInvalid { path }
}

/// The sum of a list's amounts; `None` if the list is empty.
pub fn sum(items: &List<AmountItem<'_>>, path: &Path<'_>) -> Outcome<Option<i64>> {
    let items = list(items, path)?;
    let mut sum = None::<i64>;
    for (index, item) in items.iter().enumerate() {
        let item_path = path.index(index);
        let value = amount(&item.amount, &item_path.field("amount"))?.unwrap_or(0);
        let next = sum.unwrap_or(0).checked_add(value);
        sum = Some(next.ok_or_else(|| bad_amount(path))?);
    }
    Ok(sum)
}

/// The items of a list.
pub fn list<'l, T>(list: &'l List<T>, path: &Path<'_>) -> Outcome<&'l [T]> {
    if list.odd {
        return Err(form(path, "a list"));
    }
    Ok(&list.data)
}

/// A currency; `None` if null.
pub fn currency(value: &Scalar<'_>, path: &Path<'_>) -> Outcome<Option<Currency>> {
    let unknown = || QuarantineReason::CurrencyUnknown {
        path: path.to_string(),
    };
    match value {
        Scalar::Null => Ok(None),
        Scalar::Text(code) => Currency::parse(code).map(Some).ok_or_else(unknown),
        _ => Err(unknown()),
    }
}

/// The currency of an object that states an amount: it must have one.
pub fn currency_for(
    value: &Scalar<'_>,
    path: &Path<'_>,
    amount: Option<i64>,
) -> Outcome<Option<Currency>> {
    let found = currency(value, path)?;
    if found.is_none() && amount.is_some_and(|amount| amount != 0) {
        let path = path.to_string();
        return Err(QuarantineReason::CurrencyUnknown { path });
    }
    Ok(found)
}

/// An instant; `None` if null.
pub fn time(value: &Scalar<'_>, path: &Path<'_>) -> Outcome<Option<Timestamp>> {
    let invalid = || QuarantineReason::TimeInvalid {
        path: path.to_string(),
    };
    match value {
        Scalar::Null => Ok(None),
        Scalar::Int(seconds) => Timestamp::from_unix(*seconds).map(Some).ok_or_else(invalid),
        _ => Err(invalid()),
    }
}

/// A flag; `None` if null.
pub fn flag(value: &Scalar<'_>, path: &Path<'_>) -> Outcome<Option<bool>> {
    match value {
        Scalar::Null => Ok(None),
        Scalar::Bool(flag) => Ok(Some(*flag)),
        _ => Err(form(path, "true, false or null")),
    }
}

/// A status or type; `None` if null. What it says is open.
pub fn word<'v>(value: &'v Scalar<'_>, path: &Path<'_>) -> Outcome<Option<&'v str>> {
    match value {
        Scalar::Null => Ok(None),
        Scalar::Text(text) if text.is_empty() => Ok(None),
        Scalar::Text(text) => Ok(Some(text)),
        _ => Err(form(path, "a text or null")),
    }
}

/// Metadata as written but for the blanks around it; empty values are left out.
pub fn metadata(value: &Metadata<'_>, path: &Path<'_>) -> Outcome<Vec<(String, String)>> {
    let mut pairs = Vec::with_capacity(value.0.len());
    for (key, value) in &value.0 {
        let text = match value {
            Scalar::Text(text) => text.trim().to_owned(),
            Scalar::Int(number) => number.to_string(),
            Scalar::Float(number) => number.to_string(),
            Scalar::Bool(flag) => flag.to_string(),
            Scalar::Null | Scalar::Other => continue,
        };
        without_nul(key, path)?;
        without_nul(&text, path)?;
        if !text.is_empty() {
            pairs.push((key.clone().into_owned(), text));
        }
    }
    Ok(pairs)
}

/// Checks metadata that is not kept: what cannot be stored is found at once.
pub fn readable(value: &Metadata<'_>, path: &Path<'_>) -> Outcome<()> {
    for (key, value) in &value.0 {
        without_nul(key, path)?;
        without_nul(value.text().unwrap_or_default(), path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_in_json() {
        let root = Path::root();
        let lines = root.field("lines");
        let data = lines.field("data");
        let line = data.index(3);
        assert_eq!(
            line.field("amount").to_string(),
            "data.object.lines.data[3].amount"
        );
        assert!(root.is_root() && !lines.is_root());
    }

    #[test]
    fn amounts_are_whole_and_plausible() {
        let root = Path::root();
        let read = |value| amount(&value, &root);
        assert_eq!(
            read(Scalar::Int(AMOUNT_MINOR_MAX)),
            Ok(Some(AMOUNT_MINOR_MAX))
        );
        assert_eq!(read(Scalar::Null), Ok(None));
        for bad in [
            Scalar::Int(AMOUNT_MINOR_MAX + 1),
            Scalar::Float(1.0),
            Scalar::Text("100".into()),
            Scalar::Bool(true),
            Scalar::Other,
        ] {
            assert_eq!(read(bad).unwrap_err().code(), "amount_invalid");
        }
    }
}
