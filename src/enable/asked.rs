//! What is named on the command line, as kubectl would.

use super::KINDS;
use crate::objects::{Key, Kind};

/// What is named on the command line: `svc/web`, all of a kind, or a name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its kind; none takes the first that fits of binding, Service, Ingress, Gateway and routes.
    pub kind: Option<Kind>,
    /// Its name; none means all of the kind.
    pub name: Option<String>,
}

/// The words name nothing that has a flag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAsked {
    /// A kind that is not known, or has no flag.
    #[error(
        "`{0}` is no kind with a multi-cluster flag: use svc, ing, gateway, httproute (or another route) or tgb"
    )]
    UnknownKind(String),
    /// A kind with a slash and no name.
    #[error("`{0}/` needs a name")]
    NoName(String),
}

impl Asked {
    /// Reads names as kubectl does: `svc/a tgb/b`, `svc a b`, `svc` for all of them, `a`.
    ///
    /// # Errors
    ///
    /// The word that names nothing.
    pub fn parse(words: &[String]) -> Result<Vec<Self>, InvalidAsked> {
        let known = |word: &str| Kind::parse(word).filter(|kind| KINDS.contains(kind));
        if let Some((first, rest)) = words.split_first()
            && !first.contains('/')
            && let Some(kind) = known(first)
        {
            if rest.is_empty() {
                return Ok(vec![Self { kind: Some(kind), name: None }]);
            }
            if let Some(word) = rest.iter().find(|word| word.contains('/')) {
                return Err(InvalidAsked::UnknownKind(word.clone()));
            }
            let name = |name: &String| Self { kind: Some(kind), name: Some(name.clone()) };
            return Ok(rest.iter().map(name).collect());
        }
        let each = words.iter().map(|word| match word.split_once('/') {
            Some((kind, "")) => Err(InvalidAsked::NoName(kind.to_owned())),
            Some((kind, name)) => match known(kind) {
                Some(kind) => Ok(Self { kind: Some(kind), name: Some(name.to_owned()) }),
                None => Err(InvalidAsked::UnknownKind(kind.to_owned())),
            },
            None => Ok(Self { kind: None, name: Some(word.clone()) }),
        });
        each.collect()
    }

    pub(super) fn fits(&self, key: &Key) -> bool {
        self.kind.is_none_or(|kind| kind == key.kind)
            && self.name.as_ref().is_none_or(|name| *name == key.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_flag_is_named_as_kubectl_names_it() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let asked = Asked::parse(&words).map_err(|error| error.to_string())?;
            let text = |it: &Asked| {
                let kind = it.kind.map_or("?", Kind::as_str);
                format!("{kind}/{}", it.name.as_deref().unwrap_or("*"))
            };
            Ok::<_, String>(asked.iter().map(text).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(parse("svc/a tgb/b").unwrap(), "Service/a TargetGroupBinding/b");
        assert_eq!(parse("ing a b").unwrap(), "Ingress/a Ingress/b");
        assert_eq!(parse("httproutes").unwrap(), "HTTPRoute/*");
        assert_eq!(parse("a").unwrap(), "?/a");
        assert_eq!(parse("").unwrap(), "");
        assert!(parse("pod/a").unwrap_err().contains("`pod` is no kind"));
        assert!(parse("gatewayclass/a").unwrap_err().contains("no kind"));
        assert!(parse("svc/").unwrap_err().contains("needs a name"));
    }
}
