//! The connection that comes from settings: its row in the database, made at the first start
//! and checked at every later one. Connections added in the app are not touched.

use crate::config::StripeConfig;
use crate::domain::ids::{AccountId, ConnectionId};
use crate::domain::time::Timestamp;
use crate::store::connections::{Connection, get_connection, upsert_connection};
use crate::store::{Db, Passing, StoreError, retry};

/// The name people see until somebody changes it.
const NAME: &str = "Stripe";

/// Why the connection from settings cannot be used with this database.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The database was filled by another account.
    #[error(
        "this database holds the data of {stored}, but STRIPE_ACCOUNT is {set}; accounts never \
         mix: correct STRIPE_ACCOUNT, or use another DATABASE_URL"
    )]
    OtherAccount {
        /// The account in the database.
        stored: AccountId,
        /// The account in settings.
        set: AccountId,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Passing for ConnectionError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

/// Makes the row if it is not there, and fills in an account that has become known.
///
/// The id is the mode's name, so that a change of mode starts another connection instead of
/// mixing test data into live data.
pub(super) async fn ensure(
    db: &Db,
    settings: &StripeConfig,
    now: Timestamp,
) -> Result<Connection, ConnectionError> {
    retry(|| async {
        let mut tx = db.begin().await?;
        let wanted = Connection {
            id: ConnectionId::from(settings.mode.name()),
            account: settings.account.clone(),
            mode: settings.mode,
            name: NAME.to_owned(),
            created_at: now,
        };
        let stored = get_connection(&mut tx, &wanted.id).await?;
        let connection = match stored.clone() {
            None => wanted,
            Some(stored) => match (stored.account.clone(), wanted.account) {
                (Some(stored), Some(set)) if stored != set => {
                    return Err(ConnectionError::OtherAccount { stored, set });
                }
                (known, set) => Connection {
                    account: known.or(set),
                    ..stored
                },
            },
        };
        if stored.as_ref() != Some(&connection) {
            upsert_connection(&mut tx, &connection).await?;
            tx.commit().await?;
        }
        Ok(connection)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::Mode;
    use crate::store::ConnectOptions;

    fn settings(mode: Mode, account: Option<&str>) -> StripeConfig {
        StripeConfig {
            api_key: None,
            webhook_secrets: Vec::new(),
            api_base: String::new(),
            account: account.map(AccountId::from),
            mode,
        }
    }

    #[tokio::test]
    async fn the_row_is_made_once_learns_its_account_and_never_changes_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/q.db", folder.path().display());
        let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
        db.migrate().await.unwrap();
        let at = |s| Timestamp::from_unix(s).unwrap();

        let first = ensure(&db, &settings(Mode::Live, None), at(1)).await;
        assert_eq!(first.unwrap().account, None);
        for account in [Some("acct_1"), None] {
            let again = ensure(&db, &settings(Mode::Live, account), at(2)).await;
            let again = again.unwrap();
            assert_eq!(again.account, Some("acct_1".into()));
            assert_eq!(again.created_at, at(1));
        }
        let other = ensure(&db, &settings(Mode::Live, Some("acct_2")), at(3)).await;
        let message = other.unwrap_err().to_string();
        assert!(message.contains("acct_1") && message.contains("acct_2"));
        // The other mode is another connection.
        let test = ensure(&db, &settings(Mode::Test, Some("acct_2")), at(3)).await;
        assert_eq!(test.unwrap().id.as_str(), "test");
        db.close().await;
    }
}
