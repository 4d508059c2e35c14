//! The pages, one file each, with its template beside it.

pub mod admin;
pub mod docs;
pub mod marketing;
pub mod portal;
pub mod sign_in;
