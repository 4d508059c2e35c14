//! Customers with their payments as they are folded in the database: a shard is a range of
//! customer ids, read by two statements.

use std::sync::Mutex;

use tokio::runtime::Handle;

use super::sources::Sources;
use crate::domain::fact::{CustomerState, ObjectState};
use crate::domain::ids::{ConnectionId, CustomerId};
use crate::offline::streamed::{BacktestError, Person, Shards, Take};
use crate::payments::{PaymentRecord, assemble};
use crate::queue::customers::load_customers;
use crate::store::by_customer::{
    BETWEEN_RECORDS, Range, customer_bounds, customers_between, guest_bounds, records_between,
};
use crate::store::json::from_json;
use crate::store::{StoreError, Tx};

/// Customers of a shard.
const CUSTOMERS_AT_ONCE: u32 = 500;
/// Payments of a shard of guests.
const GUEST_PAYMENTS_AT_ONCE: u32 = 5_000;

/// The customers of a connection.
pub struct StoredShards<'a> {
    runtime: &'a Handle,
    connection: &'a ConnectionId,
    readers: Vec<Mutex<Tx>>,
    bounds: Vec<String>,
    sources: Sources,
}

impl<'a> StoredShards<'a> {
    /// Prepares reading by these transactions, which see one state; at least one.
    pub fn open(
        runtime: &'a Handle,
        connection: &'a ConnectionId,
        mut readers: Vec<Tx>,
    ) -> Result<Self, StoreError> {
        let (mut bounds, mut sources) = (Vec::new(), Sources::default());
        if let Some(tx) = readers.first_mut() {
            runtime.block_on(async {
                bounds = customer_bounds(tx, connection, CUSTOMERS_AT_ONCE).await?;
                bounds.extend(guest_bounds(tx, connection, GUEST_PAYMENTS_AT_ONCE).await?);
                sources = Sources::load(tx, connection).await?;
                Ok::<(), StoreError>(())
            })?;
        }
        bounds.sort_unstable();
        bounds.dedup();
        Ok(Self {
            runtime,
            connection,
            readers: readers.into_iter().map(Mutex::new).collect(),
            bounds,
            sources,
        })
    }

    /// Lets go of the database.
    pub fn close(self) -> Result<(), StoreError> {
        for reader in self.readers {
            if let Ok(tx) = reader.into_inner() {
                self.runtime.block_on(tx.rollback())?;
            }
        }
        Ok(())
    }

    fn with<T>(
        &self,
        reader: usize,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, StoreError>,
    ) -> Result<T, BacktestError> {
        let reader = reader % self.readers.len().max(1);
        let tx = self.readers.get(reader).and_then(|tx| tx.lock().ok());
        let Some(mut tx) = tx else {
            return Err(BacktestError::Cancelled);
        };
        Ok(self.runtime.block_on(work(&mut tx))?)
    }
}

impl Shards for StoredShards<'_> {
    fn count(&self) -> usize {
        self.bounds.len() + 1
    }

    fn persons(&self) -> Option<u64> {
        u64::try_from(self.count())
            .ok()
            .map(|shards| shards * u64::from(CUSTOMERS_AT_ONCE))
    }

    fn each(&self, reader: usize, shard: usize, take: &mut Take<'_>) -> Result<(), BacktestError> {
        let bound = |at: Option<usize>| at.and_then(|at| self.bounds.get(at)).map(String::as_str);
        let range = Range {
            after: bound(shard.checked_sub(1)),
            until: bound(Some(shard)),
        };
        let connection = self.connection;
        let (states, records) = self.with(reader, async |tx| {
            let states = customers_between(tx, connection, range).await?;
            Ok((states, records_between(tx, connection, range).await?))
        })?;
        let states = states
            .into_iter()
            .map(|(id, state)| (CustomerId::new(id), Some(state)));
        let mut states = states.peekable();
        let mut records = records.into_iter().peekable();
        let mut customers: Vec<(CustomerId, Option<String>, Vec<PaymentRecord>)> = Vec::new();
        loop {
            let next_state = states.peek().map(|(id, _)| id.as_str());
            let next_records = records.peek().map(|(id, _)| id.as_str());
            let id = match (next_state, next_records) {
                (None, None) => break,
                (Some(id), None) | (None, Some(id)) => id,
                (Some(a), Some(b)) => a.min(b),
            };
            let id = CustomerId::from(id);
            let state = states
                .next_if(|(of, _)| *of == id)
                .and_then(|(_, state)| state);
            let mine = records.next_if(|(of, _)| *of == *id.as_str());
            let mine = mine.map(|(_, texts)| read_records(&texts)).transpose()?;
            customers.push((id, state, mine.unwrap_or_default()));
        }
        let coupons = self.sources.read(
            customers
                .iter()
                .map(|(id, _, records)| (id, records.as_slice())),
        )?;
        let book = coupons.book();
        for (id, state, records) in customers {
            let state = state.map(|state| read_state(&state)).transpose()?.flatten();
            let customer = assemble(&id, state.as_ref(), records, &book);
            take(Person::in_view(0, customer))?;
        }
        Ok(())
    }

    fn some(
        &self,
        reader: usize,
        _: usize,
        ids: &[CustomerId],
        take: &mut Take<'_>,
    ) -> Result<(), BacktestError> {
        let connection = self.connection;
        let found = self.with(reader, async |tx| load_customers(tx, connection, ids).await)?;
        found
            .into_iter()
            .try_for_each(|customer| take(Person::in_view(0, customer)))
    }
}

fn read_records(texts: &str) -> Result<Vec<PaymentRecord>, StoreError> {
    let records = texts.split(BETWEEN_RECORDS);
    records
        .map(|record| from_json("payments", record))
        .collect()
}

fn read_state(text: &str) -> Result<Option<CustomerState>, StoreError> {
    Ok(match from_json("objects", text)? {
        ObjectState::Customer(state) => Some(state),
        _ => None,
    })
}
