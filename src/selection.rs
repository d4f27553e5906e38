//! Which bindings and groups a command is about: names, a namespace, labels.
//!
//! A selection chooses what is shown or changed. Classification always uses all that was read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::binding::{Binding, LabelSelector, OwnerKind};
use crate::target::TargetGroupArn;
use crate::view::{BindingView, GroupView};

/// What a command is about. The default is everything that is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The names asked for; empty means all.
    pub names: Vec<NameQuery>,
    /// Bindings of this namespace only.
    pub namespace: Option<String>,
    /// Bindings with these labels only.
    pub labels: LabelSelector,
    /// Groups that are not shared too.
    pub all: bool,
}

/// A name as kubectl users write it: `svc/x`, `tgb/x`, or `x` alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameQuery {
    /// The kind before the slash; none matches any kind.
    pub kind: Option<QueryKind>,
    /// The name.
    pub name: String,
}

/// The kinds that a name can be asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueryKind {
    /// A `TargetGroupBinding`.
    Binding,
    /// A Service: the one a binding registers, or its owner.
    Service,
    /// An Ingress, or an Ingress group.
    Ingress,
    /// A Gateway.
    Gateway,
}

/// The words are no names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The kind before the slash is not known.
    #[error("`{0}` is no kind that has target groups: use svc, ing, gateway or tgb")]
    UnknownKind(String),
    /// A kind without a name.
    #[error("`{0}` needs a name")]
    NoName(String),
}

impl QueryKind {
    /// Reads a kind as kubectl spells it: plural, short and qualified forms.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        match word.split('.').next().unwrap_or_default() {
            "tgb" | "targetgroupbinding" | "targetgroupbindings" => Some(Self::Binding),
            "svc" | "service" | "services" => Some(Self::Service),
            "ing" | "ingress" | "ingresses" => Some(Self::Ingress),
            "gtw" | "gateway" | "gateways" => Some(Self::Gateway),
            _ => None,
        }
    }
}

impl Selection {
    /// Reads names as kubectl does: `svc/x tgb/y`, `svc x y`, or `x y`.
    ///
    /// # Errors
    ///
    /// Returns the word that is no name.
    pub fn parse_names(words: &[String]) -> Result<Vec<NameQuery>, InvalidName> {
        let mut kind = None;
        let mut words = words.iter().peekable();
        if let Some(first) = words.peek()
            && !first.contains('/')
            && let Some(parsed) = QueryKind::parse(first)
        {
            let word = words.next().cloned().unwrap_or_default();
            if words.peek().is_none() {
                return Err(InvalidName::NoName(word));
            }
            kind = Some(parsed);
        }
        words.map(|word| parse_name(kind, word)).collect()
    }

    /// Says whether a binding is chosen by namespace, labels and its own names.
    ///
    /// Names that only AWS knows are not looked at: see [`Selection::chooses`].
    pub fn chooses_by_name(&self, binding: &Binding, arn: Option<&TargetGroupArn>) -> bool {
        let named =
            || self.names.iter().any(|query| query.is_binding(binding) || query.is_group(arn));
        self.chooses_place(binding) && (self.names.is_empty() || named())
    }

    /// Says whether a binding of a group is chosen.
    pub fn chooses(&self, group: &GroupView<'_>, binding: &BindingView<'_>) -> bool {
        let named = |query: &NameQuery| {
            query.is_binding(&binding.facts.binding) || query.is_in_group(group)
        };
        self.chooses_place(&binding.facts.binding)
            && (self.names.is_empty() || self.names.iter().any(named))
    }

    /// Says whether a group is to be shown: one of its bindings is chosen, and it is shared or was
    /// asked for by name.
    pub fn chooses_group(&self, group: &GroupView<'_>) -> bool {
        let wanted = self.all || !self.names.is_empty() || group.is_shared();
        wanted && group.bindings.iter().any(|binding| self.chooses(group, binding))
    }

    /// Lists the names that match nothing that was read.
    pub fn unmatched(&self, groups: &[GroupView<'_>]) -> Vec<&NameQuery> {
        let matches = |query: &NameQuery| {
            groups.iter().any(|group| {
                group.bindings.iter().any(|binding| {
                    self.chooses_place(&binding.facts.binding)
                        && (query.is_binding(&binding.facts.binding) || query.is_in_group(group))
                })
            })
        };
        self.names.iter().filter(|query| !matches(query)).collect()
    }

    /// Chooses the groups to read, from the bindings alone; `None` where a name may be one that
    /// only AWS knows, so that all must be read.
    pub fn groups_to_read(
        &self,
        bindings: &BTreeMap<TargetGroupArn, Vec<&Binding>>,
    ) -> Option<BTreeSet<TargetGroupArn>> {
        let matched = |query: &NameQuery| {
            bindings.iter().any(|(arn, all)| {
                query.is_group(Some(arn)) || all.iter().any(|b| query.is_binding(b))
            })
        };
        if !self.names.iter().all(matched) {
            return None;
        }
        let shared = |all: &[&Binding]| {
            all.len() > 1 || all.iter().any(|b| b.spec.multi_cluster_target_group)
        };
        let chosen = bindings.iter().filter(|(arn, all)| {
            (self.all || !self.names.is_empty() || shared(all))
                && all.iter().any(|binding| self.chooses_by_name(binding, Some(arn)))
        });
        Some(chosen.map(|(arn, _)| arn.clone()).collect())
    }

    fn chooses_place(&self, binding: &Binding) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == binding.namespace)
            && self.labels.selects(&binding.labels)
    }
}

