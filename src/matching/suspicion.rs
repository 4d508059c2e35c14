//! Self-referral: the promoter and the invited person look like one. Only a hint, so a
//! person decides; `+tags` and dots are folded here and nowhere that identifies.

use crate::domain::payment::Customer;
use crate::domain::people::{Promoter, Referral};
use crate::domain::verdict::MatchedBy;

/// What makes the promoter look like the invited person, in words; `None` if nothing does.
pub fn self_referral(
    promoter: &Promoter,
    referral: &Referral,
    customers: &[(&Customer, MatchedBy)],
) -> Option<String> {
    if let Some(own) = &promoter.stripe_customer_id {
        let named = referral.stripe_customer_id.as_ref() == Some(own);
        if named
            || customers
                .iter()
                .any(|(customer, _)| customer.id.as_str() == own)
        {
            return Some(format!("{own} is the promoter's own Stripe customer"));
        }
    }
    let own = promoter.email.as_ref()?;
    let folded = own.folded();
    let of_customers = customers.iter().flat_map(|(customer, _)| &customer.emails);
    let alike = referral
        .email
        .iter()
        .chain(of_customers)
        .find(|e| e.folded() == folded)?;
    Some(if alike == own {
        "the invited person has the promoter's own email".to_owned()
    } else {
        format!(
            "{} differs from the promoter's email only by tag or dots",
            alike.masked()
        )
    })
}
