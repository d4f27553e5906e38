//! Annotations as the controller reads them (LBC 3.5, `pkg/annotations/parser.go`).

use std::collections::BTreeMap;

use super::stack::BuildError;

/// The annotations of an object under one prefix.
#[derive(Clone, Copy)]
pub(super) struct Annotations<'a> {
    prefix: &'static str,
    all: &'a BTreeMap<String, String>,
}

impl<'a> Annotations<'a> {
    pub(super) fn of_service(all: &'a BTreeMap<String, String>) -> Self {
        Self { prefix: "service.beta.kubernetes.io/aws-load-balancer-", all }
    }

    pub(super) fn of_ingress(all: &'a BTreeMap<String, String>) -> Self {
        Self { prefix: "alb.ingress.kubernetes.io/", all }
    }

    pub(super) fn text(&self, suffix: &str) -> Option<&'a str> {
        self.all.get(&format!("{}{suffix}", self.prefix)).map(String::as_str)
    }

    /// Reads a truth as Go's `strconv.ParseBool` does.
    pub(super) fn flag(&self, suffix: &str) -> Result<Option<bool>, BuildError> {
        let Some(raw) = self.text(suffix) else { return Ok(None) };
        let said = || format!("failed to parse bool annotation, {}{suffix}: {raw}", self.prefix);
        parse_bool(raw).map(Some).ok_or_else(|| BuildError(said()))
    }

    /// Reads `key=value` pairs.
    pub(super) fn map(&self, suffix: &str) -> Result<BTreeMap<String, String>, BuildError> {
        let Some(raw) = self.text(suffix) else { return Ok(BTreeMap::new()) };
        let said =
            || format!("failed to parse stringMap annotation, {}{suffix}: {raw}", self.prefix);
        pairs(raw).ok_or_else(|| BuildError(said()))
    }
}

/// Go's `strconv.ParseBool`.
pub(super) fn parse_bool(raw: &str) -> Option<bool> {
    match raw {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Splits `k=v` pairs at commas; `\` takes the next character as it is, and a comma after which no
/// other pair comes belongs to the value.
fn pairs(raw: &str) -> Option<BTreeMap<String, String>> {
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    let mut characters = raw.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => part.extend(characters.next().map(|(_, escaped)| escaped)),
            ',' => {
                let rest = raw[at + 1..].trim();
                if !rest.contains('=') && !rest.is_empty() {
                    // What follows is no pair.
                    return None;
                }
                if rest.is_empty() {
                    part.push(',');
                } else {
                    parts.push(std::mem::take(&mut part));
                }
            }
            _ => part.push(character),
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    let pair = |part: &String| {
        let (key, value) = part.trim().split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        (!key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
    };
    parts.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Option<Vec<(String, String)>> {
        pairs(raw).map(|pairs| pairs.into_iter().collect())
    }

    fn owned(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn attributes_are_pairs_between_commas_and_trimmed() {
        assert_eq!(read("a=1, b = 2"), owned(&[("a", "1"), ("b", "2")]));
        assert_eq!(read(r"a=1\,2,b=3"), owned(&[("a", "1,2"), ("b", "3")]));
        assert_eq!(read("a=1,"), owned(&[("a", "1,")]));
        assert_eq!(read("a=b=c"), owned(&[("a", "b=c")]));
        assert_eq!(read(""), owned(&[]));
        for wrong in ["a", "a=1,b", "=1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
