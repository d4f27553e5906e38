//! The command line over the library: arguments in, text or documents and an exit code out.
//!
//! Everything that reads the environment, the clock or the terminal is here; what is decided is
//! decided in the library.

mod args;
mod bind;
mod change;
mod check;
mod complete;
mod contexts;
mod credentials;
mod demo;
mod enable;
mod env;
mod error;
mod exit;
mod explain;
mod help;
mod manifests;
mod names;
mod prune;
mod real;
mod reconcile;
mod render;
mod run;
mod selector;
mod terminal;
mod unbind;

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::process::ExitCode;

use clap::FromArgMatches;
use mctg::findings::catalogue;
use mctg::stop::Stop;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use self::args::{ChangeArgs, Cli, DryRun, Rehearsal, Verb};
use self::env::Environment;
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
    let terminal = Terminal::new(cli.global.color);
    match run(&cli, &argv0, &terminal) {
        Ok(exit) => exit,
        Err(error) => {
            terminal.error(&error);
            error.exit
        }
    }
    .into()
}

fn run(cli: &Cli, argv0: &OsStr, terminal: &Terminal) -> Result<Exit, CliError> {
    if let Some((flag, reason)) = cli.refused.reason() {
        return Err(CliError::usage(format!("{flag} cannot be used here: {reason}")));
    }
    if !cli.global.observe.is_empty() && matches!(cli.verb, Verb::Status(_) | Verb::Check(_)) {
        return Err(CliError::usage("--observe is for verbs that change something, or plan to")
            .hint("--context says what is read"));
    }
    let environment = Environment::read();
    log(cli.global.verbose, terminal);
    let ending = Ending::of(cli, terminal);
    let stop = Stop::default();
    match &cli.verb {
        Verb::Explain(args) => explain::explain(args.code.as_deref(), cli.global.output, terminal),
        Verb::Version => explain::version(cli.global.output, terminal),
        Verb::Completion(args) => terminal.print(false, |_, out| complete::script(args.shell, out)),
        Verb::Complete(args) => {
            let command = args::command(argv0);
            let codes: Vec<&str> = catalogue::ALL.iter().map(|rule| rule.code).collect();
            // Without a kubeconfig there is no context to offer, and nobody to tell.
            let contexts = real::context_names(&cli.global, &environment);
            terminal.print(false, |_, out| {
                complete::answer(&command, &args.words, &contexts, &codes, out)
            })
        }
        Verb::Demo(args) => {
            wait_for(demo::play(args, &environment, terminal), ending, &stop, terminal)
        }
        Verb::Manifests(args) if !manifests::asks(args) => {
            manifests::unnamed(args, &cli.global, terminal)
        }
        Verb::Enable(args) if args.switch.local => {
            enable::local(&args.switch, true, args.deletion_protection, &cli.global, terminal)
        }
        Verb::Disable(args) if args.switch.local => {
            enable::local(&args.switch, false, false, &cli.global, terminal)
        }
        verb @ (Verb::Status(_)
        | Verb::Check(_)
        | Verb::Diff(_)
        | Verb::Reconcile(_)
        | Verb::Unbind(_)
        | Verb::Enable(_)
        | Verb::Disable(_)
        | Verb::Bind(_)
        | Verb::Manifests(_)) => {
            if cli.global.demo {
                let work = demo::run(verb, &cli.global, &environment, terminal);
                wait_for(work, ending, &stop, terminal)
            } else {
                let work = real::run(verb, &cli.global, &environment, &stop, terminal);
                wait_for(work, ending, &stop, terminal)
            }
        }
    }
}

/// How a verb ends that is interrupted.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// At once, since nothing goes on without it: what to say.
    AtOnce(&'static str),
    /// With a report of what was done and what was not.
    WithReport,
}

impl Ending {
    fn of(cli: &Cli, terminal: &Terminal) -> Self {
        match &cli.verb {
            _ if cli.global.demo => Self::AtOnce("interrupted: nothing real was changed"),
            Verb::Reconcile(args) if args.dry_run == DryRun::None && !terminal.is_read_only() => {
                Self::WithReport
            }
            Verb::Enable(args) => Self::of_change(&args.switch.change, terminal),
            Verb::Disable(args) => Self::of_change(&args.switch.change, terminal),
            Verb::Unbind(args) => Self::of_change(&args.change, terminal),
            _ => Self::AtOnce("interrupted: nothing was changed"),
        }
    }

    /// Of a verb that changes objects.
    fn of_change(args: &ChangeArgs, terminal: &Terminal) -> Self {
        if args.dry_run == Rehearsal::None && !terminal.is_read_only() {
            Self::WithReport
        } else {
            Self::AtOnce("interrupted: nothing was changed")
        }
    }
}

/// What is said when the first signal comes to a verb that changes something.
const STOPPING: &str =
    "stopping: no new call is made, and the one under way has 4 s (again ends at once)";

/// What goes on without us, and what does not, where there is no report to say it.
const ENDED: &str = "interrupted: the call under way may still take effect; what was registered is \
                     in a ledger, and another run picks up from here";

/// Runs to the end, or until the user or the system asks to stop: a verb that changes something
/// then makes no new call and tells what it has done. A second signal ends it at once.
///
/// Every step leaves a state that the next run repairs, so that stopping anywhere is safe.
fn wait_for(
    work: impl Future<Output = Result<Exit, CliError>>,
    ending: Ending,
    stop: &Stop,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::because("failed to start the runtime", &error))?;
    let result = runtime.block_on(async {
        let mut work = std::pin::pin!(work);
        let mut signals = Signals::listen();
        tokio::select! {
            result = &mut work => return result,
            () = signals.next() => {}
        }
        if let Ending::AtOnce(words) = ending {
            terminal.note(words);
            return Ok(Exit::Interrupted);
        }
        terminal.note(STOPPING);
        stop.ask();
        tokio::select! {
            // An error is told as ever, but of all exit codes this is the first.
            result = &mut work => result
                .map(|_| Exit::Interrupted)
                .map_err(|mut error| {
                    error.exit = Exit::Interrupted;
                    error
                }),
            () = signals.next() => {
                terminal.note(ENDED);
                Ok(Exit::Interrupted)
            }
        }
    });
    // A question that nobody answered, or a call that nobody waits for, must not hold the exit up.
    runtime.shutdown_background();
    result
}

/// Ctrl-C and SIGTERM, each as often as it comes.
struct Signals {
    #[cfg(unix)]
    streams: Vec<tokio::signal::unix::Signal>,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        Self { streams: kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect() }
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let came = self.streams.iter_mut().any(|it| it.poll_recv(context).is_ready());
            if came { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Logs this program's own calls to stderr; never those of its libraries, which know secrets.
fn log(verbose: u8, terminal: &Terminal) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = Targets::new().with_target("mctg", level).with_target("kubectl_mctg", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(terminal.err_is_colored());
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}
