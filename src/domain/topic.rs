//! What others may be told of: a stable name for each thing that happens. Who is told, and how,
//! is known to `notify`.

macro_rules! topics {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $says:literal;)*) => {
        /// Something that happens and that a webhook endpoint may be told of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Topic { $($(#[$doc])* $variant,)* }

        impl Topic {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// When it happens, as a sentence.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)* }
            }

            /// The one of that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

topics! {
    /// A verdict became positive.
    QualificationQualified, "qualification.qualified",
        "A referral met every condition, and its reward waits in the queue.";
    /// A positive verdict fell before a batch settled it.
    QualificationWithdrawn, "qualification.withdrawn",
        "A queued reward was taken off the queue before it was settled.";
    /// A batch settled it.
    QualificationSettled, "qualification.settled",
        "A batch settled a reward: it is in the ledger.";
    /// A batch took some or all of it back.
    QualificationReversed, "qualification.reversed",
        "A batch took a settled reward back, in full or in part.";
    /// A batch gave again what was taken back.
    QualificationReinstated, "qualification.reinstated",
        "A batch gave a reward again that had been taken back.";
    /// A conflict needs a person.
    CaseOpened, "case.opened",
        "A conflict was found that a person has to decide.";
    /// A batch was carried out to its end.
    BatchSettled, "batch.settled",
        "A batch was carried out to its end.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_and_found_again() {
        for topic in Topic::ALL {
            assert_eq!(Topic::parse(topic.name()), Some(*topic));
            assert!(!topic.name().contains([' ', '*']) && topic.says().ends_with('.'));
        }
        assert_eq!(Topic::parse("mail.sign_in"), None);
    }
}