fn parse_name(kind: Option<QueryKind>, word: &str) -> Result<NameQuery, InvalidName> {
    // An ARN holds slashes of its own.
    if word.starts_with("arn:") {
        return Ok(NameQuery { kind: None, name: word.to_owned() });
    }
    match word.split_once('/') {
        Some((kind, "")) => Err(InvalidName::NoName(kind.to_owned())),
        Some((word, name)) => match QueryKind::parse(word) {
            Some(kind) => Ok(NameQuery { kind: Some(kind), name: name.to_owned() }),
            None => Err(InvalidName::UnknownKind(word.to_owned())),
        },
        None => Ok(NameQuery { kind, name: word.to_owned() }),
    }
}

/// Writes it as kubectl users do: `svc/x`.
impl fmt::Display for NameQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            None => "",
            Some(QueryKind::Binding) => "tgb/",
            Some(QueryKind::Service) => "svc/",
            Some(QueryKind::Ingress) => "ing/",
            Some(QueryKind::Gateway) => "gateway/",
        };
        write!(f, "{kind}{}", self.name)
    }
}

impl NameQuery {
    /// Matches the binding, the Service it registers, or its owner.
    fn is_binding(&self, binding: &Binding) -> bool {
        let by_name = || binding.name == self.name;
        let by_service = || binding.spec.service_ref.name == self.name;
        let by_owner = |kinds: &[OwnerKind]| {
            binding
                .owner()
                .is_some_and(|owner| owner.name == self.name && kinds.contains(&owner.kind))
        };
        match self.kind {
            Some(QueryKind::Binding) => by_name(),
            Some(QueryKind::Service) => by_service() || by_owner(&[OwnerKind::Service]),
            Some(QueryKind::Ingress) => by_owner(&[OwnerKind::Ingress, OwnerKind::IngressGroup]),
            Some(QueryKind::Gateway) => by_owner(&[OwnerKind::Gateway]),
            None => {
                by_name()
                    || by_service()
                    || binding.owner().is_some_and(|owner| owner.name == self.name)
            }
        }
    }

    /// Matches the target group by ARN or name.
    fn is_group(&self, arn: Option<&TargetGroupArn>) -> bool {
        let matches = |arn: &TargetGroupArn| arn.as_str() == self.name || arn.name() == self.name;
        self.kind.is_none() && arn.is_some_and(matches)
    }

    /// Matches the target group, a load balancer of it, or an address of one of its targets.
    fn is_in_group(&self, group: &GroupView<'_>) -> bool {
        let by_load_balancer = || {
            group.facts.load_balancers.iter().flatten().any(|facts| {
                let lb = &facts.load_balancer;
                let host = lb
                    .dns_name
                    .as_deref()
                    .is_some_and(|host| host.eq_ignore_ascii_case(&self.name));
                lb.arn == self.name || lb.name == self.name || host
            })
        };
        let by_target = || {
            group
                .targets
                .keys()
                .any(|target| target.id == self.name || target.to_string() == self.name)
        };
        self.kind.is_none() && (self.is_group(Some(group.arn)) || by_load_balancer() || by_target())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Vec<(Option<QueryKind>, String)>, InvalidName> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Ok(Selection::parse_names(&words)?
            .into_iter()
            .map(|query| (query.kind, query.name))
            .collect())
    }

    #[test]
    fn names_are_read_as_kubectl_reads_them() {
        let service = |name: &str| (Some(QueryKind::Service), name.to_owned());
        assert_eq!(
            parse(&["svc/a", "tgb/b"]),
            Ok(vec![service("a"), (Some(QueryKind::Binding), "b".to_owned())])
        );
        assert_eq!(parse(&["services", "a", "b"]), Ok(vec![service("a"), service("b")]));
        assert_eq!(
            parse(&["a", "10.0.0.1:80"]),
            Ok(vec![(None, "a".to_owned()), (None, "10.0.0.1:80".to_owned())])
        );
        let arn = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b";
        assert_eq!(parse(&[arn]), Ok(vec![(None, arn.to_owned())]));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(parse(&["pod/x"]), Err(InvalidName::UnknownKind("pod".to_owned())));
        assert_eq!(parse(&["svc/"]), Err(InvalidName::NoName("svc".to_owned())));
        assert_eq!(parse(&["svc"]), Err(InvalidName::NoName("svc".to_owned())));
    }
}
