//! From wire objects to facts: the rules that hold for every object. One file per family
//! of objects; expanded sub-objects are read by the same functions and give their own facts.

mod billing;
mod checkout;
mod discount;
mod invoice;
mod money;
mod person;
mod reader;
mod refund;
#[cfg(test)]
mod testing;
mod types;

pub use types::{EVENTS_NEEDED, ObjectType, read};
