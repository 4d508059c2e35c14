//! What a page says to somebody who is signed in and may not see it: what is missing, and whom
//! to ask. The API says the same by the permission's name alone.

use super::{Web, permissions};
use crate::access::users::{User, UserState};
use crate::domain::access::{Permission, Role, Signed};
use crate::http::Problem;

/// Owners that are named, at most.
const OWNERS_MAX: u32 = 5;

/// Puts the problem into words for this person, if it is that a permission is missing.
pub(super) async fn explain(web: &Web, signed: &Signed, problem: &mut Problem) {
    let missing = problem
        .members
        .as_ref()
        .and_then(|members| members.get("permission"))
        .and_then(serde_json::Value::as_str)
        .and_then(Permission::parse);
    let Some(missing) = missing else {
        return;
    };
    // Promoters are outsiders: they are not told who works here. Nor is anybody if the database
    // does not say.
    let owners = if signed.role == Role::Promoter {
        Vec::new()
    } else {
        let found = web
            .app
            .access
            .users(Some(Role::Owner), None, OWNERS_MAX)
            .await;
        found.unwrap_or_default()
    };
    problem.detail = words(signed.role, missing, &owners);
}

fn words(role: Role, missing: Permission, owners: &[User]) -> String {
    let (role, does, name) = (role.name(), permissions::words(missing), missing.name());
    let active = owners.iter().filter(|user| user.state == UserState::Active);
    let names: Vec<String> = active
        .map(|user| format!("{} ({})", user.name, user.email))
        .collect();
    let ask = match names.as_slice() {
        [] => "Ask an owner if you need it.".to_owned(),
        [one] => format!("Ask {one}, an owner, if you need it."),
        [first, rest @ ..] => format!("Ask an owner if you need it: {first}, {}.", rest.join(", ")),
    };
    format!("Your role, {role}, does not let you {does} ({name}). {ask}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::email::CanonicalEmail;

    #[test]
    fn it_says_what_is_missing_and_whom_to_ask() {
        let owner = |name: &str, state| User {
            id: name.into(),
            email: CanonicalEmail::parse(&format!("{name}@x.example")).unwrap(),
            name: name.to_owned(),
            role: Role::Owner,
            promoter: None,
            state,
            created_at: crate::domain::time::Timestamp::default(),
            changed_at: crate::domain::time::Timestamp::default(),
            signed_in_at: None,
            has_password: false,
        };
        let owners = [
            owner("mara", UserState::Active),
            owner("gone", UserState::Deactivated),
        ];
        assert_eq!(
            words(Role::Viewer, Permission::BatchesWrite, &owners),
            "Your role, viewer, does not let you run a batch now (batches:write). \
             Ask mara (mara@x.example), an owner, if you need it."
        );
        assert!(
            words(Role::Promoter, Permission::AuditRead, &[])
                .ends_with("Ask an owner if you need it.")
        );
    }
}
