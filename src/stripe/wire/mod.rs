//! Serde structs of the fields we read, of every era at once. They accept any JSON type in
//! any field: what does not fit is found by `normalize/`, which knows the path and the rule.

mod billing;
mod money;
mod person;
mod value;

pub use billing::{
    AmountItem, Coupon, CreditNote, Discount, DiscountSource, Invoice, InvoicePayment, Line, Named,
    PromotionCode, Subscription,
};
pub use money::{Charge, Checkout, Dispute, Intent, Refund};
pub use person::Customer;
pub use value::{Flat, List, Metadata, Reference, Scalar};
