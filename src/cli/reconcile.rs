//! `diff` and `reconcile`: the plan that is shown, asked about, and carried out.

use std::sync::Mutex;

use mctg::apply::Progress;
use mctg::binding::BindingRef;
use mctg::cluster::Cluster;
use mctg::elbv2::LoadBalancers;
use mctg::plan::Request;
use mctg::reconcile::{self, Options, Reconciler, Wait};
use mctg::report::Reconcile;
use tokio::time::Instant;

use super::args::{DiffArgs, DryRun, Global, Names, Output, PlanArgs, ReconcileArgs};
use super::error::CliError;
use super::exit::{self, Exit};
use super::names::{check_names, selection};
use super::prune;
use super::render::{self, document};
use super::run::{World, mark_demo, tell_incompleteness};
use super::terminal::Terminal;

/// Runs `diff`.
///
/// # Errors
///
/// What was asked for is not there.
pub(super) async fn diff<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    args: &DiffArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let request = request(world, &args.names, &args.plan, global)?;
    prune::check_lost(world.clusters, &world.unread.lost).await?;
    plan_only(world, request, global, terminal, exit::of_diff).await
}

/// Runs `reconcile`.
///
/// # Errors
///
/// What was asked for is not there, or nothing may be changed.
pub(super) async fn reconcile<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    args: &ReconcileArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let mut request = request(world, &args.names, &args.plan, global)?;
    if args.dry_run == DryRun::Client {
        prune::check_lost(world.clusters, &world.unread.lost).await?;
        return plan_only(world, request, global, terminal, exit::of_reconcile).await;
    }
    if terminal.is_read_only() && !world.demo {
        return Err(CliError::refused("nothing was changed: MCTG_READ_ONLY is set")
            .hint("--dry-run shows the plan"));
    }
    prune::check_lost(world.clusters, &world.unread.lost).await?;
    let asks = !args.yes && terminal.can_ask();
    request.may_deregister = args.yes || asks;
    let options = Options {
        wait: args.wait.then(|| args.timeout.map_or_else(Wait::default, Wait::up_to)),
        events: args.events.unwrap_or(world.in_cluster),
        ..options(world, &request)
    };
    let text = matches!(global.output, Output::Table | Output::Wide);
    let wide = global.output == Output::Wide;
    let started = Instant::now();
    let reconciler =
        Reconciler::new(world.clusters, world.load_balancers, world.clock).options(options);

    // A plan that takes something out is shown before anybody is asked about it. Names are checked
    // on the way: a run of a name that is not there is a mistake, not a success.
    let mut was_shown = false;
    let approved = if asks || !request.selection.names.is_empty() {
        let planned = reconciler.plan().await;
        let complete = planned.report(&request).complete;
        check_names(&planned.facts, &request.selection, complete, terminal)?;
        // Whoever stops a run has no question left: what was left undone is reported.
        let asks = asks && !world.stop.is_asked();
        let goes = planned.plan.deregisters();
        if asks && goes {
            was_shown = true;
            let mut report = planned.report(&request);
            mark_demo(world.demo, &mut report.demo, &mut report.findings);
            let shown = |look: &render::Look, out: &mut dyn std::io::Write| {
                render::reconcile::plan(&report, &writing(world), look, out)
            };
            if text {
                terminal.print(wide, shown)?
            } else {
                terminal.print_err(wide, shown)
            };
            tokio::select! {
                said_yes = terminal.ask("Do this?") => if !said_yes {
                    return Err(CliError::usage("declined: nothing was changed"));
                },
                () = world.stop.asked() => {}
            }
        }
        // Where somebody can be asked, nothing goes that they were not shown.
        asks.then_some(planned.plan)
    } else {
        None
    };

    let contexts: Vec<&str> = world.clusters.iter().map(Cluster::context).collect();
    let names = render::Names::of_contexts(&contexts);
    let shown = Mutex::new(was_shown);
    let waiting = Mutex::new(String::new());
    let tell_waiting = |text: String| {
        let mut last = waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if *last != text {
            terminal.note(&render::reconcile::progress_line(started.elapsed(), &text));
        }
        *last = text;
    };
    let listener = |progress: Progress<'_>| {
        (world.watch)(&progress);
        match progress {
            Progress::Planned(facts, plan) => {
                let mut shown = shown.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                if text && !*shown {
                    let mut report = reconcile::describe(facts, plan, &request);
                    (report.demo, report.dry_run) = (world.demo, false);
                    // A reader that went away misses the plan; what is done goes on.
                    let _ = terminal.print(wide, |look, out| {
                        render::reconcile::plan(&report, &writing(world), look, out)
                    });
                }
                *shown = true;
            }
            Progress::Step(binding, step) => {
                let line =
                    render::reconcile::step_line(started.elapsed(), &place(binding, &names), step);
                terminal.note(&line);
            }
            Progress::GroupStep(arn, step) => {
                let place = format!("{} of {}", render::unclaimed::WHOSE, arn.name());
                terminal.note(&render::reconcile::step_line(started.elapsed(), &place, step));
            }
            Progress::Nudged(open) => tell_waiting(render::reconcile::waiting_for_controller(open)),
            Progress::Waiting(targets) => {
                tell_waiting(render::reconcile::waiting_for_health(targets));
            }
            Progress::EventLost(event, silence) => {
                let place = place(&event.binding, &names);
                let line = format!("warning: no event `{}` on {place}: {silence}", event.reason);
                terminal.note(&mctg::error::escape(&line));
            }
            // Nobody is kept waiting for what there are no words for yet.
            _ => {}
        }
    };
    let mut report = reconciler.run(approved.as_ref(), &listener).await;
    mark_demo(world.demo, &mut report.demo, &mut report.findings);
    let exit = exit::of_reconcile(&report);
    terminal.print(wide, |look, out| match global.output {
        Output::Table | Output::Wide => {
            render::reconcile::closing(&report, started.elapsed(), exit, look, out)
        }
        _ => reconcile_document(&report, global.output, out),
    })?;
    tell_unread(world, &report, global.output, terminal);
    Ok(exit)
}

