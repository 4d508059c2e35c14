//! One contract for the database room, kept by both engines: every function of `store` is
//! called here, by the same code, on SQLite and on PostgreSQL. A missing engine is a failure.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]
#![allow(
    clippy::cloned_ref_to_slice_refs,
    reason = "`[a.clone()]` reads as the list that is expected"
)]

mod support;

/// Makes two tests of each story in a file: one on SQLite, one on PostgreSQL.
macro_rules! contract {
    ($($story:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $story() {
                let (_folder, db) = crate::support::sqlite().await;
                super::$story(&db).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $story() {
                super::$story(&crate::support::postgres().await).await;
            })*
        }
    };
}

#[path = "store_contract/access.rs"]
mod access;
#[path = "store_contract/events.rs"]
mod events;
#[path = "store_contract/events_apart.rs"]
mod events_apart;
#[path = "store_contract/facts.rs"]
mod facts;
#[path = "store_contract/marking.rs"]
mod marking;
#[path = "store_contract/parity.rs"]
mod parity;
#[path = "store_contract/people.rs"]
mod people;
#[path = "store_contract/plans.rs"]
mod plans;
#[path = "store_contract/settlement.rs"]
mod settlement;
#[path = "store_contract/users.rs"]
mod users;
#[path = "store_contract/verdicts.rs"]
mod verdicts;
