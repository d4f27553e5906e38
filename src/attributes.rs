//! Load balancer attributes as annotations write them: a comma list of `key=value`. Pure.
//!
//! Read as the controller reads them (LBC 3.5, `pkg/annotations/parser.go`), and changed without
//! touching a byte of what else is there.

use std::collections::BTreeMap;

/// The attribute that keeps a load balancer from being deleted.
pub const DELETION_PROTECTION: &str = "deletion_protection.enabled";

/// The annotation of a Service that sets attributes of its load balancer.
pub const SERVICE_ANNOTATION: &str = "service.beta.kubernetes.io/aws-load-balancer-attributes";

/// The annotation of an Ingress that sets attributes of its load balancer.
pub const INGRESS_ANNOTATION: &str = "alb.ingress.kubernetes.io/load-balancer-attributes";

/// The text is no list of attributes: the controller refuses it too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` is no `key=value`")]
pub struct InvalidAttributes {
    /// The first entry that could not be read.
    pub entry: String,
}

/// One entry, and where it stands in the text.
#[derive(Debug)]
struct Entry {
    text: String,
    start: usize,
    end: usize,
}

/// Reads a list; a key that comes twice has its last value.
///
/// # Errors
///
/// Returns the first entry that is no `key=value`.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, InvalidAttributes> {
    let entries = entries(text);
    let pairs: Result<Vec<_>, _> = entries.iter().map(pair).collect();
    Ok(pairs?.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

/// Sets one attribute, and leaves every other byte of the list as it is.
///
/// An attribute that has the value already changes nothing; one that comes several times is changed
/// where it comes last, which is what counts.
///
/// # Errors
///
/// Returns the first entry that is no `key=value`: such a list is not to be written to.
pub fn set(text: &str, key: &str, value: &str) -> Result<String, InvalidAttributes> {
    let entries = entries(text);
    let mut last = None;
    for entry in &entries {
        let (name, current) = pair(entry)?;
        if name == key {
            last = Some((entry, current.to_owned()));
        }
    }
    let pair = format!("{}={}", escape(key), escape(value));
    Ok(match last {
        Some((_, current)) if current == value => text.to_owned(),
        Some((entry, _)) => format!("{}{pair}{}", &text[..entry.start], &text[entry.end..]),
        // Put first, nothing that ends the list can swallow it.
        None if text.is_empty() => pair,
        None => format!("{pair},{text}"),
    })
}

/// Says whether a list turns deletion protection on; the controller reads the value as Go does.
///
/// # Errors
///
/// Returns the first entry that is no `key=value`.
pub fn is_protected(text: &str) -> Result<bool, InvalidAttributes> {
    let value = parse(text)?.remove(DELETION_PROTECTION);
    Ok(value.is_some_and(|value| crate::flag::parse_bool(&value) == Some(true)))
}

fn pair(entry: &Entry) -> Result<(&str, &str), InvalidAttributes> {
    let invalid = || InvalidAttributes { entry: entry.text.clone() };
    let (key, value) = entry.text.split_once('=').ok_or_else(invalid)?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() { Err(invalid()) } else { Ok((key, value)) }
}

/// Splits a list as the controller does: a backslash takes the next character as it is, and a comma
/// ends an entry only where anything follows; a comma that ends the list belongs to the last value.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let (mut current, mut start) = (String::new(), 0);
    let push = |entries: &mut Vec<Entry>, current: &mut String, start: usize, end: usize| {
        let slice = &text[start..end];
        let lead = slice.len() - slice.trim_start().len();
        let (start, end) = (start + lead, start + slice.trim_end().len().max(lead));
        entries.push(Entry { text: std::mem::take(current).trim().to_owned(), start, end });
    };
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped)) => current.push(escaped),
                None => current.push(c),
            },
            ',' => {
                let rest = &text[at + 1..];
                if rest.contains('=') {
                    push(&mut entries, &mut current, start, at);
                    start = at + 1;
                } else if rest.trim().is_empty() {
                    current.push(c);
                } else {
                    push(&mut entries, &mut current, start, at);
                    current.push_str(rest);
                    push(&mut entries, &mut current, at + 1, text.len());
                    return entries;
                }
            }
            c => current.push(c),
        }
    }
    if !current.is_empty() {
        push(&mut entries, &mut current, start, text.len());
    }
    entries
}

fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace(',', r"\,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match parse(text) {
            Ok(pairs) => {
                let pairs = pairs.into_iter().map(|(key, value)| format!("[{key}]=[{value}]"));
                pairs.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_list_is_read_as_the_controller_reads_it() {
        assert_eq!(parsed(""), "");
        assert_eq!(parsed("a=b"), "[a]=[b]");
        assert_eq!(parsed(" a = b , c=d "), "[a]=[b] [c]=[d]");
        assert_eq!(parsed(r"a=b\,c,d=e"), "[a]=[b,c] [d]=[e]");
        assert_eq!(parsed("a=b=c"), "[a]=[b=c]");
        assert_eq!(parsed("a="), "[a]=[]");
        assert_eq!(parsed("a=1,a=2"), "[a]=[2]");
        assert_eq!(parsed("a=b,"), "[a]=[b,]", "a comma at the end belongs to the value");
        assert_eq!(parsed("a"), "`a` is no `key=value`");
        assert_eq!(parsed("a=b,c"), "`c` is no `key=value`");
        assert_eq!(parsed("a=b,,c=d"), "`` is no `key=value`");
        assert_eq!(parsed("=b"), "`=b` is no `key=value`");
        assert_eq!(parsed(r"a=b\"), r"[a]=[b\]");
    }

    #[test]
    fn an_attribute_is_set_beside_what_is_there() {
        let set = |text| set(text, DELETION_PROTECTION, "true").unwrap();
        assert_eq!(set(""), "deletion_protection.enabled=true");
        assert_eq!(set(r" a=b\,c , d=e"), r"deletion_protection.enabled=true, a=b\,c , d=e");
        assert_eq!(
            set("a=b , deletion_protection.enabled = false ,c=d"),
            "a=b , deletion_protection.enabled=true ,c=d"
        );
        let twice = "deletion_protection.enabled=true,deletion_protection.enabled=false";
        assert_eq!(set(twice), "deletion_protection.enabled=true,deletion_protection.enabled=true");
        let there = " deletion_protection.enabled= true ,a=b";
        assert_eq!(set(there), there);
    }

    #[test]
    fn a_list_that_is_none_is_not_written_to() {
        assert_eq!(set("a", "b", "c").unwrap_err().entry, "a");
        assert_eq!(set("  ", "b", "c").unwrap_err().entry, "", "the controller refuses it too");
    }

    #[test]
    fn protection_is_read_as_go_reads_a_bool() {
        assert_eq!(is_protected("deletion_protection.enabled=T"), Ok(true));
        assert_eq!(is_protected("deletion_protection.enabled=yes"), Ok(false));
        assert_eq!(is_protected("a=b"), Ok(false));
    }

    /// Every text of these characters up to a length, so that no spelling is forgotten.
    fn texts(length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..length {
            let to = all.len();
            for at in from..to {
                for c in ['a', 'k', '=', ',', '\\', ' '] {
                    let text = format!("{}{c}", all[at]);
                    all.push(text);
                }
            }
            from = to;
        }
        all
    }

    #[test]
    fn setting_an_attribute_sets_it_and_changes_nothing_else() {
        for text in texts(6) {
            let Ok(before) = parse(&text) else {
                assert!(set(&text, "k", "v").is_err(), "{text:?}");
                continue;
            };
            for value in ["v", "v,w", r"v\w", ""] {
                let changed = set(&text, "k", value).unwrap();
                let mut expected = before.clone();
                expected.insert("k".to_owned(), value.to_owned());
                assert_eq!(parse(&changed), Ok(expected), "{text:?} -> {changed:?}");
                assert_eq!(set(&changed, "k", value), Ok(changed.clone()), "settles: {text:?}");
            }
        }
    }

    #[test]
    fn what_is_there_stays_byte_for_byte() {
        for text in texts(6) {
            let Ok(before) = parse(&text) else { continue };
            let changed = set(&text, "new", "v").unwrap();
            if before.is_empty() {
                assert_eq!(changed, "new=v", "{text:?}");
            } else {
                assert_eq!(changed, format!("new=v,{text}"));
            }
        }
    }
}
