//! People with an account. Nobody is deleted: the audit log names them. What a role allows is
//! known to `domain::access`.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{email_or_none, instant, instant_or_none, name, stored_names};
use super::statement::Statement;
use crate::domain::access::Role;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{ConnectionId, PromoterId, UserId};
use crate::domain::time::Timestamp;

pub(super) const TABLE: &str = "users";

stored_names! {
    /// Whether somebody may come in.
    UserState {
        /// Invited, and not yet come.
        Invited => "invited",
        /// May sign in.
        Active => "active",
        /// May not sign in any more.
        Deactivated => "deactivated",
    }
}

/// A person as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their address, of nobody else in the connection.
    pub email: CanonicalEmail,
    /// What people call them.
    pub name: String,
    /// What they are here.
    pub role: Role,
    /// The promoter they are; of the role promoter only, and always.
    pub promoter: Option<PromoterId>,
    /// Whether they may come in.
    pub state: UserState,
    /// When they were invited or made.
    pub created_at: Timestamp,
    /// When role, name or state changed last.
    pub changed_at: Timestamp,
    /// When they signed in last.
    pub signed_in_at: Option<Timestamp>,
    /// Whether they have a password; without one they sign in by mail.
    pub has_password: bool,
}

#[derive(FromRow)]
struct Row {
    user_id: String,
    email: String,
    name: String,
    role: String,
    promoter_id: Option<String>,
    state: String,
    created_at: i64,
    changed_at: i64,
    signed_in_at: Option<i64>,
    has_password: i64,
}

impl Row {
    fn read(self) -> Result<User, StoreError> {
        let email = email_or_none(TABLE, Some(self.email))?;
        Ok(User {
            id: self.user_id.into(),
            email: email.ok_or_else(|| StoreError::unreadable(TABLE, "no email"))?,
            name: self.name,
            role: name(TABLE, &self.role, Role::parse)?,
            promoter: self.promoter_id.map(PromoterId::from),
            state: name(TABLE, &self.state, UserState::parse)?,
            created_at: instant(TABLE, self.created_at)?,
            changed_at: instant(TABLE, self.changed_at)?,
            signed_in_at: instant_or_none(TABLE, self.signed_in_at)?,
            has_password: self.has_password != 0,
        })
    }
}

/// The columns of a person, without the password's hash.
macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT user_id, email, name, role, promoter_id, state, created_at, changed_at,
                    signed_in_at,
                    CASE WHEN password_hash IS NULL THEN CAST(0 AS BIGINT)
                         ELSE CAST(1 AS BIGINT) END AS has_password
             FROM users ",
            $rest
        )
    };
}

