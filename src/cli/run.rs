//! A verb over any clusters and load balancers: real ones and simulated ones share every line of
//! this. `status` is here too.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mctg::apply::Progress;
use mctg::cluster::Cluster;
use mctg::elbv2::LoadBalancers;
use mctg::findings::Finding;
use mctg::observe::{self, Detail, Scope};
use mctg::report::{ContextReport, Status};
use mctg::selection::Selection;
use mctg::stop::Stop;
use tokio::time::Instant;

use super::args::{Global, Output, StatusArgs, Verb};
use super::bind;
use super::check;
use super::contexts::Unread;
use super::enable;
use super::error::CliError;
use super::exit::{self, Exit, Thresholds};
use super::manifests;
use super::names::{check_names, selection};
use super::prune;
use super::reconcile;
use super::render::status::Run;
use super::render::{self, document};
use super::terminal::Terminal;
use super::unbind;

/// What a verb runs on.
pub(crate) struct World<'a, C, L> {
    /// The clusters to observe, in order.
    pub(crate) clusters: &'a [C],
    /// The load balancers.
    pub(crate) load_balancers: &'a L,
    /// The contexts that changing verbs may write to.
    pub(crate) writing: BTreeSet<String>,
    /// Whether fewer contexts are read than there are.
    pub(crate) narrowed: bool,
    /// Whether the context that is written to is the pod's own cluster.
    pub(crate) in_cluster: bool,
    /// What is not read, or may not be able to.
    pub(crate) unread: Unread,
    /// Whether all of it is simulated.
    pub(crate) demo: bool,
    /// The command that leaves contexts out that did not answer.
    pub(crate) leave_out: &'a (dyn Fn(&BTreeSet<&str>) -> Option<String> + Sync),
    /// What time it is there.
    pub(crate) clock: &'a (dyn Fn() -> Timestamp + Sync),
    /// Told of everything that is done there.
    pub(crate) watch: &'a (dyn Fn(&Progress<'_>) + Sync),
    /// Asks a run that changes something to end with its report.
    pub(crate) stop: Stop,
}

/// Runs a verb that reads clusters.
///
/// # Errors
///
/// What the verb says.
pub(crate) async fn verb<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    verb: &Verb,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    match verb {
        Verb::Status(args) => status(world, args, global, terminal).await,
        Verb::Check(args) => check::check(world, args, global, terminal).await,
        Verb::Diff(args) => reconcile::diff(world, args, global, terminal).await,
        Verb::Reconcile(args) => reconcile::reconcile(world, args, global, terminal).await,
        Verb::Enable(args) => enable::enable(world, args, global, terminal).await,
        Verb::Disable(args) => enable::disable(world, args, global, terminal).await,
        Verb::Bind(args) => bind::bind(world, args, global, terminal).await,
        Verb::Unbind(args) => unbind::unbind(world, args, global, terminal).await,
        Verb::Manifests(args) => manifests::named(world, args, global, terminal).await,
        Verb::Explain(_)
        | Verb::Demo(_)
        | Verb::Completion(_)
        | Verb::Version
        | Verb::Complete(_) => Err(CliError::usage("this verb reads no cluster")),
    }
}

/// Runs `status`.
///
/// # Errors
///
/// What was asked for is not there.
async fn status<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    args: &StatusArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let thresholds = thresholds(global)?;
    let selection = Selection { all: args.all, ..selection(&args.names, global)? };
    let chosen = global.namespace.is_some() || global.selector.is_some();
    let started = Instant::now();
    let (report, ignored) =
        observe_status(world, selection, &thresholds, global.deep, terminal).await?;
    let exit = exit::of_status(&report, &thresholds);
    let run = Run { took: Some(started.elapsed()), exit, ignored, chosen };
    let wide = global.output == Output::Wide;
    terminal.print(wide, |look, out| match global.output {
        Output::Table | Output::Wide => render::status::write(&report, &run, look, out),
        Output::Json => document::json(&report, out),
        Output::Yaml => document::yaml(&report, out),
        Output::Jsonl => document::status_lines(&report, out),
    })?;
    let (contexts, findings) = (&report.contexts, &report.findings);
    tell_incompleteness(world, contexts, findings, global.output, false, terminal);
    Ok(exit)
}

/// Observes, and makes the report; says too how many findings were left out as asked.
async fn observe_status<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    selection: Selection,
    thresholds: &Thresholds,
    deep: bool,
    terminal: &Terminal,
) -> Result<(Status, usize), CliError> {
    let scope = Scope {
        selection,
        detail: if deep { Detail::Deep } else { Detail::Polite },
        narrowed: world.narrowed,
        left_out: world.unread.left_out.clone(),
        ..Scope::default()
    };
    let facts =
        observe::observe(world.clusters, world.load_balancers, &scope, &|| (world.clock)()).await;
    let mut report = mctg::status::status(&facts, &scope.selection);
    mark_demo(world.demo, &mut report.demo, &mut report.findings);
    check_names(&facts, &scope.selection, report.complete, terminal)?;
    let before = report.findings.len();
    report.findings.retain(|finding| !thresholds.ignores(finding));
    let ignored = before - report.findings.len();
    Ok((report, ignored))
}

/// Marks a report as simulated; what it offers to paste stays on the simulated clusters too.
pub(super) fn mark_demo(demo: bool, mark: &mut bool, findings: &mut [Finding]) {
    *mark = demo;
    if demo {
        for fix in findings.iter_mut().filter_map(|finding| finding.fix.as_mut()) {
            on_demo(fix);
        }
    }
}

/// Keeps a line to paste on the simulated clusters.
pub(super) fn on_demo(line: &mut String) {
    *line = line.replace("kubectl mctg ", "kubectl mctg --demo ");
}

pub(super) fn thresholds(global: &Global) -> Result<Thresholds, CliError> {
    Thresholds::new(global.fail_on, &global.ignore)
        .map_err(|code| CliError::usage(format!("`{code}` is no code or glob such as MCTG2*")))
}

/// Says on stderr how to leave out what did not answer; and what was not read, where lines about
/// bindings cannot.
pub(super) fn tell_incompleteness<C, L>(
    world: &World<'_, C, L>,
    contexts: &[ContextReport],
    findings: &[Finding],
    output: Output,
    prunes: bool,
    terminal: &Terminal,
) {
    if output == Output::Jsonl {
        for finding in findings.iter().filter(|finding| finding.is_incompleteness()) {
            terminal.note(&mctg::error::escape(&format!(
                "warning: {} {}: {}",
                finding.code, finding.name, finding.message
            )));
        }
    }
    for context in contexts {
        for warning in &context.warnings {
            let line = format!("warning: {}: {warning}", context.context);
            terminal.note(&mctg::error::escape(&line));
        }
    }
    let silent: BTreeSet<&str> = contexts
        .iter()
        .filter(|context| !context.reachable && !context.lost && context.same_as.is_none())
        .map(|context| context.context.as_str())
        .collect();
    if world.stop.is_asked() {
        return;
    }
    if prunes {
        // A context that is left out would be one more that is not read.
        prune::hints(contexts).iter().for_each(|hint| terminal.note(hint));
    } else if !silent.is_empty()
        && let Some(command) = (world.leave_out)(&silent)
    {
        let them = if silent.len() == 1 { "it" } else { "them" };
        terminal.note(&format!("hint: to leave {them} out: {command}"));
    }
}

/// A pause between screens, for people; none on a pipe.
pub(crate) async fn pause(terminal: &Terminal, time: Duration) {
    if terminal.is_watched() {
        tokio::time::sleep(time).await;
    }
}
