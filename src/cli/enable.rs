//! `enable` and `disable`: what is named, and a manifest in place of a cluster.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use mctg::change::Verb;
use mctg::cluster::Cluster;
use mctg::elbv2::LoadBalancers;
use mctg::enable::{self, Asked, Disable, Enable, Request};
use mctg::error::{chain, escape};
use serde_json::Value;

use super::args::{DisableArgs, EnableArgs, Global, Output, SwitchArgs};
use super::change;
use super::error::CliError;
use super::exit::Exit;
use super::render::document;
use super::run::World;
use super::selector;
use super::terminal::Terminal;

/// How long it waits where `--timeout` does not say (`product.md` 5.2).
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Runs `enable`.
///
/// # Errors
///
/// What was asked for is not there, or nothing may be changed.
pub(crate) async fn enable<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    args: &EnableArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let protect = Some(args.deletion_protection);
    let verb = Enable::new(request(world, &args.switch, protect, global)?);
    carry_out(world, &verb, &args.switch, global, terminal).await
}

/// Runs `disable`.
///
/// # Errors
///
/// What was asked for is not there, or nothing may be changed.
pub(crate) async fn disable<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    args: &DisableArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let verb = Disable::new(request(world, &args.switch, args.deletion_protection, global)?);
    carry_out(world, &verb, &args.switch, global, terminal).await
}

async fn carry_out<C: Cluster, L: LoadBalancers, V: Verb>(
    world: &World<'_, C, L>,
    verb: &V,
    args: &SwitchArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    change::carry_out(world, verb, &args.change, |_| PATIENCE, global, terminal).await
}

fn request<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    args: &SwitchArgs,
    protect: Option<bool>,
    global: &Global,
) -> Result<Request, CliError> {
    let context = change::only_context(world)?;
    let names = names(args)?;
    if names.is_empty() && global.selector.is_none() && !global.all_namespaces {
        return Err(CliError::usage("nothing is named")
            .hint("name it as in svc/web, or take all with -A, a TYPE or -l SELECTOR"));
    }
    let acting = world.clusters.iter().find(|cluster| cluster.context() == context);
    let default = || acting.map_or("default", Cluster::default_namespace).to_owned();
    let namespace = global.namespace.clone().unwrap_or_else(default);
    let labels = match &global.selector {
        Some(text) => selector::parse(text).map_err(CliError::usage)?,
        None => Default::default(),
    };
    Ok(Request {
        context,
        names,
        namespace: (!global.all_namespaces).then_some(namespace),
        labels,
        protect,
        force_conflicts: args.force_conflicts,
        narrowed: world.narrowed,
        left_out: world.unread.left_out.clone(),
    })
}

fn names(args: &SwitchArgs) -> Result<Vec<Asked>, CliError> {
    Asked::parse(&args.names).map_err(|error| CliError::usage(error.to_string()))
}

/// Edits a manifest and prints it; no cluster is asked.
///
/// # Errors
///
/// The manifest cannot be read or has nothing to edit.
pub(crate) fn local(
    args: &SwitchArgs,
    on: bool,
    protect: bool,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let path = args.filename.as_deref().unwrap_or(Path::new("-"));
    let (text, place) = read(path)?;
    let mut documents = parse(&text)
        .map_err(|why| CliError::usage(format!("{place} is no manifest: {}", escape(&why))))?;
    let namespace = global.namespace.as_deref();
    enable::edit(&mut documents, &names(args)?, namespace, on, protect)
        .map_err(|error| CliError::usage(format!("{place}: {}", chain(&error))))?;
    terminal.print(false, |_, out| match (global.output, documents.as_slice()) {
        (Output::Json | Output::Jsonl, [only]) => document::json(only, out),
        (Output::Json | Output::Jsonl, all) => {
            let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": all});
            document::json(&list, out)
        }
        _ => {
            for (index, it) in documents.iter().enumerate() {
                if index > 0 {
                    writeln!(out, "---")?;
                }
                document::yaml(it, out)?;
            }
            Ok(())
        }
    })
}

fn read(path: &Path) -> Result<(String, String), CliError> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| CliError::because("failed to read stdin", &error))?;
        return Ok((text, "stdin".to_owned()));
    }
    let place = escape(&path.display().to_string());
    let text = std::fs::read_to_string(path).map_err(|error| {
        let mut told = CliError::because(format!("failed to read `{place}`"), &error);
        told.exit = Exit::Usage;
        told
    })?;
    Ok((text, format!("`{place}`")))
}

/// Reads the documents of a file: YAML, of which JSON is a part.
fn parse(text: &str) -> Result<Vec<Value>, String> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    Ok(all.into_iter().filter(|it| !it.is_null()).collect())
}
