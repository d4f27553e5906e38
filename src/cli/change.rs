//! Carries out a verb that changes objects: shows the plan, asks, tells what is done, waits.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use mctg::apply::Progress;
use mctg::change::{Event, Mistake, Options, Patience, Planned, Runner, Verb};
use mctg::cluster::Cluster;
use mctg::elbv2::LoadBalancers;
use mctg::report::Changes;
use tokio::time::Instant;

use super::args::{ChangeArgs, Global, Output, Rehearsal};
use super::error::CliError;
use super::exit::{self, Exit};
use super::render::{self, document};
use super::run::{World, mark_demo, on_demo, tell_incompleteness};
use super::terminal::Terminal;

/// How often the world is read while something is waited for: controllers take seconds.
const INTERVAL: Duration = Duration::from_secs(2);

/// The one context that a verb writes to.
///
/// # Errors
///
/// Several are chosen.
pub(crate) fn only_context<C, L>(world: &World<'_, C, L>) -> Result<String, CliError> {
    let mut writing = world.writing.iter();
    match (writing.next(), writing.next()) {
        (Some(only), None) => Ok(only.clone()),
        _ => {
            let named: Vec<&str> = world.writing.iter().map(String::as_str).collect();
            Err(CliError::usage(format!(
                "this verb writes to one context, and --context names {}",
                if named.is_empty() { "none".to_owned() } else { render::list(&named) }
            ))
            .hint("run it once for each context; --observe names contexts to read"))
        }
    }
}

/// Carries out a verb. `patience` is how long it waits where `--timeout` does not say.
///
/// # Errors
///
/// What was asked for makes no sense or is not there, or nothing may be changed.
pub(crate) async fn carry_out<C: Cluster, L: LoadBalancers, V: Verb>(
    world: &World<'_, C, L>,
    verb: &V,
    args: &ChangeArgs,
    patience: impl Fn(&Planned) -> Duration,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    carry_out_after(world, verb, args, patience, |_| Ok(()), global, terminal).await
}

/// Carries out a verb; `before` is done once everything was said yes to, and before the first change.
///
/// # Errors
///
/// As [`carry_out`], and what `before` says.
pub(crate) async fn carry_out_after<C: Cluster, L: LoadBalancers, V: Verb>(
    world: &World<'_, C, L>,
    verb: &V,
    args: &ChangeArgs,
    patience: impl Fn(&Planned) -> Duration,
    before: impl Fn(&Planned) -> Result<(), CliError>,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let changes = args.dry_run == Rehearsal::None;
    if changes && terminal.is_read_only() && !world.demo {
        return Err(CliError::refused("nothing was changed: MCTG_READ_ONLY is set")
            .hint("--dry-run shows the plan"));
    }
    let runner =
        |options| Runner::new(world.clusters, world.load_balancers, world.clock, verb, options);
    let options = Options {
        yes: args.yes,
        rehearse: args.dry_run == Rehearsal::Server,
        wait: None,
        stop: world.stop.clone(),
    };
    let started = Instant::now();
    let planned = runner(options.clone()).plan().await?;
    let timeout = args.timeout.unwrap_or_else(|| patience(&planned));
    let show = Show { world, global, terminal, started };
    if args.dry_run == Rehearsal::Client {
        let mut report = planned.report();
        show.plan(&planned, &report)?;
        return show.closing(&mut report);
    }
    let asks =
        changes && !args.yes && terminal.can_ask() && planned.asks() && !world.stop.is_asked();
    show.plan(&planned, &planned.report())?;
    if asks {
        tokio::select! {
            said_yes = terminal.ask("Do this?") => if !said_yes {
                return Err(CliError::usage("declined: nothing was changed"));
            },
            () = world.stop.asked() => {}
        }
    }
    if changes && (args.yes || asks) && !world.stop.is_asked() {
        before(&planned)?;
    }
    let options = Options {
        yes: args.yes || asks,
        wait: args.wait.then_some(Patience { timeout, interval: INTERVAL }),
        ..options
    };
    let last = Mutex::new(String::new());
    let several = planned.items.len() > 1;
    let listener = |event: Event<'_>| {
        if let Event::Waiting(..) = event {
            (world.watch)(&Progress::Waiting(&BTreeMap::new()));
        }
        let line = render::change::event_line(event, several);
        let mut last = last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if *last != line {
            terminal.note(&render::reconcile::progress_line(started.elapsed(), &line));
        }
        *last = line;
    };
    // What was shown is what is done, asked or not.
    let mut report = runner(options).run(Some(&planned), &listener).await?;
    show.closing(&mut report)
}

/// What is shown, and where.
struct Show<'a, C, L> {
    world: &'a World<'a, C, L>,
    global: &'a Global,
    terminal: &'a Terminal,
    started: Instant,
}

impl<C: Cluster, L: LoadBalancers> Show<'_, C, L> {
    /// Shows the plan: to a reader of documents only where they are asked about it.
    fn plan(&self, planned: &Planned, report: &Changes) -> Result<(), CliError> {
        let wide = self.global.output == Output::Wide || self.global.verbose > 0;
        let show = |look: &render::Look, out: &mut dyn std::io::Write| {
            render::change::plan(report, &planned.preface, self.world.demo, look, out)
        };
        if matches!(self.global.output, Output::Table | Output::Wide) {
            self.terminal.print(wide, show)?;
        } else if self.terminal.can_ask() && planned.asks() {
            self.terminal.print_err(wide, show);
        }
        Ok(())
    }

    fn closing(&self, report: &mut Changes) -> Result<Exit, CliError> {
        mark_demo(self.world.demo, &mut report.demo, &mut report.findings);
        if self.world.demo {
            for item in &mut report.items {
                let hints = item.checks.iter_mut().filter_map(|check| check.hint.as_mut());
                let next = item.next.iter_mut().map(|next| &mut next.command);
                hints.chain(next).for_each(on_demo);
            }
        }
        let exit = exit::of_changes(report);
        let took = self.started.elapsed();
        let wide = self.global.output == Output::Wide;
        self.terminal.print(wide, |look, out| match self.global.output {
            Output::Table | Output::Wide => render::change::closing(report, took, exit, look, out),
            Output::Json => document::json(report, out),
            Output::Yaml => document::yaml(report, out),
            Output::Jsonl => document::change_lines(report, out),
        })?;
        let (contexts, findings) = (&report.contexts, &report.findings);
        let (world, output) = (self.world, self.global.output);
        tell_incompleteness(world, contexts, findings, output, false, self.terminal);
        Ok(exit)
    }
}

impl From<Mistake> for CliError {
    fn from(mistake: Mistake) -> Self {
        let error = match mistake.is_unread {
            true => Self::failed(mistake.message),
            false => Self::usage(mistake.message),
        };
        match mistake.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}
