//! Settlement: every 12 hours a batch settles what is due. A plan with nothing left to decide
//! is made and stored, then executed; executing it again changes nothing.
//!
//! [`limits`] and [`slot`] are pure.

pub mod limits;
pub mod slot;
