//! What a fact touched is judged again, and the verdict's changes become qualifications.
//!
//! [`transition`] (pure) is the table of what a new verdict does to a qualification;
//! [`neighbourhood`] loads the closed part of the world that a judgement needs;
//! [`judging`] (pure) judges it; [`worker`] claims, loads, judges, applies.

pub mod judging;
pub mod neighbourhood;
pub mod transition;
pub mod worker;
