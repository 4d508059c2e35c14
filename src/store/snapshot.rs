//! Several readers that see one state of the database, for work that is shared out over
//! connections. What is read is the business of the files beside this one.

use super::db::{Db, Tx};
use super::error::StoreError;

impl Db {
    /// Starts so many transactions that only read, all of them from the same state.
    ///
    /// On SQLite nobody may write while they start, which is the blink of an eye; on PostgreSQL
    /// the others take over the first one's snapshot.
    pub async fn read_together(&self, readers: usize) -> Result<Vec<Tx>, StoreError> {
        let mut together = Vec::with_capacity(readers);
        match self {
            Self::Sqlite { .. } => {
                let gate = self.begin().await?;
                for _ in 0..readers {
                    let mut tx = self.read().await?;
                    if let Tx::Sqlite(reader) = &mut tx {
                        // A transaction of SQLite's begins with its first look.
                        sqlx::query("SELECT COUNT(*) FROM sqlite_schema")
                            .execute(&mut **reader)
                            .await?;
                    }
                    together.push(tx);
                }
                gate.rollback().await?;
            }
            Self::Postgres(_) => {
                let mut snapshot: Option<String> = None;
                for _ in 0..readers {
                    let mut tx = self.read().await?;
                    if let Tx::Postgres(reader) = &mut tx {
                        if let Some(name) = &snapshot {
                            let take = format!("SET TRANSACTION SNAPSHOT '{name}'");
                            sqlx::query(sqlx::AssertSqlSafe(take))
                                .execute(&mut **reader)
                                .await?;
                        } else {
                            let name: String = sqlx::query_scalar("SELECT pg_export_snapshot()")
                                .fetch_one(&mut **reader)
                                .await?;
                            // It goes into the text of a statement that takes no values.
                            let plain = |c: char| c.is_ascii_hexdigit() || c == '-';
                            snapshot = Some(name).filter(|name| name.chars().all(plain));
                        }
                    }
                    together.push(tx);
                }
            }
        }
        Ok(together)
    }

    /// The same for long work, in which the database may wait for us between two statements.
    pub async fn read_long(&self, readers: usize) -> Result<Vec<Tx>, StoreError> {
        let mut together = self.read_together(readers).await?;
        for tx in &mut together {
            if let Tx::Postgres(reader) = tx {
                sqlx::query("SET LOCAL idle_in_transaction_session_timeout = 0")
                    .execute(&mut **reader)
                    .await?;
            }
        }
        Ok(together)
    }
}