async fn plan_only<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    request: Request,
    global: &Global,
    terminal: &Terminal,
    exit: fn(&Reconcile) -> Exit,
) -> Result<Exit, CliError> {
    // Nothing is changed here, so that nobody has to say yes to see all of it.
    let request = Request { may_deregister: true, ..request };
    let options = options(world, &request);
    let planned = Reconciler::new(world.clusters, world.load_balancers, world.clock)
        .options(options)
        .plan()
        .await;
    let mut report = planned.report(&request);
    mark_demo(world.demo, &mut report.demo, &mut report.findings);
    check_names(&planned.facts, &request.selection, report.complete, terminal)?;
    let exit = exit(&report);
    let wide = global.output == Output::Wide;
    terminal.print(wide, |look, out| match global.output {
        Output::Table | Output::Wide => {
            render::reconcile::plan(&report, &writing(world), look, out)?;
            render::reconcile::summary(&report, exit, look, out)
        }
        _ => reconcile_document(&report, global.output, out),
    })?;
    tell_unread(world, &report, global.output, terminal);
    Ok(exit)
}

/// Says on stderr what a plan or a run did without.
fn tell_unread<C, L>(
    world: &World<'_, C, L>,
    report: &Reconcile,
    output: Output,
    terminal: &Terminal,
) {
    let (contexts, findings, prunes) =
        (&report.contexts, &report.findings, report.unclaimed.is_some());
    tell_incompleteness(world, contexts, findings, output, prunes, terminal);
}

fn reconcile_document(
    report: &Reconcile,
    output: Output,
    out: &mut dyn std::io::Write,
) -> std::io::Result<()> {
    match output {
        Output::Yaml => document::yaml(report, out),
        Output::Jsonl => document::reconcile_lines(report, out),
        Output::Json | Output::Table | Output::Wide => document::json(report, out),
    }
}

fn writing<C, L>(world: &World<'_, C, L>) -> Vec<String> {
    world.writing.iter().cloned().collect()
}

fn place(binding: &BindingRef, names: &render::Names) -> String {
    format!("{} {}/{}", names.get(&binding.context), binding.namespace, binding.name)
}

fn request<C, L>(
    world: &World<'_, C, L>,
    names: &Names,
    args: &PlanArgs,
    global: &Global,
) -> Result<Request, CliError> {
    Ok(Request {
        contexts: world.writing.clone(),
        selection: selection(names, global)?,
        only: None,
        via: args.via.into(),
        force: args.force,
        allow_empty: args.allow_empty,
        max_deregister: args.max_deregister,
        may_deregister: false,
        prune: prune::choose(&args.prune, &world.unread)?,
    })
}

/// How to reconcile in this world; nothing is waited for.
fn options<C, L>(world: &World<'_, C, L>, request: &Request) -> Options {
    Options {
        request: request.clone(),
        narrowed: world.narrowed,
        left_out: world.unread.left_out.clone(),
        lost: world.unread.lost.clone(),
        stop: world.stop.clone(),
        ..Options::default()
    }
}
