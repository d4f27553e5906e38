//! Who else writes an object: what deploys it from Git, and whose next apply would undo a change. Pure.
//!
//! Two traces: the labels and annotations that such a program puts on what it deploys, and the
//! managed fields, in which the API server writes down who set what.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::objects::Object;

/// What one field manager wrote of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manager {
    /// Its name.
    pub name: String,
    /// The fields it owns, as the API server stores them (`fieldsV1`).
    pub fields: Map<String, Value>,
}

impl Manager {
    /// Says whether it owns the field that these names lead to.
    pub fn owns(&self, path: &[&str]) -> bool {
        let Some((first, rest)) = path.split_first() else { return false };
        let step = |name: &str| format!("f:{name}");
        let first = self.fields.get(&step(first));
        rest.iter().try_fold(first, |at, name| at.map(|at| at.get(step(name)))).flatten().is_some()
    }
}

/// A program that deploys objects from a description kept elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "each is the program of that name")]
pub enum Program {
    #[serde(rename = "Argo CD")]
    ArgoCd,
    Flux,
    Helm,
    Terraform,
}

impl Program {
    const ALL: [Self; 4] = [Self::ArgoCd, Self::Flux, Self::Helm, Self::Terraform];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ArgoCd => "Argo CD",
            Self::Flux => "Flux",
            Self::Helm => "Helm",
            Self::Terraform => "Terraform",
        }
    }

    /// Says whether a field manager is it.
    fn is_manager(self, name: &str) -> bool {
        match self {
            Self::ArgoCd => name == "argocd-controller" || name == "argocd-application-controller",
            Self::Flux => {
                matches!(
                    name,
                    "kustomize-controller" | "helm-controller" | "flux" | "flux-client-side-apply"
                )
            }
            Self::Helm => name == "helm",
            Self::Terraform => {
                let name = name.to_ascii_lowercase();
                ["terraform", "hashicorp", "opentofu"].iter().any(|it| name.starts_with(it))
            }
        }
    }

    /// Says whether the labels and annotations of an object say that it deploys it.
    ///
    /// The label `app.kubernetes.io/instance` alone says nothing: charts set it too, so it counts for
    /// Argo CD only where its field manager wrote the object.
    fn is_labelled(self, object: &Object) -> bool {
        let annotated = |key: &str| object.annotations.contains_key(key);
        let labelled = |key: &str| object.labels.contains_key(key);
        match self {
            Self::ArgoCd => {
                annotated("argocd.argoproj.io/tracking-id")
                    || labelled("argocd.argoproj.io/instance")
            }
            Self::Flux => {
                labelled("kustomize.toolkit.fluxcd.io/name")
                    || labelled("helm.toolkit.fluxcd.io/name")
            }
            Self::Helm => {
                let managed_by = object.labels.get("app.kubernetes.io/managed-by");
                annotated("meta.helm.sh/release-name") || managed_by.is_some_and(|it| it == "Helm")
            }
            Self::Terraform => {
                let managed_by = object.labels.get("app.kubernetes.io/managed-by");
                managed_by.is_some_and(|it| it.eq_ignore_ascii_case("terraform"))
            }
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The program that deploys an object, if one does; the outermost where one drives another (Argo CD
/// and Flux render charts).
pub fn program(object: &Object) -> Option<Program> {
    let wrote =
        |program: &Program| object.managers.iter().any(|manager| program.is_manager(&manager.name));
    Program::ALL.into_iter().find(|it| it.is_labelled(object) || wrote(it))
}

/// How the program that deploys an object stands to one of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The field is its own: its description has it.
    Owns(Program),
    /// Somebody else set the field: its description may not have it, and its next apply may drop or
    /// change it.
    Foreign(Program),
    /// The object tells not who set the field, or nobody did.
    NotTold(Program),
}

impl Standing {
    /// The program.
    pub fn program(self) -> Program {
        match self {
            Self::Owns(program) | Self::Foreign(program) | Self::NotTold(program) => program,
        }
    }
}

/// Finds out how the program that deploys an object stands to a field; none where no program does.
pub fn standing(object: &Object, path: &[&str]) -> Option<Standing> {
    let program = program(object)?;
    let mut owners = object.managers.iter().filter(|manager| manager.owns(path)).peekable();
    Some(if owners.peek().is_none() {
        Standing::NotTold(program)
    } else if owners.any(|manager| program.is_manager(&manager.name)) {
        Standing::Owns(program)
    } else {
        Standing::Foreign(program)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::{Key, Kind};

    const FLAG: [&str; 3] = ["metadata", "annotations", "example.com/flag"];

    fn object(labels: &[(&str, &str)], managers: &[(&str, bool)]) -> Object {
        let mut object = Object::new(Key::new(Kind::Service, "web", "shop"), json!({}));
        for (key, value) in labels {
            object.labels.insert((*key).to_owned(), (*value).to_owned());
        }
        for (name, owns) in managers {
            let fields = if *owns {
                json!({"f:metadata": {"f:annotations": {".": {}, "f:example.com/flag": {}}}})
            } else {
                json!({"f:spec": {"f:type": {}}})
            };
            let Value::Object(fields) = fields else { unreachable!() };
            object.managers.push(Manager { name: (*name).to_owned(), fields });
        }
        object
    }

    #[test]
    fn nobody_deploys_what_people_apply() {
        let mine = object(&[("app.kubernetes.io/instance", "shop")], &[("kubectl", true)]);
        assert_eq!(standing(&mine, &FLAG), None);
    }

    #[test]
    fn each_program_is_known_by_its_labels_and_by_its_field_managers() {
        let known =
            |labels: &[(&str, &str)], manager: &str| program(&object(labels, &[(manager, false)]));
        assert_eq!(known(&[("argocd.argoproj.io/instance", "a")], "x"), Some(Program::ArgoCd));
        assert_eq!(known(&[], "argocd-controller"), Some(Program::ArgoCd));
        assert_eq!(known(&[("kustomize.toolkit.fluxcd.io/name", "a")], "x"), Some(Program::Flux));
        assert_eq!(known(&[], "kustomize-controller"), Some(Program::Flux));
        assert_eq!(known(&[("app.kubernetes.io/managed-by", "Helm")], "x"), Some(Program::Helm));
        assert_eq!(known(&[], "helm"), Some(Program::Helm));
        assert_eq!(known(&[], "Terraform"), Some(Program::Terraform));
        assert_eq!(known(&[], "HashiCorp"), Some(Program::Terraform));
        let mut annotated = object(&[], &[]);
        annotated.annotations.insert("argocd.argoproj.io/tracking-id".to_owned(), "a".to_owned());
        annotated.annotations.insert("meta.helm.sh/release-name".to_owned(), "b".to_owned());
        assert_eq!(program(&annotated), Some(Program::ArgoCd), "it renders the chart");
    }

    #[test]
    fn a_field_is_its_managers_or_somebody_elses_or_nobodys() {
        let argo = [("argocd.argoproj.io/instance", "a")];
        let of = |managers: &[(&str, bool)]| standing(&object(&argo, managers), &FLAG);
        let both = [("kubectl-annotate", true), ("argocd-controller", true)];
        assert_eq!(of(&both), Some(Standing::Owns(Program::ArgoCd)));
        let foreign = [("kubectl-annotate", true), ("argocd-controller", false)];
        assert_eq!(of(&foreign), Some(Standing::Foreign(Program::ArgoCd)));
        assert_eq!(of(&[("argocd-controller", false)]), Some(Standing::NotTold(Program::ArgoCd)));
    }
}
