//! `unbind`: takes bindings out of their target groups.

use std::io::{ErrorKind, Read, Write as _};
use std::path::Path;

use mctg::change::Planned;
use mctg::cluster::Cluster;
use mctg::elbv2::LoadBalancers;
use mctg::error::escape;
use mctg::findings::quoted;
use mctg::selection::Selection;
use mctg::unbind::lost::{self, Known, Lost};
use mctg::unbind::{self, Unbind};
use serde_json::Value;

use super::args::{Global, LostArgs, Names, UnbindArgs};
use super::change::{carry_out, carry_out_after, only_context};
use super::error::CliError;
use super::exit::Exit;
use super::names::selection;
use super::prune;
use super::render::document;
use super::run::World;
use super::terminal::Terminal;

/// The file name that means stdout or stdin.
const DASH: &str = "-";

/// Runs `unbind`.
///
/// # Errors
///
/// What was asked for makes no sense or is not there, or nothing may be changed.
pub(crate) async fn unbind<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    args: &UnbindArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let context = only_context(world)?;
    if let Some(gone) = &args.lost.lost {
        return lost(world, context, gone, args, global, terminal).await;
    }
    if args.names.is_empty() && !args.all && global.selector.is_none() {
        return Err(CliError::usage("unbind needs the NAME of a binding or Service")
            .hint("-l chooses by label, and --all means every binding of the namespace"));
    }
    let names = Names { names: args.names.clone() };
    let verb = Unbind {
        selection: Selection {
            namespace: namespace(world, &context, global),
            all: true,
            ..selection(&names, global)?
        },
        allow_empty: args.allow_empty,
        narrowed: world.narrowed,
        left_out: world.unread.left_out.clone(),
        undo: args.save.as_deref().and_then(|file| undo(file, &context)),
        context,
    };
    let patience = |planned: &Planned| unbind::patience(&planned.items);
    let save = |planned: &Planned| match &args.save {
        Some(file) => unbind::saved(&planned.items).map_or(Ok(()), |it| save(&it, file, terminal)),
        None => Ok(()),
    };
    carry_out_after(world, &verb, &args.change, patience, save, global, terminal).await
}

/// The namespace of a verb that changes something: as kubectl's, the context's own where none is given.
fn namespace<C: Cluster, L>(
    world: &World<'_, C, L>,
    context: &str,
    global: &Global,
) -> Option<String> {
    if global.all_namespaces {
        return None;
    }
    let own = || {
        let cluster = world.clusters.iter().find(|cluster| cluster.context() == context)?;
        Some(cluster.default_namespace().to_owned())
    };
    global.namespace.clone().or_else(own)
}

fn undo(file: &Path, context: &str) -> Option<String> {
    let file = file.to_str().filter(|file| *file != DASH)?;
    Some(format!("kubectl apply -f {} --context {}", quoted(file), quoted(context)))
}

/// Keeps what brings the bindings back. A file that holds something else is never written over.
fn save(manifest: &Value, file: &Path, terminal: &Terminal) -> Result<(), CliError> {
    let mut text = Vec::new();
    document::yaml(manifest, &mut text)
        .map_err(|error| CliError::because("the bindings could not be written as YAML", &error))?;
    if file.as_os_str() == DASH {
        return terminal.print(false, |_, out| out.write_all(&text)).map(|_| ());
    }
    let shown = escape(&file.display().to_string());
    let failed = |error| {
        CliError::because(format!("nothing was changed: `{shown}` could not be written"), &error)
    };
    match std::fs::OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(mut new) => {
            new.write_all(&text).and_then(|()| new.sync_all()).map_err(failed)?;
            terminal.note(&format!("saved to {shown}"));
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            match std::fs::read(file).map_err(failed)? == text {
                true => Ok(()),
                false => Err(CliError::usage(format!(
                    "nothing was changed: `{shown}` is there and holds something else"
                ))
                .hint("give --save another name, or remove the file")),
            }
        }
        Err(error) => Err(failed(error)),
    }
}

/// Runs `unbind --lost`.
async fn lost<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    context: String,
    gone: &str,
    args: &UnbindArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    prune::all_are_read("--lost", &world.unread)?;
    prune::check_lost(world.clusters, &world.unread.lost).await?;
    let verb = Lost {
        context,
        lost: gone.to_owned(),
        known: known(&args.lost, &args.names, gone)?,
        allow_empty: args.allow_empty,
        narrowed: world.narrowed,
    };
    let patience = |planned: &Planned| unbind::patience(&planned.items);
    carry_out(world, &verb, &args.change, patience, global, terminal).await
}

/// What the lost cluster is known to have had.
fn known(args: &LostArgs, names: &[String], gone: &str) -> Result<Known, CliError> {
    let mut arns = Vec::new();
    for arn in &args.target_group_arn {
        arns.push(arn.parse().map_err(|_| {
            CliError::usage(format!("`{}` is no ARN of a target group", escape(arn)))
        })?);
    }
    let Some(file) = &args.known_from else {
        return lost::named(&arns, names).map_err(CliError::from);
    };
    let shown = escape(&file.display().to_string());
    let mut text = String::new();
    let read = match file.as_os_str() == DASH {
        true => std::io::stdin().read_to_string(&mut text).map(|_| ()),
        false => std::fs::read_to_string(file).map(|read| text = read),
    };
    read.map_err(|error| CliError::because(format!("failed to read `{shown}`"), &error))?;
    lost::known_from(&text, gone, &arns).map_err(|mut mistake| {
        mistake.message = format!("{shown}: {}", mistake.message);
        CliError::from(mistake)
    })
}