/// Adds a person without a password; [`StoreError::Taken`] if id or email is there.
pub async fn insert_user(
    tx: &mut Tx,
    connection: &ConnectionId,
    user: &User,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO users (connection_id, user_id, email, name, role, promoter_id, state,
                            created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(connection)
    .bind(&user.id)
    .bind(&user.email)
    .bind(&user.name)
    .bind(user.role.name())
    .bind(&user.promoter)
    .bind(user.state.name())
    .bind(user.created_at)
    .bind(user.changed_at)
    .execute_exactly("adding a user", 1, tx)
    .await
}

/// A person by id.
pub async fn get_user(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &UserId,
) -> Result<Option<User>, StoreError> {
    let row: Option<Row> = Statement::new(columns!("WHERE connection_id = $1 AND user_id = $2"))
        .bind(connection)
        .bind(id)
        .fetch_optional(tx)
        .await?;
    row.map(Row::read).transpose()
}

/// People by id, in any order; the ones that are not there are left out.
pub async fn load_users(
    tx: &mut Tx,
    connection: &ConnectionId,
    ids: &[UserId],
) -> Result<Vec<User>, StoreError> {
    let rows: Vec<Row> =
        Statement::new(columns!("WHERE connection_id = $1 AND user_id IN ({rows})"))
            .bind(connection)
            .list(ids)
            .fetch_all(tx)
            .await?;
    rows.into_iter().map(Row::read).collect()
}

/// A person by address.
pub async fn user_by_email(
    tx: &mut Tx,
    connection: &ConnectionId,
    email: &CanonicalEmail,
) -> Result<Option<User>, StoreError> {
    let row: Option<Row> = Statement::new(columns!("WHERE connection_id = $1 AND email = $2"))
        .bind(connection)
        .bind(email)
        .fetch_optional(tx)
        .await?;
    row.map(Row::read).transpose()
}

/// One page of people in order of id; only of some roles if any are named.
pub async fn list_users(
    tx: &mut Tx,
    connection: &ConnectionId,
    role: Option<Role>,
    after: Option<&UserId>,
    limit: u32,
) -> Result<Vec<User>, StoreError> {
    let rows: Vec<Row> = Statement::new(columns!("WHERE connection_id = $1 AND user_id > $2"))
        .bind(connection)
        .bind(after.map_or("", UserId::as_str))
        .push_some(" AND role = $#", role.map(Role::name))
        .push(" ORDER BY user_id LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    rows.into_iter().map(Row::read).collect()
}

/// The people who are a promoter.
pub async fn users_of_promoter(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: &PromoterId,
) -> Result<Vec<User>, StoreError> {
    let rows: Vec<Row> = Statement::new(columns!(
        "WHERE connection_id = $1 AND promoter_id = $2 ORDER BY user_id"
    ))
    .bind(connection)
    .bind(promoter)
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// The hash of a person's password, in PHC's notation.
pub async fn password_hash(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &UserId,
) -> Result<Option<String>, StoreError> {
    let row: Option<(Option<String>,)> =
        Statement::new("SELECT password_hash FROM users WHERE connection_id = $1 AND user_id = $2")
            .bind(connection)
            .bind(id)
            .fetch_optional(tx)
            .await?;
    Ok(row.and_then(|(hash,)| hash))
}

/// Gives a person a password.
pub async fn set_password_hash(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &UserId,
    hash: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE users SET password_hash = $3, changed_at = $4
         WHERE connection_id = $1 AND user_id = $2",
    )
    .bind(connection)
    .bind(id)
    .bind(hash)
    .bind(now)
    .execute_exactly("setting a password", 1, tx)
    .await
}

/// Changes name, role, promoter and state from what they were; [`StoreError::Stale`] if role
/// or state are no longer those.
pub async fn change_user(
    tx: &mut Tx,
    connection: &ConnectionId,
    before: &User,
    after: &User,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE users SET name = $5, role = $6, promoter_id = $7, state = $8, changed_at = $9
         WHERE connection_id = $1 AND user_id = $2 AND role = $3 AND state = $4",
    )
    .bind(connection)
    .bind(&before.id)
    .bind(before.role.name())
    .bind(before.state.name())
    .bind(&after.name)
    .bind(after.role.name())
    .bind(&after.promoter)
    .bind(after.state.name())
    .bind(after.changed_at)
    .execute_exactly("changing a user", 1, tx)
    .await
}

/// Notes that a person has signed in.
pub async fn note_sign_in(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    Statement::new("UPDATE users SET signed_in_at = $3 WHERE connection_id = $1 AND user_id = $2")
        .bind(connection)
        .bind(id)
        .bind(now)
        .execute_exactly("noting a sign-in", 1, tx)
        .await
}

/// How many owners may come in, each of them held until the transaction ends: of two who take
/// the role from each other, the second sees that one is left.
pub async fn hold_owners(tx: &mut Tx, connection: &ConnectionId) -> Result<u64, StoreError> {
    Statement::new(
        "UPDATE users SET changed_at = changed_at
         WHERE connection_id = $1 AND role = 'owner' AND state = 'active'",
    )
    .bind(connection)
    .execute(tx)
    .await
}

/// Whether there is an owner, come or deactivated: then nobody sets the place up again.
pub async fn has_owner(tx: &mut Tx, connection: &ConnectionId) -> Result<bool, StoreError> {
    let (owners,): (i64,) = Statement::new(
        "SELECT COUNT(*) FROM users
         WHERE connection_id = $1 AND role = 'owner' AND state <> 'invited'",
    )
    .bind(connection)
    .fetch_one(tx)
    .await?;
    Ok(owners > 0)
}
