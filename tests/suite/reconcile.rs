//! Scenarios of `reconcile` over the simulator.
