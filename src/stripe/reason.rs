//! Why an event gives no facts: not needed, or not readable. Codes are stable and
//! append-only; the sentences are for admins. No event is lost over either.

/// Why an event is not needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreReason {
    /// A type that says nothing of customers, payments or coupons.
    #[error("events of this type say nothing that a campaign can count")]
    TypeNotUsed,
    /// `invoice.upcoming` and other previews: nothing has happened yet.
    #[error("it announces a future invoice; nothing has happened yet")]
    FutureInvoice,
}

impl IgnoreReason {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TypeNotUsed => "type_not_used",
            Self::FutureInvoice => "future_invoice",
        }
    }
}

/// Why an event that is needed cannot be read. It is kept, and read again after an update.
///
/// `path` names the place in the event, like `data.object.lines.data[3].amount`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuarantineReason {
    /// No `data.object`.
    #[error("the event has no data.object; expected the object that the event is about")]
    ObjectMissing,
    /// The object is of another kind than the event's type says.
    #[error("data.object is a `{seen}`, but an event of this type carries a `{expected}`")]
    ObjectUnexpected {
        /// What the event's type says.
        expected: &'static str,
        /// What it is, shortened.
        seen: String,
    },
    /// The object's JSON does not fit at all.
    #[error("data.object cannot be read: {0}")]
    Unreadable(String),
    /// A value of another JSON type than Stripe documents.
    #[error("{path} has an unexpected form; expected {expected}")]
    FormUnexpected {
        /// Where.
        path: String,
        /// What Stripe documents.
        expected: &'static str,
    },
    /// An id that is missing, longer than 255 bytes, or has control characters.
    #[error("{path} is not a usable id; expected 1 to 255 bytes without control characters")]
    IdInvalid {
        /// Where.
        path: String,
    },
    /// Not a whole number of minor units, or beyond what this product handles.
    #[error("{path} is not a whole number of minor units of a plausible size")]
    AmountInvalid {
        /// Where.
        path: String,
    },
    /// A currency that ISO 4217 does not list.
    #[error("{path} is not an ISO 4217 currency code")]
    CurrencyUnknown {
        /// Where.
        path: String,
    },
    /// Not unix seconds.
    #[error("{path} is not a time in unix seconds")]
    TimeInvalid {
        /// Where.
        path: String,
    },
    /// A NUL character, which no database here can store.
    #[error("{path} contains a NUL character")]
    NulInText {
        /// Where.
        path: String,
    },
}

impl QuarantineReason {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ObjectMissing => "object_missing",
            Self::ObjectUnexpected { .. } => "object_unexpected",
            Self::Unreadable(_) => "unreadable",
            Self::FormUnexpected { .. } => "form_unexpected",
            Self::IdInvalid { .. } => "id_invalid",
            Self::AmountInvalid { .. } => "amount_invalid",
            Self::CurrencyUnknown { .. } => "currency_unknown",
            Self::TimeInvalid { .. } => "time_invalid",
            Self::NulInText { .. } => "nul_in_text",
        }
    }
}
