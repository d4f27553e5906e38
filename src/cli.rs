//! The command line: arguments in, text or documents and an exit code out.
//!
//! Everything that reads the environment, the clock or the terminal is here; what is decided is
//! decided in the library.

mod args;
mod complete;
mod contexts;
mod credentials;
mod env;
mod error;
mod exit;
mod explain;
mod help;
mod render;
mod terminal;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches;

use self::args::{Cli, Verb};
use self::error::CliError;
use self::exit::Exit;
use self::terminal::Terminal;

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let argv0 = argv.first().cloned().unwrap_or_else(|| "kubectl-mctg".into());
    let parsed = args::command(&argv0)
        .try_get_matches_from(argv)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout with 0, mistakes to stderr with 2. Nobody may be listening.
            let _ = error.print();
            return if error.exit_code() == 0 { Exit::Fine } else { Exit::Usage }.into();
        }
    };
    let mut terminal = Terminal::new(cli.global.color);
    match run(&cli, &argv0, &mut terminal) {
        Ok(exit) => exit,
        Err(error) => {
            terminal.error(&error);
            error.exit
        }
    }
    .into()
}

fn run(cli: &Cli, argv0: &std::ffi::OsStr, terminal: &mut Terminal) -> Result<Exit, CliError> {
    if let Some((flag, reason)) = cli.refused.reason() {
        return Err(CliError::usage(format!("{flag} cannot be used here: {reason}")));
    }
    match &cli.verb {
        Verb::Explain(args) => explain::explain(args.code.as_deref(), cli.global.output, terminal),
        Verb::Version => explain::version(cli.global.output, terminal),
        Verb::Completion(args) => terminal.print(|_, out| complete::script(args.shell, out)),
        Verb::Complete(args) => {
            let command = args::command(argv0);
            let codes: Vec<&str> =
                mctg::findings::catalogue::ALL.iter().map(|rule| rule.code).collect();
            terminal.print(|_, out| complete::answer(&command, &args.words, &[], &codes, out))
        }
        Verb::Status(_) | Verb::Diff(_) | Verb::Reconcile(_) | Verb::Demo(_) => todo!(),
    }
}
