//! What of a payment a campaign counts, before any window is looked at.
