//! Names and globs to contexts; pure.

use std::collections::BTreeSet;

use globset::Glob;
use mctg::error;

use super::kubeconfig::Source;
use super::{ContextError, ContextOptions, Unread};

/// The most near misses, or contexts, that a hint lists.
const NAMES_SHOWN_MAX: usize = 5;

/// How alike two names must be to be mistaken for each other, from 0 to 1.
const ALIKE: f64 = 0.7;

pub(super) struct Chosen {
    pub(super) reading: Vec<String>,
    pub(super) writing: BTreeSet<String>,
    pub(super) narrowed: bool,
    pub(super) unread: Unread,
}

/// Chooses the contexts of a run (`product.md` 5.1).
///
/// A changing verb observes what a reading verb would read, and always what it writes to; its
/// `--context` therefore narrows nothing. What was declared lost is read too: one that answers is not. `diff` prints what `reconcile` would do, so it chooses as
/// a changing verb does.
///
/// The contexts of `peers` are always read, unless `--context` of a reading verb or `--observe` says
/// otherwise, and never written to.
pub(super) fn choose(
    options: &ContextOptions,
    from_environment: Option<&str>,
    source: &Source,
    peers: Option<&Source>,
) -> Result<Chosen, ContextError> {
    let own = source.names();
    let of_peers: Vec<String> = peers.iter().flat_map(|peers| peers.names()).collect();
    let names: Vec<String> = own.iter().chain(&of_peers).cloned().collect();
    let select = |patterns: &[&str], origin: &str| select(patterns, origin, &names, source);
    let given = split(options.contexts.iter().map(String::as_str));
    let observe = split(options.observe.iter().map(String::as_str));
    let environment = split(from_environment.into_iter());
    let everything = || current_first(names.clone(), source.current());

    let writing = match (options.writes, given.is_empty()) {
        (false, _) => Vec::new(),
        (true, _) if options.all_contexts => current_first(own.clone(), source.current()),
        (true, false) => select_to_write(&given, &own, &of_peers, source)?,
        (true, true) => vec![current(source)?],
    };
    let reading = if options.all_contexts && observe.is_empty() {
        everything()
    } else if options.writes && !observe.is_empty() {
        select(&observe, "")?
    } else if !options.writes && !given.is_empty() {
        select(&given, "")?
    } else if !environment.is_empty() && !matches!(source, Source::Pod(_)) {
        // The variable speaks of the kubeconfig that people use.
        let mut chosen = self::select(&environment, " (from MCTG_CONTEXTS)", &own, source)?;
        chosen.extend(of_peers.iter().cloned());
        current_first(chosen, source.current())
    } else {
        everything()
    };
    let by_flag = !observe.is_empty() || (!options.writes && !given.is_empty());
    let mut all: Vec<String> = writing.clone();
    let lost = lost(options, &names, source)?;
    if let Some(context) = lost.iter().find(|name| writing.contains(name)) {
        return Err(ContextError::WritesToLost { context: error::escape(context) });
    }
    for name in reading.into_iter().chain(lost.iter().cloned()) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    let in_pod = matches!(source, Source::Pod(_));
    let narrowed = in_pod || (by_flag && all.len() < names.len());
    let left_out = names.into_iter().filter(|name| !all.contains(name)).collect();
    let unread = Unread { left_out, lost, in_pod };
    Ok(Chosen { reading: all, writing: writing.into_iter().collect(), narrowed, unread })
}

/// The contexts that were declared gone for good: each by its name, for a glob would take in
/// what nobody thought of.
fn lost(
    options: &ContextOptions,
    names: &[String],
    source: &Source,
) -> Result<BTreeSet<String>, ContextError> {
    // A pod knows no other contexts, and refuses what these are for.
    if matches!(source, Source::Pod(_)) {
        return Ok(BTreeSet::new());
    }
    let unknown = options.lost.iter().find(|name| !names.contains(name));
    match unknown {
        Some(name) => Err(ContextError::Unknown {
            pattern: error::escape(name),
            place: source.place(),
            hint: near_misses(name, names),
        }),
        None => Ok(options.lost.iter().cloned().collect()),
    }
}

