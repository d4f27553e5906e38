//! The note that `unbind` leaves before it deletes a binding, so that it can go on from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::binding::{Binding, BindingSpec, Flavour};
use crate::change::{Manifest, Note};
use crate::cluster::StoredNote;
use crate::ledger;
use crate::target::{Target, TargetGroupArn};

/// What the name of every such note begins with.
const PREFIX: &str = "mctg-unbind-";

/// The name of a binding's note.
pub fn name(binding: &str) -> String {
    format!("{PREFIX}{binding}")
}

/// What a note says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The binding as it was; only what is needed to make it again, and its UID.
    pub binding: Binding,
    /// Its target group.
    pub arn: TargetGroupArn,
    /// What it desired or tracked.
    pub targets: BTreeSet<Target>,
}

/// A binding without what its cluster gave it: what `kubectl apply` takes.
#[derive(Deserialize, Serialize)]
struct Kept {
    metadata: KeptMeta,
    spec: BindingSpec,
}

#[derive(Deserialize, Serialize)]
struct KeptMeta {
    name: String,
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Noted {
    /// The text of the note; `version` is that of the one it replaces.
    pub fn to_note(&self, version: Option<String>) -> Note {
        let data = [
            ("binding", manifest(&self.binding).to_string()),
            ("targetGroupARN", self.arn.to_string()),
            ("targets", ledger::format(&self.targets)),
            ("uid", self.binding.uid.clone()),
        ];
        let data = data.into_iter().map(|(key, text)| (key.to_owned(), text)).collect();
        Note { data, version }
    }

    /// Reads a note.
    ///
    /// # Errors
    ///
    /// What of it is missing or no such thing, in words.
    pub fn read(note: &Note) -> Result<Self, String> {
        let text = |key: &str| note.data.get(key).ok_or_else(|| format!("it has no `{key}`"));
        let Kept { metadata, spec } = serde_json::from_str(text("binding")?)
            .map_err(|error| format!("its `binding` is none: {error}"))?;
        let arn = text("targetGroupARN")?;
        let arn = arn.parse().map_err(|_| format!("`{arn}` is no ARN of a target group"))?;
        let targets = ledger::parse(text("targets")?).map_err(|invalid| invalid.to_string())?;
        let binding = Binding {
            namespace: metadata.namespace,
            name: metadata.name,
            uid: text("uid")?.clone(),
            flavour: Flavour::LoadBalancerController,
            created_at: None,
            changed_at: None,
            deleted_at: None,
            has_finalizer: false,
            failure: None,
            labels: metadata.labels,
            annotations: metadata.annotations,
            spec,
        };
        Ok(Self { binding, arn, targets })
    }
}

/// A note of this verb as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its namespace.
    pub namespace: String,
    /// The binding it is of.
    pub binding: String,
    /// Its resource version.
    pub version: Option<String>,
    /// What it says, or why that is not known.
    pub noted: Result<Noted, String>,
}

impl Found {
    /// Recognises a note of this verb.
    pub(super) fn of(stored: &StoredNote) -> Option<Self> {
        let binding = stored.name.strip_prefix(PREFIX)?.to_owned();
        let mut noted = Noted::read(&stored.note);
        if let Ok(said) = &noted
            && (&said.binding.namespace, &said.binding.name) != (&stored.namespace, &binding)
        {
            noted = Err("it is of another binding".to_owned());
        }
        let (namespace, version) = (stored.namespace.clone(), stored.note.version.clone());
        Some(Self { namespace, binding, version, noted })
    }
}

/// What is needed to make a binding again with `kubectl apply`: its own labels and the annotation of
/// this program, and nothing that its cluster or a controller gave it.
pub fn manifest(binding: &Binding) -> Value {
    let Binding { namespace, name, spec, .. } = binding;
    let manifest =
        Manifest { namespace: namespace.clone(), name: name.clone(), spec: spec.clone() };
    let mut value = manifest.to_value();
    let ours = |key: &&String| key.starts_with("mctg.dev/");
    let annotations = binding.annotations.iter().filter(|(key, _)| ours(key));
    let annotations: BTreeMap<_, _> = annotations.collect();
    // A standalone binding that carries stack labels is deleted by the controller (`facts/lbc.md` 5.2).
    let of_stack: BTreeSet<&str> = binding.stack_labels().collect();
    let labels = binding.labels.iter().filter(|(key, _)| !of_stack.contains(key.as_str()));
    let labels: BTreeMap<_, _> = labels.collect();
    if !labels.is_empty() {
        value["metadata"]["labels"] = serde_json::json!(labels);
    }
    if !annotations.is_empty() {
        value["metadata"]["annotations"] = serde_json::json!(annotations);
    }
    value
}
