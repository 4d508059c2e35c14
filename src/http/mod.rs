//! What every HTTP answer shares: the server loop, problems, bodies. Not the routes of the
//! API, the pages or the webhooks; those live in their own rooms.

pub mod body;
mod layers;
pub mod problem;
pub mod server;
pub mod words;

pub use layers::dress;
pub use problem::Problem;
