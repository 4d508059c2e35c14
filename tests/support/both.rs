//! The same story on each engine, as two tests.
#![allow(
    unused_macros,
    unused_imports,
    reason = "not every test binary tells its stories like this"
)]

/// A test on SQLite and one on PostgreSQL for each of these functions, which take a fresh database.
macro_rules! on_both {
    ($($story:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                let (_folder, db) = crate::support::sqlite().await;
                super::$story(db).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(crate::support::postgres().await).await;
            })*
        }
    };
}

pub(crate) use on_both;
