//! Label selectors, matched as Kubernetes does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A Kubernetes label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must have these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Expressions that must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelExpression>,
}

impl LabelSelector {
    /// Says what is wrong with the selector, if anything is.
    ///
    /// # Errors
    ///
    /// An operator that is none, or one with values it does not take.
    pub fn validate(&self) -> Result<(), String> {
        for LabelExpression { key, operator, values } in &self.match_expressions {
            match operator.as_str() {
                "In" | "NotIn" if values.is_empty() => {
                    return Err(format!("`{operator}` of `{key}` needs values"));
                }
                "Exists" | "DoesNotExist" if !values.is_empty() => {
                    return Err(format!("`{operator}` of `{key}` takes no values"));
                }
                "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
                _ => return Err(format!("`{operator}` is no operator")),
            }
        }
        Ok(())
    }

    /// Matches labels as Kubernetes does: an empty selector matches all, and `NotIn` also holds where
    /// the label is absent.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let by_label = self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        by_label && self.match_expressions.iter().all(|expression| expression.holds(labels))
    }
}

/// One expression of a label selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelExpression {
    /// The label's key.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`, as written.
    pub operator: String,
    /// The values of `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl LabelExpression {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => !value.is_some_and(|value| self.values.contains(value)),
            "Exists" => value.is_some(),
            _ => value.is_none(),
        }
    }
}
