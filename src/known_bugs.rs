//! Known bugs of the AWS Load Balancer Controller that matter for shared target groups: the one
//! table of them (`facts/lbc.md` 9). Pure.
//!
//! A bug is told where the running version has it *and* the cluster uses what it is about.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::binding::{Binding, Flavour, IpAddressType, TargetType};
use crate::facts::release;
use crate::findings::Severity;

/// A bug of the controller.
#[derive(Clone, Copy, Debug)]
pub struct KnownBug {
    /// Its number among the issues of kubernetes-sigs/aws-load-balancer-controller.
    pub issue: u32,
    /// The first release that has it; none where every one before the fix does.
    pub since: Option<[u32; 3]>,
    /// The release that mended it; none where none has yet.
    pub fixed: Option<[u32; 3]>,
    /// What goes wrong, as one sentence without its end.
    pub what: &'static str,
    /// What to do as long as it is there, as one sentence without its end.
    pub meanwhile: &'static str,
    /// How bad it is.
    pub severity: Severity,
    matters: fn(&Uses) -> bool,
}

/// Two bugs are the same where their numbers are.
impl PartialEq for KnownBug {
    fn eq(&self, other: &Self) -> bool {
        self.issue == other.issue
    }
}

impl Eq for KnownBug {}

impl KnownBug {
    /// Says whether a release has it.
    pub fn is_in(&self, version: [u32; 3]) -> bool {
        self.since.is_none_or(|since| since <= version)
            && self.fixed.is_none_or(|fixed| version < fixed)
    }

    /// The release that mended it, as its tag is called.
    pub fn fixed_in(&self) -> Option<String> {
        self.fixed.map(|[major, minor, patch]| format!("v{major}.{minor}.{patch}"))
    }

    /// Where it is told.
    pub fn url(&self) -> String {
        format!(
            "https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/{}",
            self.issue
        )
    }
}

/// What of a cluster decides whether a bug matters there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Uses {
    /// It has a binding that is multi-cluster.
    pub multi_cluster: bool,
    /// It has one of these that registers IPv6 addresses.
    pub ipv6: bool,
    /// It has one whose targets are instances.
    pub instances: bool,
    /// It has two bindings of one group.
    pub group_twice: bool,
    /// It has bindings that the controller made for a Service, Ingress or Gateway.
    pub generated: bool,
    /// It has two bindings whose ledgers one cache entry is for: `a-b/c` and `a/b-c`.
    pub alike_names: bool,
    /// It has a binding that names its group instead of giving the ARN.
    pub by_name: bool,
    /// It has a binding that assumes a role with an external id.
    pub external_id: bool,
    /// It has a binding that asks for security-group rules.
    pub rules: bool,
}

impl Uses {
    /// Everything: for a cluster of which it is not known yet.
    pub const ALL: Self = Self {
        multi_cluster: true,
        ipv6: true,
        instances: true,
        group_twice: true,
        generated: true,
        alike_names: true,
        by_name: true,
        external_id: true,
        rules: true,
    };

    /// What a cluster's bindings use; those of EKS Auto Mode are another controller's.
    pub fn of<'a>(bindings: impl IntoIterator<Item = &'a Binding>) -> Self {
        let mut uses = Self::default();
        let (mut groups, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for binding in
            bindings.into_iter().filter(|it| it.flavour == Flavour::LoadBalancerController)
        {
            let spec = &binding.spec;
            let arn = &spec.target_group_arn;
            uses.group_twice |= !arn.is_empty() && !groups.insert(arn.as_str());
            uses.generated |= binding.owner().is_some();
            uses.by_name |= arn.is_empty() && !spec.target_group_name.is_empty();
            uses.external_id |= !spec.assume_role_external_id.is_empty();
            uses.rules |= spec.networking.as_ref().is_some_and(|it| !it.ingress.is_empty());
            if spec.multi_cluster_target_group {
                uses.multi_cluster = true;
                uses.ipv6 |= spec.ip_address_type == Some(IpAddressType::Ipv6)
                    && spec.target_type != Some(TargetType::Instance);
                uses.instances |= spec.target_type == Some(TargetType::Instance);
                uses.alike_names |= !keys.insert(format!("{}-{}", binding.namespace, binding.name));
            }
        }
        uses
    }
}

