//! Batches: a slot of time, a plan with nothing left to decide, and its execution.
