//! Persons assembled from folded facts that are in memory: one book an origin.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::BacktestError;
use super::shards::Take;
use super::views::{Person, Views};
use crate::domain::fact::{Fact, FactBook};
use crate::domain::ids::CustomerId;
use crate::domain::payment::Customer;
use crate::payments;

/// Hands over everybody in these facts, in the order of their ids. `shared` are further facts
/// of each origin: promotion codes.
pub fn persons(
    books: &[FactBook],
    shared: &[FactBook],
    views: &Views,
    take: &mut Take<'_>,
) -> Result<(), BacktestError> {
    let of_view = |view: &[usize]| -> Vec<&FactBook> {
        view.iter()
            .filter_map(|origin| shared.get(*origin))
            .collect()
    };
    if views.len() == 1 {
        for view in views.iter() {
            let book = together(books, view);
            payments::each_customer(&book, &of_view(view))
                .try_for_each(|customer| take(Person::in_view(0, customer)))?;
        }
        return Ok(());
    }
    let mut persons: BTreeMap<CustomerId, Vec<(usize, Customer)>> = BTreeMap::new();
    for (number, view) in views.iter().enumerate() {
        let book = together(books, view);
        for customer in payments::each_customer(&book, &of_view(view)) {
            let id = customer.id.clone();
            persons.entry(id).or_default().push((number, customer));
        }
    }
    let mut persons = persons.into_iter();
    persons.try_for_each(|(id, seen)| take(Person { id, seen }))
}

/// The facts of several origins as if they were of one.
fn together<'b>(books: &'b [FactBook], view: &[usize]) -> Cow<'b, FactBook> {
    let mut seen = view.iter().filter_map(|origin| books.get(*origin));
    let mut all = seen.next().map_or_else(Cow::default, Cow::Borrowed);
    for book in seen {
        all.to_mut().extend(book.iter().map(|(object, state)| Fact {
            object: object.clone(),
            state: state.clone(),
        }));
    }
    all
}