/// Every bug that matters for shared target groups, by its number.
pub const ALL: &[KnownBug] = &[
    KnownBug {
        issue: 3969,
        since: Some([2, 10, 0]),
        fixed: None,
        what: "a Service of type ClusterIP behind a multi-cluster load balancer with instance \
               targets gets a target group of port 0",
        meanwhile: "give such a Service the type NodePort, or ip targets",
        severity: Severity::Info,
        matters: |uses| uses.instances && uses.generated,
    },
    KnownBug {
        issue: 4021,
        since: Some([2, 10, 0]),
        fixed: Some([2, 12, 0]),
        what: "its webhook refuses a second binding of a group in one cluster, multi-cluster or not",
        meanwhile: "bind a group once in this cluster",
        severity: Severity::Warning,
        matters: |uses| uses.group_twice,
    },
    KnownBug {
        issue: 4224,
        since: Some([2, 10, 0]),
        fixed: Some([2, 13, 3]),
        what: "after it starts it skips every binding whose checkpoint is current, whatever happened \
               to the targets while it was away",
        meanwhile: "run reconcile after it was restarted",
        severity: Severity::Warning,
        matters: |uses| uses.multi_cluster,
    },
    KnownBug {
        issue: 4297,
        since: None,
        fixed: None,
        what: "a CRD older than the controller drops `targetGroupName` in silence",
        meanwhile: "apply the CRDs of the controller's release, which Helm does not",
        severity: Severity::Info,
        matters: |uses| uses.by_name,
    },
    KnownBug {
        issue: 4355,
        since: None,
        fixed: Some([2, 14, 0]),
        what: "a binding that is cleaned up keeps its checkpoint, and if its deletion fails halfway \
               its targets do not come back",
        meanwhile: "where that happened, remove the checkpoint: reconcile does",
        severity: Severity::Info,
        matters: |uses| uses.multi_cluster,
    },
    KnownBug {
        issue: 4544,
        since: None,
        fixed: Some([3, 0, 0]),
        what: "targets whose zone ELBv2 tells otherwise than they were registered with are never \
               deregistered",
        meanwhile: "status shows what stayed, as stale or unclaimed",
        severity: Severity::Warning,
        matters: |uses| uses.multi_cluster,
    },
    KnownBug {
        issue: 4714,
        since: None,
        fixed: Some([3, 3, 0]),
        what: "bindings that assume one role with different external ids share credentials",
        meanwhile: "give each external id a role of its own",
        severity: Severity::Warning,
        matters: |uses| uses.external_id,
    },
    KnownBug {
        issue: 4737,
        since: None,
        fixed: Some([3, 4, 0]),
        what: "while its checkpoint is current it leaves readiness gates as they are",
        meanwhile: "remove the checkpoint where pods wait for their gate: reconcile does",
        severity: Severity::Info,
        matters: |uses| uses.multi_cluster,
    },
    KnownBug {
        issue: 4775,
        since: None,
        fixed: Some([3, 4, 1]),
        what: "it puts the IPv4 addresses of dual-stack Services into IPv6 groups",
        meanwhile: "make the Services of IPv6 groups single-stack",
        severity: Severity::Warning,
        matters: |uses| uses.ipv6,
    },
    KnownBug {
        issue: 4864,
        since: Some([2, 10, 0]),
        fixed: Some([3, 5, 0]),
        what: "two bindings whose namespace and name read alike with a dash between them, such as \
               a-b/c and a/b-c, share one ledger in its memory",
        meanwhile: "rename one of the two",
        severity: Severity::Critical,
        matters: |uses| uses.alike_names,
    },
    KnownBug {
        issue: 4880,
        since: None,
        fixed: None,
        what: "a binding it made that somebody deletes does not come back before its owner changes",
        meanwhile: "delete no generated binding; an annotation on the owner brings one back",
        severity: Severity::Info,
        matters: |uses| uses.generated,
    },
    KnownBug {
        issue: 4889,
        since: None,
        fixed: None,
        what: "with a stale cache it can revoke the security-group rules of all bindings, and its \
               checkpoint delays their return",
        meanwhile: "where healthy targets turn unhealthy all at once, look at the rules first",
        severity: Severity::Info,
        matters: |uses| uses.rules,
    },
];

