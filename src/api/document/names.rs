//! Schemas of the names that answers and filters take from enums of other rooms: one of a list
//! that stays what the enum says.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $of:path;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                type Of = $of;
                let names: Vec<&str> = Of::ALL.iter().map(|one| one.name()).collect();
                json_schema!({ "type": "string", "enum": names })
            }
        }
    )*};
}

names! {
    /// What somebody is to this installation.
    Role: crate::domain::access::Role;
    /// Whether somebody can sign in.
    UserState: crate::store::users::UserState;
    /// What was done.
    Action: crate::access::audit::Action;
    /// Where a case has got to.
    CaseState: crate::store::cases::CaseState;
    /// Where a qualification has got to.
    QualificationState: crate::store::qualifications::QualificationState;
    /// How a batch came to be.
    BatchKind: crate::store::batches::BatchKind;
    /// Where a batch has got to.
    BatchState: crate::store::batches::BatchState;
    /// What a batch does with a qualification.
    ItemAction: crate::store::batch_items::ItemAction;
    /// Where an item of a batch has got to.
    ItemState: crate::store::batch_items::ItemState;
    /// Why a transaction was booked.
    TransactionKind: crate::store::ledger::TransactionKind;
    /// What a webhook endpoint may be told of.
    Topic: crate::domain::topic::Topic;
    /// Where a delivery to a webhook endpoint has got to.
    DeliveryState: crate::store::webhook_deliveries::DeliveryState;
    /// What kind of object something is at Stripe.
    ObjectKind: crate::domain::fact::ObjectKind;
    /// What became of an event.
    EventState: crate::store::events::EventState;
}
