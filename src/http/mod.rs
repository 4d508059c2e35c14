//! What every HTTP answer shares: the server loop, problems, health. Not the routes of the
//! API, the pages or the webhooks; those live in their own rooms.

pub mod body;
pub mod health;
mod layers;
pub mod problem;
pub mod server;

pub use layers::dress;
pub use problem::Problem;
