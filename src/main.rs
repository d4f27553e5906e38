//! `kubectl mctg`: the command line over the library `mctg`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
