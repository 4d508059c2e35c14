//! `/healthz`, `/readyz` and `/metrics`: whether this process lives, whether it can serve,
//! and what it counted.
