//! One write: a binding, an owner, a ConfigMap, or targets that go.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::binding::BindingSpec;
use crate::elbv2::Access;
use crate::objects::{Key, Patch};
use crate::target::{TargetDescription, TargetGroupArn};

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Creates a binding, or makes it what the manifest says.
    ApplyBinding {
        /// What it is to be.
        manifest: Manifest,
        /// Whether fields are taken over that another manager set to something else.
        takes_over: bool,
    },
    /// Merges a patch into the owner of bindings, or into what sets it up.
    PatchOwner(Patch),
    /// Creates an object that sets bindings up, where there is none.
    CreateOwner {
        /// Which.
        key: Key,
        /// The object, ready to be created but for its API version.
        manifest: Value,
    },
    /// Deletes a binding of exactly this UID.
    DeleteBinding {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its UID.
        uid: String,
    },
    /// Keeps something in a ConfigMap of this program.
    WriteNote {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What it is to hold; `version` is that of the note it replaces.
        note: Note,
    },
    /// Deletes a note of exactly this version.
    DeleteNote {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its resource version.
        version: String,
    },
    /// Deletes a ledger of exactly this version.
    DeleteLedger {
        /// Its namespace.
        namespace: String,
        /// The ConfigMap's name.
        name: String,
        /// Its resource version.
        version: String,
    },
    /// Takes the controller's finalizer off a binding that is being deleted.
    RemoveFinalizer {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its UID.
        uid: String,
    },
    /// Takes targets out of a group, exactly as they were described.
    Deregister {
        /// On whose behalf.
        access: Access,
        /// The group.
        arn: TargetGroupArn,
        /// The targets.
        targets: Vec<TargetDescription>,
    },
}

impl Change {
    /// What kind of change it is.
    pub fn action(&self) -> ChangeAction {
        match self {
            Self::ApplyBinding { .. } => ChangeAction::ApplyBinding,
            Self::PatchOwner(_) => ChangeAction::PatchOwner,
            Self::CreateOwner { .. } => ChangeAction::CreateOwner,
            Self::DeleteBinding { .. } => ChangeAction::DeleteBinding,
            Self::WriteNote { .. } => ChangeAction::WriteNote,
            Self::DeleteNote { .. } => ChangeAction::DeleteNote,
            Self::DeleteLedger { .. } => ChangeAction::DeleteLedger,
            Self::RemoveFinalizer { .. } => ChangeAction::RemoveFinalizer,
            Self::Deregister { .. } => ChangeAction::Deregister,
        }
    }

    /// What is changed: `TargetGroupBinding web/shop`.
    pub fn object(&self) -> String {
        match self {
            Self::ApplyBinding { manifest: Manifest { namespace, name, .. }, .. }
            | Self::DeleteBinding { namespace, name, .. }
            | Self::RemoveFinalizer { namespace, name, .. } => {
                format!("TargetGroupBinding {namespace}/{name}")
            }
            Self::PatchOwner(Patch { key, .. }) | Self::CreateOwner { key, .. } => key.to_string(),
            Self::WriteNote { namespace, name, .. }
            | Self::DeleteNote { namespace, name, .. }
            | Self::DeleteLedger { namespace, name, .. } => format!("ConfigMap {namespace}/{name}"),
            Self::Deregister { arn, .. } => arn.name().to_owned(),
        }
    }

    /// How many targets it takes out.
    pub fn targets(&self) -> usize {
        match self {
            Self::Deregister { targets, .. } => targets.len(),
            _ => 0,
        }
    }

    /// The object or patch that is sent, as a document shows it; null where nothing is.
    pub fn body(&self) -> Value {
        match self {
            Self::ApplyBinding { manifest, .. } => manifest.to_value(),
            Self::PatchOwner(patch) => patch.body.clone(),
            Self::CreateOwner { manifest, .. } => manifest.clone(),
            Self::WriteNote { note, .. } => json!({"data": note.data}),
            Self::Deregister { targets, .. } => {
                let targets: Vec<String> =
                    targets.iter().map(|listed| listed.target.to_string()).collect();
                json!({"targets": targets})
            }
            _ => Value::Null,
        }
    }
}

/// Writes the change as its document does: `apply TargetGroupBinding web/shop`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action().as_words(), self.object())
    }
}

/// The kinds of change, as reports name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ChangeAction {
    /// A binding is created or changed.
    ApplyBinding,
    /// An owner of bindings is patched, or what sets it up.
    PatchOwner,
    /// An object that sets bindings up is created.
    CreateOwner,
    /// A binding is deleted.
    DeleteBinding,
    /// A note of this program is written.
    WriteNote,
    /// It is deleted.
    DeleteNote,
    /// A ledger is deleted.
    DeleteLedger,
    /// The controller's finalizer is taken off.
    RemoveFinalizer,
    /// Targets are taken out.
    Deregister,
}

impl ChangeAction {
    /// The action as words: completes "failed to".
    pub fn as_words(self) -> &'static str {
        match self {
            Self::ApplyBinding => "apply",
            Self::PatchOwner => "patch",
            Self::CreateOwner => "create",
            Self::DeleteBinding | Self::DeleteNote | Self::DeleteLedger => "delete",
            Self::WriteNote => "write",
            Self::RemoveFinalizer => "take the finalizer off",
            Self::Deregister => "deregister targets of",
        }
    }

    /// The action once it is done, in one word.
    pub fn as_done(self) -> &'static str {
        match self {
            Self::ApplyBinding => "applied",
            Self::PatchOwner => "patched",
            Self::CreateOwner => "created",
            Self::DeleteBinding | Self::DeleteNote | Self::DeleteLedger => "deleted",
            Self::WriteNote => "written",
            Self::RemoveFinalizer => "finalizer",
            Self::Deregister => "deregistered",
        }
    }
}

/// A binding as it is to be: what `kubectl apply` would be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it asks for.
    pub spec: BindingSpec,
}

impl Manifest {
    /// The object, ready to be applied.
    ///
    /// `v1beta1`: a write through `v1alpha1` loses fields (`facts/lbc.md` 1.1).
    pub fn to_value(&self) -> Value {
        json!({
            "apiVersion": "elbv2.k8s.aws/v1beta1",
            "kind": "TargetGroupBinding",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": self.spec,
        })
    }
}

/// What is kept in a ConfigMap of this program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its data.
    pub data: BTreeMap<String, String>,
    /// Its resource version; none before it is written.
    pub version: Option<String>,
}