/// A peer may be called by its name and is refused; a glob does not mean it.
fn select_to_write(
    patterns: &[&str],
    own: &[String],
    of_peers: &[String],
    source: &Source,
) -> Result<Vec<String>, ContextError> {
    for pattern in patterns {
        if fitting(pattern, own)?.is_empty() && !fitting(pattern, of_peers)?.is_empty() {
            return Err(ContextError::ReadOnly { pattern: error::escape(pattern) });
        }
    }
    select(patterns, "", own, source)
}

fn current(source: &Source) -> Result<String, ContextError> {
    let hint = "choose where to write with `--context NAME`".to_owned();
    match (source.current(), source.current_as_written()) {
        (Some(current), _) => Ok(current.to_owned()),
        (None, Some(written)) => Err(ContextError::Unknown {
            pattern: error::escape(written),
            place: format!("{}, which calls it the current one", source.place()),
            hint,
        }),
        (None, None) => Err(ContextError::Nothing {
            what: format!("{} has no current context", source.place()),
            hint,
        }),
    }
}

fn current_first(mut names: Vec<String>, current: Option<&str>) -> Vec<String> {
    names.sort_by_key(|name| Some(name.as_str()) != current);
    names
}

fn split<'a>(lists: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    lists.flat_map(|list| list.split(',')).map(str::trim).filter(|p| !p.is_empty()).collect()
}

fn select(
    patterns: &[&str],
    origin: &str,
    names: &[String],
    source: &Source,
) -> Result<Vec<String>, ContextError> {
    let mut chosen: Vec<String> = Vec::new();
    for pattern in patterns {
        let fits = fitting(pattern, names)?;
        if fits.is_empty() {
            return Err(ContextError::Unknown {
                pattern: error::escape(pattern),
                place: format!("{}{origin}", source.place()),
                hint: near_misses(pattern, names),
            });
        }
        for name in fits {
            if !chosen.contains(name) {
                chosen.push(name.clone());
            }
        }
    }
    Ok(chosen)
}

/// A name is taken as it is even where it would be a glob: `/`, `[` and `*` may stand in names.
fn fitting<'a>(pattern: &str, names: &'a [String]) -> Result<Vec<&'a String>, ContextError> {
    if let Some(name) = names.iter().find(|name| *name == pattern) {
        return Ok(vec![name]);
    }
    let glob = Glob::new(pattern).map_err(|error| ContextError::InvalidGlob {
        pattern: error::escape(pattern),
        cause: error::escape(&error.kind().to_string()),
    })?;
    let glob = glob.compile_matcher();
    Ok(names.iter().filter(|name| glob.is_match(name.as_str())).collect())
}

