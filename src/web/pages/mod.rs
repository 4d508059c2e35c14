//! The pages, one file each, with its template beside it.

pub mod admin;
pub mod marketing;
pub mod sign_in;
