//! `check`: can sharing work here?

use mctg::check::{self, Options};
use mctg::cluster::Cluster;
use mctg::elbv2::LoadBalancers;
use tokio::time::Instant;

use super::args::{CheckArgs, Global, Output};
use super::error::CliError;
use super::exit::{self, Exit};
use super::render::{self, document};
use super::run::{World, mark_demo, on_demo, tell_incompleteness, thresholds};
use super::terminal::Terminal;

/// Runs `check`.
///
/// # Errors
///
/// Flags that make no sense for it.
pub(crate) async fn check<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    args: &CheckArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if global.selector.is_some() {
        return Err(CliError::usage("-l chooses bindings, and check is about whole clusters")
            .hint("-n chooses the namespace whose bindings matter"));
    }
    let thresholds = thresholds(global)?;
    let options = Options {
        pre: args.pre,
        service_account: args.service_account.clone(),
        namespace: global.namespace.clone(),
    };
    let started = Instant::now();
    let mut report =
        check::check(world.clusters, world.load_balancers, &options, world.clock).await;
    mark_demo(world.demo, &mut report.demo, &mut report.findings);
    if world.demo {
        report.results.iter_mut().filter_map(|it| it.hint.as_mut()).for_each(on_demo);
    }
    report.findings.retain(|finding| !thresholds.ignores(finding));
    let exit = exit::of_findings(report.complete, &report.findings, &thresholds);
    let run = render::check::Run {
        took: Some(started.elapsed()),
        exit,
        all: global.verbose > 0 || global.output == Output::Wide,
        ignores: &|code| thresholds.ignores_code(code),
    };
    terminal.print(false, |look, out| match global.output {
        Output::Table | Output::Wide => render::check::write(&report, &run, look, out),
        Output::Json => document::json(&report, out),
        Output::Yaml => document::yaml(&report, out),
        Output::Jsonl => document::check_lines(&report, out),
    })?;
    let (contexts, findings) = (&report.contexts, &report.findings);
    tell_incompleteness(world, contexts, findings, global.output, false, terminal);
    Ok(exit)
}
