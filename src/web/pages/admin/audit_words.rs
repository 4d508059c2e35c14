//! The audit log's actions and details in plain words. What is not known here is shown as it is
//! stored, so that nothing is ever left out.

use serde_json::{Map, Value};

use crate::access::audit::Action as A;
use crate::web::parts::Link;
use crate::web::{format, url};

/// What somebody did.
pub(super) const fn action(action: A) -> &'static str {
    match action {
        A::CampaignSaved => "Saved a campaign",
        A::CampaignLinkSet => "Set where a campaign’s links lead",
        A::PromoterCreated => "Added a promoter",
        A::PromoterChanged => "Changed a promoter",
        A::PromoterSuspended => "Suspended a promoter",
        A::PromoterUnsuspended => "Reinstated a promoter",
        A::PromotersImported => "Imported promoters",
        A::ReferralRegistered => "Registered a referral",
        A::ReferralReassigned => "Gave a referral to another promoter",
        A::ReferralsImported => "Imported referrals",
        A::EventsImported => "Imported events",
        A::EventsReplayed => "Had events read again",
        A::CaseResolved => "Decided a case",
        A::CaseUndone => "Took back a decision on a case",
        A::DecisionMade => "Decided on a referral",
        A::BatchRun => "Ran a batch by hand",
        A::UserInvited => "Invited somebody",
        A::OwnerCreated => "Became the first owner",
        A::UserJoined => "Came for the first time",
        A::RoleChanged => "Changed somebody’s role",
        A::UserDeactivated => "Deactivated somebody",
        A::UserReactivated => "Reactivated somebody",
        A::PasswordChanged => "Changed their password",
        A::LinkMade => "Was shown a link for somebody",
        A::LinkSent => "Had somebody’s link sent again",
        A::SessionsEnded => "Signed somebody out everywhere",
        A::SignedIn => "Signed in",
        A::SignInFailed => "Was refused when signing in",
        A::SignedOut => "Signed out",
        A::KeyCreated => "Made an API key",
        A::KeyRevoked => "Revoked an API key",
        A::MailFailed => "A mail could not be delivered",
        A::WebhookCreated => "Added a webhook endpoint",
        A::WebhookChanged => "Changed a webhook endpoint",
        A::WebhookRotated => "Gave a webhook endpoint a new secret",
        A::WebhookRedelivered => "Had a message sent to a webhook endpoint again",
        A::WebhookDisabled => "A webhook endpoint was disabled",
        A::WebhookDeleted => "Deleted a webhook endpoint",
    }
}

/// What it was done to: its kind and id, with a link where there is a page.
pub(super) fn subject(text: &str) -> (String, Option<Link>) {
    let Some((kind, id)) = text.split_once(':') else {
        return (format::code_words(text), None);
    };
    let href = match kind {
        "campaign" => Some(url::campaign(id)),
        "promoter" => Some(url::promoter(id)),
        "referral" => Some(url::referral(id)),
        "user" => Some(url::user(id)),
        "case" => Some(url::at("/admin/cases", id)),
        "event" => Some(url::at("/admin/events", id)),
        "webhook" => Some(url::at("/admin/webhooks", id)),
        _ => None,
    };
    let link = href.map(|href| Link::new(id, href));
    match link {
        Some(link) => (format::code_words(kind), Some(link)),
        None => (format!("{} {id}", format::code_words(kind)), None),
    }
}

/// What the log has of it beside: `Reason: fraud; Before: owner`.
pub(super) fn detail(json: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(json) else {
        return json.to_owned();
    };
    fields_words(&fields)
}

fn fields_words(fields: &Map<String, Value>) -> String {
    let told = fields.iter().filter_map(|(name, value)| {
        let words = value_words(value)?;
        Some(format!("{}: {words}", format::code_words(name)))
    });
    let told: Vec<String> = told.collect();
    told.join("; ")
}

/// A value in words; `None` for nothing at all.
fn value_words(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(all) => {
            let words: Vec<String> = all.iter().filter_map(value_words).collect();
            Some(words.join(", ")).filter(|words| !words.is_empty())
        }
        Value::Object(fields) => {
            Some(format!("({})", fields_words(fields))).filter(|words| words != "()")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_words_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for one in A::ALL {
            assert!(seen.insert(action(*one)), "{} is said twice", one.name());
        }
    }

    #[test]
    fn details_are_told_in_words() {
        let json = r#"{"before":"owner","after":"viewer","reason":"","moved":[],"scopes":["a","b"],"n":2,"x":null}"#;
        assert_eq!(
            detail(json),
            "After: viewer; Before: owner; N: 2; Scopes: a, b"
        );
        assert_eq!(
            detail(r#"{"after":{"cookie_days":60,"origins":[]},"before":{}}"#),
            "After: (Cookie days: 60)"
        );
        assert_eq!(detail("broken"), "broken");
        assert_eq!(detail("{}"), "");
    }

    #[test]
    fn subjects_lead_to_their_pages() {
        let (kind, link) = subject("referral:coupon:spring:cus_1");
        assert_eq!(kind, "Referral");
        assert_eq!(link.unwrap().href, "/referrals/coupon%3Aspring%3Acus_1");
        assert_eq!(subject("batches"), ("Batches".to_owned(), None));
        assert_eq!(subject("key:key_1").0, "Key key_1");
    }
}
