//! What people are told by mail: rows of the outbox, rendered by [`mail`] and delivered by
//! [`worker`]. A link in a mail is made when the mail is sent, so that no token ever lies in
//! the database. What other programs are told is in [`webhooks`].

pub mod mail;
pub mod mailer;
pub mod webhooks;
pub mod worker;

pub use mailer::{Mailer, MailerError};
