//! The pages, one file each, with its template beside it.

pub mod docs;
pub mod marketing;
pub mod sign_in;
