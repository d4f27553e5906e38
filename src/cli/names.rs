//! What is named on the command line, and whether it is there.

use std::collections::BTreeSet;

use mctg::binding::Binding;
use mctg::facts::Facts;
use mctg::selection::Selection;
use mctg::view;

use super::args::{Global, Names};
use super::error::{CliError, near_misses};
use super::selector;
use super::terminal::Terminal;

/// Reads NAMEs, `-n` and `-l`.
///
/// # Errors
///
/// A name or a selector that is none.
pub(crate) fn selection(names: &Names, global: &Global) -> Result<Selection, CliError> {
    let labels = match &global.selector {
        Some(text) => selector::parse(text).map_err(CliError::usage)?,
        None => Default::default(),
    };
    Ok(Selection {
        names: Selection::parse_names(&names.names)
            .map_err(|error| CliError::usage(error.to_string()))?,
        namespace: global.namespace.clone(),
        labels,
        all: false,
    })
}

/// Checks that every name matches something that was read.
///
/// Where not everything was read the name may be there, and the report says what is missing.
pub(crate) fn check_names(
    facts: &Facts,
    selection: &Selection,
    complete: bool,
    terminal: &Terminal,
) -> Result<(), CliError> {
    let views = view::groups(facts);
    let bindings =
        || facts.clusters.iter().flat_map(|cluster| cluster.bindings()).map(|facts| &facts.binding);
    let unknown = selection.unmatched(&views).into_iter().find(|query| {
        let alone = Selection { names: vec![(*query).clone()], ..selection.clone() };
        !bindings().any(|binding| alone.chooses_by_name(binding, None))
    });
    let Some(query) = unknown else {
        return Ok(());
    };
    let place = match &selection.namespace {
        Some(namespace) => format!(" in namespace `{namespace}`"),
        None => String::new(),
    };
    let message = format!("nothing that was read is called `{query}`{place}");
    if !complete {
        terminal.note(&format!("warning: {message}; not everything was read"));
        return Ok(());
    }
    let known: BTreeSet<String> = bindings().flat_map(names_of).collect();
    let near = near_misses(&query.name, known.iter().map(String::as_str));
    let error = CliError::usage(message);
    Err(if near.is_empty() {
        error.hint("kubectl mctg status --all lists what there is")
    } else {
        error.hint(format!("did you mean {}?", near.join(", ")))
    })
}

fn names_of(binding: &Binding) -> Vec<String> {
    let owner = binding.owner().map(|owner| owner.name);
    let own = [binding.name.clone(), binding.spec.service_ref.name.clone()];
    own.into_iter().chain(owner).collect()
}