fn near_misses(pattern: &str, names: &[String]) -> String {
    let lower = pattern.to_lowercase();
    let mut alike: Vec<(f64, &String)> = names
        .iter()
        .map(|name| {
            let name_lower = name.to_lowercase();
            let contains = name_lower.contains(&lower) || lower.contains(&name_lower);
            let likeness = strsim::jaro_winkler(&name_lower, &lower);
            (if contains { likeness.max(0.9) } else { likeness }, name)
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    let list = |names: &mut dyn Iterator<Item = &String>| {
        names
            .take(NAMES_SHOWN_MAX)
            .map(|n| format!("`{}`", error::escape(n)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if alike.is_empty() {
        let more = names.len().saturating_sub(NAMES_SHOWN_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("there are {}{more}", list(&mut names.iter()))
    } else {
        format!("did you mean {}?", list(&mut alike.into_iter().map(|(_, name)| name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(names: &[&str], current: Option<&str>) -> Source {
        let contexts: Vec<_> = names
            .iter()
            .map(|name| serde_json::json!({"name": name, "context": {"cluster": name}}))
            .collect();
        let config = serde_json::json!({"contexts": contexts, "current-context": current});
        let config = serde_json::from_value(config).unwrap();
        Source::Files { config: Box::new(config), place: "`/k`".to_owned() }
    }

    fn options(writes: bool, contexts: &[&str], observe: &[&str]) -> ContextOptions {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        ContextOptions {
            writes,
            contexts: own(contexts),
            observe: own(observe),
            ..ContextOptions::default()
        }
    }

    /// Writes the reading set, those that are written to in brackets, and `narrowed`.
    fn check(options: &ContextOptions, environment: Option<&str>) -> String {
        let source = source(&["blue", "green", "prod-a", "prod-b"], Some("green"));
        match choose(options, environment, &source, None) {
            Err(error) => format!("{error}; {}", error.hint()),
            Ok(chosen) => {
                let show = |name: &String| match chosen.writing.contains(name) {
                    true => format!("[{name}]"),
                    false => name.clone(),
                };
                let names: Vec<_> = chosen.reading.iter().map(show).collect();
                format!("{}{}", names.join(" "), if chosen.narrowed { " narrowed" } else { "" })
            }
        }
    }

    #[test]
    fn a_reading_verb_reads_every_context_the_current_one_first() {
        assert_eq!(check(&options(false, &[], &[]), None), "green blue prod-a prod-b");
    }

    #[test]
    fn contexts_given_to_a_reading_verb_narrow_what_is_read() {
        assert_eq!(
            check(&options(false, &["prod-*,blue"], &[]), None),
            "prod-a prod-b blue narrowed"
        );
        assert_eq!(check(&options(false, &["*"], &[]), None), "blue green prod-a prod-b");
        let given = options(false, &["blue"], &[]);
        assert_eq!(check(&given, Some("prod-*")), "blue narrowed");
    }

    #[test]
    fn the_environment_says_which_contexts_belong_together() {
        assert_eq!(check(&options(false, &[], &[]), Some("prod-*, green")), "green prod-a prod-b");
        let all = ContextOptions { all_contexts: true, ..options(false, &[], &[]) };
        assert_eq!(check(&all, Some("prod-*")), "green blue prod-a prod-b");
    }

    #[test]
    fn a_changing_verb_writes_to_one_and_observes_all() {
        assert_eq!(check(&options(true, &[], &[]), None), "[green] blue prod-a prod-b");
        assert_eq!(check(&options(true, &["prod-b"], &[]), None), "[prod-b] green blue prod-a");
        assert_eq!(check(&options(true, &["prod-b"], &[]), Some("prod-*")), "[prod-b] prod-a");
        assert_eq!(check(&options(true, &["blue"], &["prod-a"]), None), "[blue] prod-a narrowed");
        let all = ContextOptions { all_contexts: true, ..options(true, &[], &[]) };
        assert_eq!(check(&all, None), "[green] [blue] [prod-a] [prod-b]");
    }

    #[test]
    fn an_unknown_name_is_an_error_with_near_misses() {
        assert_eq!(
            check(&options(false, &["gren"], &[]), None),
            "no context `gren` in kubeconfig `/k`; did you mean `green`?"
        );
        assert_eq!(
            check(&options(false, &[], &[]), Some("prd-a")),
            "no context `prd-a` in kubeconfig `/k` (from MCTG_CONTEXTS); did you mean `prod-a`, `prod-b`?"
        );
        assert_eq!(
            check(&options(false, &["zzz*"], &[]), None),
            "no context `zzz*` in kubeconfig `/k`; there are `blue`, `green`, `prod-a`, `prod-b`"
        );
        assert!(check(&options(false, &["[a"], &[]), None).starts_with("`[a` is no valid glob: "));
    }

    #[test]
    fn a_glob_spans_the_slashes_of_an_arn() {
        let arn = "arn:aws:eks:us-east-1:111122223333:cluster/blue";
        let names = [arn.to_owned()];
        assert_eq!(fitting("*blue", &names).unwrap(), [arn]);
        assert_eq!(fitting(arn, &names).unwrap(), [arn]);
    }

    /// Writes the reading set, what was left out and what was declared lost.
    fn unread(options: &ContextOptions, lost: &[&str], environment: Option<&str>) -> String {
        let lost = lost.iter().map(|name| (*name).to_owned()).collect();
        let options = ContextOptions { lost, ..options.clone() };
        let source = source(&["blue", "green", "prod-a", "prod-b"], Some("green"));
        match choose(&options, environment, &source, None) {
            Err(error) => format!("{error}; {}", error.hint()),
            Ok(chosen) => {
                let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
                let unread = &chosen.unread;
                let (left_out, lost) = (list(&unread.left_out), list(&unread.lost));
                let reading = chosen.reading.join(" ");
                format!("{reading} / {} / {}", left_out.join(" "), lost.join(" "))
            }
        }
    }

    #[test]
    fn what_is_not_read_is_known_however_it_was_left_out() {
        let writes = |observe: &[&str]| options(true, &["green"], observe);
        assert_eq!(unread(&writes(&[]), &[], None), "green blue prod-a prod-b /  / ");
        assert_eq!(unread(&writes(&["blue"]), &[], None), "green blue / prod-a prod-b / ");
        assert_eq!(unread(&writes(&[]), &[], Some("blue")), "green blue / prod-a prod-b / ");
        assert_eq!(unread(&writes(&["*"]), &[], Some("blue")), "green blue prod-a prod-b /  / ");
    }

    #[test]
    fn what_was_declared_lost_is_asked_and_counts_as_read() {
        let writes = options(true, &["green"], &[]);
        assert_eq!(unread(&writes, &["prod-a"], None), "green blue prod-a prod-b /  / prod-a");
        assert_eq!(
            unread(&writes, &["prod-a", "prod-b"], Some("blue")),
            "green blue prod-a prod-b /  / prod-a prod-b"
        );
        assert_eq!(
            unread(&writes, &["prod-*"], None),
            "no context `prod-*` in kubeconfig `/k`; did you mean `prod-a`, `prod-b`?"
        );
        assert_eq!(
            unread(&writes, &["green"], None),
            "context `green` cannot be written to and be lost; choose where to write with \
             `--context NAME`; by default it is the current context"
        );
    }

    #[test]
    fn without_a_current_context_a_changing_verb_asks_for_one() {
        for (current, expected) in [
            (None, "kubeconfig `/k` has no current context"),
            (Some("gone"), "no context `gone` in kubeconfig `/k`, which calls it the current one"),
        ] {
            let chosen = choose(&options(true, &[], &[]), None, &source(&["a"], current), None);
            let error = chosen.err().unwrap();
            assert!(error.is_usage());
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn peers_are_read_and_never_written_to() {
        let (own, peers) = (source(&["blue"], Some("blue")), source(&["green", "red"], None));
        let check = |options: &ContextOptions, environment| {
            choose(options, environment, &own, Some(&peers))
                .map(|chosen| (chosen.reading.join(" "), chosen.writing, chosen.narrowed))
        };
        let blue = || BTreeSet::from(["blue".to_owned()]);
        let all = "blue green red".to_owned();
        let everything = ContextOptions { all_contexts: true, ..options(true, &[], &[]) };
        for options in [options(true, &[], &[]), options(true, &["*"], &[]), everything] {
            assert_eq!(check(&options, None).unwrap(), (all.clone(), blue(), false));
        }
        assert_eq!(check(&options(true, &[], &[]), Some("bl*")).unwrap().0, all);
        assert_eq!(
            check(&options(true, &[], &["red"]), None).unwrap(),
            ("blue red".to_owned(), blue(), true)
        );
        assert_eq!(check(&options(false, &["green"], &[]), None).unwrap().0, "green");
        for pattern in ["green", "r*"] {
            let refused = check(&options(true, &[pattern], &[]), None).unwrap_err();
            assert!(refused.is_usage());
            assert_eq!(
                refused.to_string(),
                format!("`{pattern}` is a context of --peers-kubeconfig, and those are only read")
            );
        }
    }
}
