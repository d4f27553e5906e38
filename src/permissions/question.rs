//! What is asked about permissions: one thing, and whether somebody may do it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One thing that somebody may do or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Question {
    /// The API group; empty for the core one.
    pub group: String,
    /// The resource, plural.
    pub resource: String,
    /// The verb.
    pub verb: String,
    /// The namespace; none means all of them.
    pub namespace: Option<String>,
    /// The object; none means any.
    pub name: Option<String>,
}

impl Question {
    /// The resource as RBAC's messages write it, such as `targetgroupbindings.elbv2.k8s.aws`.
    pub fn full_resource(&self) -> String {
        super::full_resource(&self.group, &self.resource)
    }

    /// The same and the verb: `targetgroupbindings.elbv2.k8s.aws:list`.
    pub fn resource_and_verb(&self) -> String {
        format!("{}:{}", self.full_resource(), self.verb)
    }
}

/// A ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ServiceAccount {
    /// The user that it is to an API server.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// The groups that every ServiceAccount of its namespace is in.
    pub fn groups(&self) -> [String; 3] {
        [
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{}", self.namespace),
            "system:authenticated".to_owned(),
        ]
    }
}

/// Writes `namespace/name`.
impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Reads `namespace/name`.
impl FromStr for ServiceAccount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |text: &str| {
            let is_plain =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
            !text.is_empty() && text.chars().all(is_plain)
        };
        match text.split_once('/') {
            Some((namespace, name)) if part(namespace) && part(name) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err("a ServiceAccount is written NAMESPACE/NAME".to_owned()),
        }
    }
}
