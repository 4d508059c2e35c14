//! The command line, one file per subcommand. What the commands do is elsewhere.

pub mod check;
