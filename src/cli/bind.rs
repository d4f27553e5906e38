//! `bind`: what is named, and manifests in place of a plan.

use std::collections::BTreeSet;
use std::time::Duration;

use mctg::bind::{Bind, Groups, OldLedger, Request, Services, Sources};
use mctg::binding::Peer;
use mctg::change::{Item, Verb, Verdict};
use mctg::cluster::Cluster;
use mctg::elbv2::{LoadBalancers, Role};
use mctg::error::escape;
use mctg::selection::{QueryKind, Selection};
use serde_json::{Value, json};

use super::args::{BindArgs, Global, Output, Rehearsal};
use super::change::{carry_out, only_context};
use super::error::{CliError, near_misses};
use super::exit::Exit;
use super::render::document;
use super::run::World;
use super::selector;
use super::terminal::Terminal;

/// How long it waits where `--timeout` does not say (`product.md` 5.2).
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Runs `bind`.
///
/// # Errors
///
/// What was asked for makes no sense or is not there, or nothing may be changed.
pub(crate) async fn bind<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    args: &BindArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let verb = Bind::new(request(world, args, global)?);
    let as_manifests = matches!(global.output, Output::Json | Output::Yaml);
    if args.change.dry_run == Rehearsal::Client && as_manifests {
        return manifests(world, &verb, global.output, terminal).await;
    }
    carry_out(world, &verb, &args.change, |_| PATIENCE, global, terminal).await
}

fn request<C: Cluster, L>(
    world: &World<'_, C, L>,
    args: &BindArgs,
    global: &Global,
) -> Result<Request, CliError> {
    let context = only_context(world)?;
    let groups = match &args.from {
        Some(from) => Groups::From(known(world, from)?),
        None => Groups::Arns(args.target_group_arn.iter().cloned().collect()),
    };
    let peers = args.sources.source_security_group.iter().map(|id| Peer::security_group(id));
    let peers: Vec<Peer> =
        peers.chain(args.sources.source_cidr.iter().map(|block| Peer::cidr(block))).collect();
    Ok(Request {
        services: services(world, &context, args, global)?,
        groups,
        port: args.port.clone(),
        name: args.name.clone(),
        sources: match () {
            () if args.sources.no_networking => Sources::Unmanaged,
            () if peers.is_empty() => Sources::Found,
            () => Sources::Given(peers),
        },
        role: args
            .role
            .assume_role_arn
            .as_ref()
            .map(|arn| Role { arn: arn.clone(), external_id: args.role.external_id.clone() }),
        ledger: match () {
            () if args.ledger.adopt_ledger => OldLedger::Adopted,
            () if args.ledger.discard_ledger => OldLedger::Discarded,
            () => OldLedger::Refused,
        },
        narrowed: world.narrowed,
        left_out: world.unread.left_out.clone(),
        context,
    })
}

/// A context that is read.
fn known<C: Cluster, L>(world: &World<'_, C, L>, from: &str) -> Result<String, CliError> {
    if world.clusters.iter().any(|cluster| cluster.context() == from) {
        return Ok(from.to_owned());
    }
    let near = near_misses(from, world.clusters.iter().map(Cluster::context));
    let error = CliError::usage(format!("--from {from}: no context of that name is read"));
    Err(if near.is_empty() {
        error.hint("--observe and MCTG_CONTEXTS say which contexts are read")
    } else {
        error.hint(format!("did you mean {}?", near.join(", ")))
    })
}

/// The Services that are named, or those that labels or a namespace choose.
fn services<C: Cluster, L>(
    world: &World<'_, C, L>,
    context: &str,
    args: &BindArgs,
    global: &Global,
) -> Result<Services, CliError> {
    let usage = |text: &str| CliError::usage(text.to_owned());
    let own = world.clusters.iter().find(|cluster| cluster.context() == context);
    let own = own.map(|cluster| cluster.default_namespace().to_owned());
    let namespace = global.namespace.clone().or(own).unwrap_or_else(|| "default".to_owned());
    let mut names = BTreeSet::new();
    let words =
        Selection::parse_names(&args.names).map_err(|error| CliError::usage(error.to_string()))?;
    for query in words {
        if !matches!(query.kind, None | Some(QueryKind::Service)) {
            return Err(CliError::usage(format!("bind joins Services, and `{query}` is none")));
        }
        names.insert((namespace.clone(), query.name));
    }
    for name in &args.service {
        let name = name.strip_prefix("svc/").unwrap_or(name);
        names.insert((namespace.clone(), name.to_owned()));
    }
    if !names.is_empty() {
        if global.all_namespaces || global.selector.is_some() {
            return Err(usage("a NAME says which Service; -A and -l choose among all of them"));
        }
        return Ok(Services::Named(names));
    }
    if !global.all_namespaces && global.selector.is_none() {
        return Err(usage("bind needs the NAME of a Service").hint(
            "with --from, -A means every Service that both clusters have, and -l chooses by label",
        ));
    }
    if args.from.is_none() {
        return Err(usage("a target group is joined by one Service: name it"));
    }
    let labels = match &global.selector {
        Some(text) => selector::parse(text).map_err(CliError::usage)?,
        None => mctg::binding::LabelSelector::default(),
    };
    let namespace = (!global.all_namespaces).then_some(namespace);
    Ok(Services::Chosen { namespace, labels })
}

/// Prints the manifests that would be applied, and nothing else on stdout.
async fn manifests<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    verb: &Bind,
    output: Output,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let read = verb.observe(world.clusters, world.load_balancers, &|| (world.clock)(), false).await;
    if world.stop.is_asked() {
        return Ok(Exit::Interrupted);
    }
    let items = verb.plan(&read, Duration::ZERO)?;
    let refused: Vec<&Item> =
        items.iter().filter(|item| item.refusals().next().is_some()).collect();
    for item in &refused {
        tell(item, terminal);
    }
    let mut manifests: Vec<Value> =
        verb.manifests(&read).iter().map(mctg::change::Manifest::to_value).collect();
    let document = match manifests.len() {
        0 => None,
        1 => manifests.pop(),
        _ => Some(json!({"apiVersion": "v1", "kind": "List", "items": manifests})),
    };
    if let Some(document) = document {
        terminal.print(false, |_, out| match output {
            Output::Json => document::json(&document, out),
            _ => document::yaml(&document, out),
        })?;
    }
    let is_unknown = |item: &&Item| item.checks.iter().any(|it| it.verdict == Verdict::Unknown);
    Ok(match () {
        () if refused.iter().any(is_unknown) => Exit::Incomplete,
        () if !refused.is_empty() => Exit::Found,
        () => Exit::Fine,
    })
}

/// Says on stderr why there is no manifest.
fn tell(item: &Item, terminal: &Terminal) {
    for check in item.refusals() {
        let title = match check.code {
            Some(code) => format!("{code} {}", check.name),
            None => check.name.to_owned(),
        };
        terminal.note(&format!(
            "error: {}: {title}: {}",
            escape(&item.name),
            escape(&check.message)
        ));
        if let Some(hint) = &check.hint {
            terminal.note(&format!("hint: {}", escape(hint)));
        }
    }
}