/// The bugs of a version that matter for what a cluster uses, worst first; none where the version is
/// not known.
pub fn known_bugs(version: Option<&str>, uses: &Uses) -> Vec<&'static KnownBug> {
    let Some(version) = version.and_then(release) else { return Vec::new() };
    let mut found: Vec<&KnownBug> =
        ALL.iter().filter(|bug| bug.is_in(version) && (bug.matters)(uses)).collect();
    found.sort_by_key(|bug| (Reverse(bug.severity), bug.issue));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issues(version: &str, uses: &Uses) -> Vec<u32> {
        known_bugs(Some(version), uses).iter().map(|bug| bug.issue).collect()
    }

    #[test]
    fn a_bug_is_there_from_its_release_to_the_one_that_mends_it() {
        let uses = Uses { alike_names: true, ..Uses::default() };
        assert_eq!(issues("v3.4.3", &uses), [4864]);
        assert_eq!(issues("v2.10.0", &uses), [4864]);
        assert_eq!(issues("v3.5.0", &uses), [0; 0]);
        assert_eq!(issues("v2.9.2", &uses), [0; 0]);
    }

    #[test]
    fn a_bug_is_told_only_where_it_matters() {
        assert_eq!(issues("v2.11.0", &Uses::default()), [0; 0]);
        assert_eq!(issues("v2.11.0", &Uses { group_twice: true, ..Uses::default() }), [4021]);
        assert_eq!(issues("v3.4.0", &Uses { ipv6: true, ..Uses::default() }), [4775]);
        assert_eq!(issues("v3.5.0", &Uses { generated: true, ..Uses::default() }), [4880]);
        assert!(known_bugs(None, &Uses::ALL).is_empty());
        assert!(known_bugs(Some("latest"), &Uses::ALL).is_empty());
    }

    #[test]
    fn the_worst_come_first() {
        let severities: Vec<_> =
            known_bugs(Some("v2.11.0"), &Uses::ALL).iter().map(|bug| bug.severity).collect();
        assert!(severities.is_sorted_by(|a, b| a >= b), "{severities:?}");
        assert!(severities.len() > 5);
    }

    #[test]
    fn the_table_is_sorted_and_each_bug_has_its_span() {
        assert!(ALL.windows(2).all(|pair| pair[0].issue < pair[1].issue));
        for bug in ALL {
            assert!(bug.since.zip(bug.fixed).is_none_or(|(since, fixed)| since < fixed));
            assert!(!bug.what.ends_with('.') && !bug.meanwhile.ends_with('.'), "{}", bug.issue);
        }
    }

    #[test]
    fn what_is_used_is_read_off_the_bindings() {
        let binding = |namespace: &str, name: &str, spec: &str| -> Binding {
            let text = format!(
                r#"{{"namespace":"{namespace}","name":"{name}","uid":"u","flavour":"aws-load-balancer-controller",
                    "created_at":null,"changed_at":null,"deleted_at":null,"has_finalizer":true,"labels":{{}},"annotations":{{}},
                    "spec":{{"serviceRef":{{"name":"web","port":80}},{spec}}}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let shared = r#""targetGroupARN":"a","multiClusterTargetGroup":true"#;
        let dual = r#""targetGroupARN":"b","multiClusterTargetGroup":true,"targetType":"ip","ipAddressType":"ipv6""#;
        assert_eq!(Uses::of(&[]), Uses::default());
        let one = Uses { multi_cluster: true, ..Uses::default() };
        assert_eq!(Uses::of(&[binding("a", "b", shared)]), one);
        assert_eq!(
            Uses::of(&[binding("a-b", "c", shared), binding("a", "b-c", shared)]),
            Uses { group_twice: true, alike_names: true, ..one }
        );
        assert_eq!(Uses::of(&[binding("a", "b", dual)]), Uses { ipv6: true, ..one });
        let named = r#""targetGroupName":"n","assumeRoleExternalId":"x""#;
        let uses = Uses { by_name: true, external_id: true, ..Uses::default() };
        assert_eq!(Uses::of(&[binding("a", "b", named)]), uses);
    }
}
