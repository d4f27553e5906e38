//! `kubectl mctg`: the command line over the library `mctg`.

mod cli;

fn main() {}
