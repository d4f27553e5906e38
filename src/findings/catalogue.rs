//! The catalogue of findings: one source for diagnosing, `explain` and `docs/findings.md`.
//!
//! Codes, names and severities are `product.md` section 9. A rule is added here, raised where the
//! facts are judged, and explained nowhere else.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Finding, Severity};

/// One kind of finding: what it is called, what it means and how it is repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `MCTG` and three digits; never reused for something else.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How bad it is, and on what that depends.
    pub severity: &'static str,
    /// The consequence in a few words, as the first line of `status` says it.
    pub gist: &'static str,
    /// When it is raised.
    pub when: &'static str,
    /// What it means for the traffic.
    pub meaning: &'static str,
    /// Why it happens.
    pub why: &'static str,
    /// How it is repaired, in the order to try.
    pub repair: &'static [Repair],
}

/// One way to repair something, or one step of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// What to do, and what to look out for.
    pub text: &'static str,
    /// The commands for it; words in capitals stand for names of yours.
    pub commands: &'static [&'static str],
}

impl Rule {
    /// Makes a finding of this kind; what it concerns is filled in by the caller.
    pub fn finding(&self, severity: Severity, message: impl Into<String>) -> Finding {
        Finding {
            code: self.code,
            name: self.name,
            severity,
            message: message.into(),
            fix: None,
            context: None,
            namespace: None,
            binding: None,
            target_group_arn: None,
            targets: Vec::new(),
        }
    }

    /// Says whether it means that something could not be read: such a finding makes a report
    /// incomplete, and nothing suppresses it.
    pub fn is_incompleteness(&self) -> bool {
        is_incompleteness(self.code)
    }
}

/// Says whether the finding of this code means that something could not be read (90x).
pub fn is_incompleteness(code: &str) -> bool {
    code.starts_with("MCTG90")
}

/// Finds a rule by its code (`MCTG201`, `mctg201`, `201`) or its name in any case.
pub fn find(query: &str) -> Option<&'static Rule> {
    let query = query.trim();
    let digits = match query.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("mctg") => &query[4..],
        _ => query,
    };
    ALL.iter()
        .copied()
        .find(|rule| &rule.code[4..] == digits || rule.name.eq_ignore_ascii_case(query))
}

/// The flag is off on a group that others use too.
pub const EXCLUSIVE_BINDING: Rule = Rule {
    code: "MCTG101",
    name: "ExclusiveBinding",
    severity: "critical",
    gist: "its controller takes the other clusters' targets out",
    when: "A binding has `multiClusterTargetGroup` off, and its target group is bound by another \
           observed binding too, or holds targets that other clusters claim.",
    meaning: "The controller behind this binding takes every target that is not its own out of the \
              group: in each of its passes the other clusters lose their traffic.",
    why: "The flag is off unless somebody turns it on, and it must be on in every cluster. A \
          generated binding takes it from its owner, so editing the binding itself does not last: \
          the controller writes the owner's value back.",
    repair: &[
        Repair {
            text: "Generated for a Service: annotate the Service.",
            commands: &["kubectl --context CONTEXT -n NAMESPACE annotate service NAME \
                 service.beta.kubernetes.io/aws-load-balancer-multi-cluster-target-group=true"],
        },
        Repair {
            text: "Generated for an Ingress: annotate the Ingress.",
            commands: &["kubectl --context CONTEXT -n NAMESPACE annotate ingress NAME \
                         alb.ingress.kubernetes.io/multi-cluster-target-group=true"],
        },
        Repair {
            text: "Made by hand: set the flag on the binding.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE patch targetgroupbindings.elbv2.k8s.aws NAME \
                         --type merge -p '{\"spec\":{\"multiClusterTargetGroup\":true}}'",
            ],
        },
        Repair {
            text: "Then look again: targets that the other clusters lost are MCTG201 there.",
            commands: &["kubectl mctg status"],
        },
    ],
};

/// One address, two owners.
pub const CONTESTED_TARGET: Rule = Rule {
    code: "MCTG103",
    name: "ContestedTarget",
    severity: "critical",
    gist: "one target has two owners",
    when: "Two clusters claim one target: both desire it, or one desires it and the other's ledger \
           still tracks it.",
    meaning: "The cluster whose ledger holds the stale entry deregisters the target in its next \
              pass, although it is a live pod of the other cluster.",
    why: "Clusters with overlapping or shared pod ranges reuse addresses: a pod of one cluster gets \
          the address that a pod of the other had before. With instance targets: one node counted \
          by two clusters.",
    repair: &[
        Repair {
            text: "If one cluster only tracks it and no controller runs there: see what would \
                   happen, then let the ledger be written anew. The target stays registered where \
                   the other cluster tracks it too.",
            commands: &[
                "kubectl mctg diff --context CONTEXT",
                "kubectl mctg reconcile --context CONTEXT --via direct",
            ],
        },
        Repair {
            text: "If a controller runs there, its memory is not the ConfigMap: scale it to 0, \
                   reconcile, and scale it up again.",
            commands: &[
                "kubectl --context CONTEXT -n kube-system scale deployment \
                 aws-load-balancer-controller --replicas=0",
                "kubectl mctg reconcile --context CONTEXT --via direct",
                "kubectl --context CONTEXT -n kube-system scale deployment \
                 aws-load-balancer-controller --replicas=2",
            ],
        },
        Repair {
            text: "If both desire it, the clusters share addresses for good: give them pod ranges \
                   that do not overlap.",
            commands: &[],
        },
    ],
};

/// Ledger entries with no target.
pub const PHANTOM_TARGETS: Rule = Rule {
    code: "MCTG106",
    name: "PhantomTargets",
    severity: "warning",
    gist: "its ledger names targets that do not exist",
    when: "A ledger tracks targets that are neither desired nor registered.",
    meaning: "No traffic is lost now. Once another cluster gets one of these addresses, this one \
              takes it for its own and deregisters it (MCTG103).",
    why: "Somebody else deregistered the target, or the controller left its ledger as it was: it \
          writes it only when it registers or deregisters something.",
    repair: &[
        Repair {
            text: "Where no controller runs, the ledger is written anew.",
            commands: &["kubectl mctg reconcile --context CONTEXT --via direct"],
        },
        Repair {
            text: "Beside a controller the entries go by themselves at its next change. To be rid \
                   of them now: scale it to 0, reconcile, and scale it up again.",
            commands: &[],
        },
    ],
};

/// No ledger where one should be.
pub const LEDGER_MISSING: Rule = Rule {
    code: "MCTG107",
    name: "LedgerMissing",
    severity: "warning",
    gist: "nothing records which targets are its own",
    when: "A multi-cluster binding has endpoints, and its ledger (the ConfigMap \
           `aws-lbc-targets-NAME`) does not exist.",
    meaning: "Traffic is served, and nobody knows which targets are this cluster's: none of them is \
              ever taken out when its pod goes.",
    why: "The binding is new and no controller made a pass yet, or somebody deleted the ConfigMap. \
          A controller that runs does not notice that: it read the ConfigMap once, when it started.",
    repair: &[
        Repair {
            text: "Where no controller runs, reconcile writes it. Nothing is deregistered in that \
                   run, since nothing is known to be this cluster's.",
            commands: &["kubectl mctg reconcile --context CONTEXT --via direct"],
        },
        Repair {
            text: "Beside a controller: restart it. It writes the ledger in its first pass.",
            commands: &["kubectl --context CONTEXT -n kube-system rollout restart deployment \
                         aws-load-balancer-controller"],
        },
    ],
};

/// A ledger that cannot be read as one, or cannot be written.
pub const LEDGER_UNUSABLE: Rule = Rule {
    code: "MCTG112",
    name: "LedgerUnusable",
    severity: "critical",
    gist: "its ledger is no ledger",
    when: "The text of a binding's ledger holds an entry that is no `id:port`, or its ConfigMap is \
           immutable.",
    meaning: "Which targets are this cluster's own is not known: nothing of this binding is \
              registered or deregistered by this program, and an immutable ConfigMap stops the \
              controller too.",
    why: "Somebody or something other than the controller wrote the ConfigMap.",
    repair: &[
        Repair {
            text: "Look at it, and take out what is no `id:port`.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE edit configmap aws-lbc-targets-NAME",
            ],
        },
        Repair {
            text: "If it cannot be mended, delete it. Without a ledger nothing is deregistered: \
                   the next pass or reconcile writes down what the endpoints ask for.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE delete configmap aws-lbc-targets-NAME",
                "kubectl mctg reconcile tgb/NAME -n NAMESPACE --context CONTEXT --via direct",
            ],
        },
    ],
};

/// Traffic that should come does not.
pub const MISSING_TARGETS: Rule = Rule {
    code: "MCTG201",
    name: "MissingTargets",
    severity: "critical if none of the binding's targets is registered, else warning",
    gist: "ready endpoints get no traffic",
    when: "Endpoints of the binding are ready and the group can take them, but they are not \
           registered, or are draining.",
    meaning: "These pods or nodes get no traffic from the load balancer; the others carry their \
              part.",
    why: "Somebody deregistered them by hand, another cluster took them out (MCTG101, MCTG103), a \
          registration failed, or no controller runs. A controller that runs may not notice for \
          hours: it skips a binding whose endpoints did not change.",
    repair: &[
        Repair {
            text: "See what would be done, then do it.",
            commands: &[
                "kubectl mctg diff --context CONTEXT",
                "kubectl mctg reconcile --context CONTEXT",
            ],
        },
        Repair {
            text: "What reconcile leaves to a live controller comes back when that looks again: \
                   clear its checkpoint.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE annotate targetgroupbindings.elbv2.k8s.aws NAME \
                         elbv2.k8s.aws/checkpoint- elbv2.k8s.aws/checkpoint-timestamp-",
            ],
        },
    ],
};

/// Traffic goes to what is no longer an endpoint.
pub const STALE_TARGETS: Rule = Rule {
    code: "MCTG202",
    name: "StaleTargets",
    severity: "warning",
    gist: "traffic goes to what is no longer an endpoint",
    when: "Targets are registered and in the cluster's ledger, and no endpoint desires them any more.",
    meaning: "While they are healthy for AWS, connections go to an address that this cluster no \
              longer serves from; when they are unhealthy, they only take up room.",
    why: "The pod went while no controller ran, or a deregistration failed.",
    repair: &[Repair {
        text: "See what would be done, then do it. Only what the ledger tracks and nobody desires \
               is deregistered.",
        commands: &[
            "kubectl mctg diff --context CONTEXT",
            "kubectl mctg reconcile --context CONTEXT",
        ],
    }],
};

/// Fine now, leaks when the pod dies.
pub const UNTRACKED_TARGETS: Rule = Rule {
    code: "MCTG203",
    name: "UntrackedTargets",
    severity: "warning",
    gist: "some of its targets are in no ledger",
    when: "Targets are registered and desired by the binding, and its ledger does not track them.",
    meaning: "Traffic is served. When the pod goes, nobody knows that the target was this \
              cluster's, and it stays in the group.",
    why: "They were registered by hand, or the ledger was edited or restored from an old copy.",
    repair: &[
        Repair {
            text: "Where no controller runs, reconcile writes them into the ledger.",
            commands: &["kubectl mctg reconcile --context CONTEXT --via direct"],
        },
        Repair {
            text: "A controller writes its whole ledger at its next change of endpoints. To have \
                   it now: scale it to 0, reconcile, and scale it up again.",
            commands: &[],
        },
    ],
};

/// Registered, and claimed by nobody.
pub const UNCLAIMED_TARGETS: Rule = Rule {
    code: "MCTG204",
    name: "UnclaimedTargets",
    severity: "info; warning if one of them is not healthy",
    gist: "no cluster claims some of the targets",
    when: "Every context of the reading set was read, more than one cluster among them, and no \
           cluster desires or tracks these registered targets.",
    meaning: "They get traffic, and no cluster will ever take them out.",
    why: "Something outside Kubernetes registered them, they belong to a cluster that is not in the \
          reading set, or a cluster went without cleaning up.",
    repair: &[
        Repair {
            text: "Make sure that every cluster which uses the group is read.",
            commands: &["kubectl mctg status --all-contexts"],
        },
        Repair {
            text: "If nobody answers for them, take out those that fail their health checks, or whose \
                   instance is gone. Every context of the kubeconfig must be read for that; see the \
                   plan first.",
            commands: &[
                "kubectl mctg diff --prune-unclaimed --context CONTEXT",
                "kubectl mctg reconcile --prune-unclaimed --context CONTEXT",
            ],
        },
        Repair {
            text: "If a cluster is gone for good and its context is still in the kubeconfig, say so: what \
                   only that cluster claimed is then unclaimed. A context that answers is not lost.",
            commands: &[
                "kubectl mctg reconcile --prune-unclaimed --context CONTEXT --lost GONE_CONTEXT",
            ],
        },
        Repair {
            text: "Those that pass their checks stay unless you name them too. Nothing else takes them \
                   out.",
            commands: &[
                "kubectl mctg reconcile --prune-unclaimed --include-healthy --context CONTEXT",
            ],
        },
    ],
};

/// The group does not exist.
pub const TARGET_GROUP_GONE: Rule = Rule {
    code: "MCTG207",
    name: "TargetGroupGone",
    severity: "critical",
    gist: "its target group does not exist",
    when: "AWS does not know the target group that the binding names.",
    meaning: "The cluster serves nothing through this binding.",
    why: "The cluster that owns the load balancer deleted its Service, Ingress or Gateway, and the \
          target group went with it; or the binding names a group that never was, or one of another \
          account.",
    repair: &[
        Repair {
            text: "See what the binding names, and with which account it is looked up.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE get targetgroupbindings.elbv2.k8s.aws NAME -o yaml",
                "aws sts get-caller-identity",
            ],
        },
        Repair {
            text: "If the group was made anew, make the binding anew too: its ARN cannot be changed.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE delete targetgroupbindings.elbv2.k8s.aws NAME",
            ],
        },
    ],
};

/// Bindings, and nobody to serve them.
pub const CONTROLLER_ABSENT: Rule = Rule {
    code: "MCTG301",
    name: "ControllerAbsent",
    severity: "warning; info where this program's CronJob is there",
    gist: "no controller serves its bindings",
    when: "A cluster has bindings, and no AWS Load Balancer Controller is installed or wants \
           replicas.",
    meaning: "Nothing follows the pods of this cluster: what dies stays registered, what starts \
              gets no traffic.",
    why: "The controller was removed or scaled to 0, or this program is meant to stand in for it.",
    repair: &[
        Repair {
            text: "Install the controller, or scale it up.",
            commands: &["kubectl --context CONTEXT -n kube-system scale deployment \
                         aws-load-balancer-controller --replicas=2"],
        },
        Repair {
            text: "Until then, reconcile does its work once.",
            commands: &["kubectl mctg reconcile --context CONTEXT --via direct"],
        },
    ],
};

/// A Service or port that a binding names and the cluster does not have.
pub const BACKEND_NOT_FOUND: Rule = Rule {
    code: "MCTG305",
    name: "BackendNotFound",
    severity: "critical",
    gist: "its Service or port does not exist",
    when: "The Service that a binding names does not exist in its namespace, or has no port of \
           that name or number.",
    meaning: "The binding desires nothing: whoever reconciles it takes its targets out.",
    why: "The Service was deleted or renamed, or its port was, and the binding stayed. A port in \
          quotes is a name: `\"80\"` is not port 80.",
    repair: &[
        Repair {
            text: "See what the Service offers, and bring back the port or name the right one.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE get service",
                "kubectl --context CONTEXT -n NAMESPACE edit targetgroupbindings.elbv2.k8s.aws NAME",
            ],
        },
        Repair {
            text: "If this cluster is to leave the group: see what would be taken out.",
            commands: &["kubectl mctg diff tgb/NAME -n NAMESPACE --context CONTEXT"],
        },
    ],
};

/// No healthy target at all.
pub const FAIL_OPEN: Rule = Rule {
    code: "MCTG412",
    name: "FailOpen",
    severity: "critical",
    gist: "no target is healthy, so traffic goes everywhere",
    when: "A target group has targets, and none of them is healthy.",
    meaning: "The load balancer fails open: it sends traffic to every target, healthy or not. It \
              may look as if it worked.",
    why: "Every cluster is down at once, or the health check cannot pass: wrong port or path, a \
          security group that does not let the load balancer in.",
    repair: &[
        Repair {
            text: "Look at AWS's reason for each target.",
            commands: &["kubectl mctg status NAME -o wide"],
        },
        Repair {
            text: "`Target.Timeout` points at security groups, `Target.FailedHealthChecks` and \
                   `Target.ResponseCodeMismatch` at the pods or the health check's settings.",
            commands: &["aws elbv2 describe-target-groups --target-group-arns ARN"],
        },
    ],
};

/// One cluster serves everything.
pub const SINGLE_CLUSTER: Rule = Rule {
    code: "MCTG501",
    name: "SingleCluster",
    severity: "warning",
    gist: "one cluster serves everything",
    when: "A shared target group is bound by two clusters or more, or meant to be, and all its \
           healthy targets belong to one.",
    meaning: "Losing that cluster loses the service. That is right in the middle of a migration, \
              and not what a shared group is for.",
    why: "The other cluster is not bound yet, has no ready pods, or its targets are not healthy.",
    repair: &[
        Repair {
            text: "See what each cluster wants and what AWS says about it.",
            commands: &["kubectl mctg status NAME -o wide"],
        },
        Repair {
            text: "If it is meant to be so, leave it out for this binding.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE annotate targetgroupbindings.elbv2.k8s.aws NAME \
                         mctg.dev/ignore=MCTG501",
            ],
        },
    ],
};

/// A context does not answer.
pub const CONTEXT_UNREACHABLE: Rule = Rule {
    code: "MCTG901",
    name: "ContextUnreachable",
    severity: "critical",
    gist: "it did not answer",
    when: "The API server of a context could not be reached, did not know the user, or did not \
           answer in time.",
    meaning: "Traffic is not touched by this. What that cluster wants and tracks is not known, so \
              targets that may be its own are `unknown`, and nothing that it may still serve from \
              is deregistered.",
    why: "A VPN that is down, an endpoint that admits other addresses only, credentials that \
          expired, a cluster that is gone.",
    repair: &[
        Repair {
            text: "Try the API server alone.",
            commands: &["kubectl --context CONTEXT get --raw /readyz"],
        },
        Repair {
            text: "If the cluster is of no interest here, leave it out.",
            commands: &["export MCTG_CONTEXTS=CONTEXT,CONTEXT"],
        },
    ],
};

/// A permission is missing.
pub const FORBIDDEN: Rule = Rule {
    code: "MCTG902",
    name: "Forbidden",
    severity: "critical",
    gist: "parts of it may not be read",
    when: "A cluster answers, and refuses to show something that is needed.",
    meaning: "What was refused is not known, and whatever depends on it is `unknown`; nothing is \
              deregistered because of it.",
    why: "The user or ServiceAccount lacks a permission.",
    repair: &[
        Repair {
            text: "See what is allowed.",
            commands: &["kubectl --context CONTEXT auth can-i --list"],
        },
        Repair {
            text: "Needed to read: get and list on targetgroupbindings.elbv2.k8s.aws, services, \
                   endpointslices, pods, nodes, deployments and leases, and get on configmaps.",
            commands: &[],
        },
    ],
};

/// AWS could not be read.
pub const AWS_UNREADABLE: Rule = Rule {
    code: "MCTG903",
    name: "AwsUnreadable",
    severity: "critical",
    gist: "AWS did not tell",
    when: "A call to Elastic Load Balancing failed: no or expired credentials, a missing \
           permission, a role that is refused, throttling, an answer that makes no sense.",
    meaning: "What is registered in the group, or how healthy it is, is not known. Nothing is \
              changed there.",
    why: "The message has AWS's own reason.",
    repair: &[
        Repair {
            text: "See who you are for AWS, then sign in or choose another profile.",
            commands: &[
                "aws sts get-caller-identity",
                "kubectl mctg status --profile PROFILE",
                "kubectl mctg status --profile CONTEXT=PROFILE",
            ],
        },
        Repair {
            text: "Needed to read: elasticloadbalancing:Describe* on all resources.",
            commands: &[],
        },
    ],
};

/// The group's owner is not among the contexts read.
pub const OWNER_NOT_READ: Rule = Rule {
    code: "MCTG904",
    name: "OwnerNotRead",
    severity: "critical",
    gist: "the cluster that owns the group was not read",
    when: "The group's tag `elbv2.k8s.aws/cluster` names a cluster that is none of those read.",
    meaning: "That cluster may want and track targets of the group. Those that nobody else claims \
              are `unknown`, and what may be its own is not deregistered.",
    why: "The owner's context is missing in the kubeconfig.",
    repair: &[Repair {
        text: "Add it to the kubeconfig, and look again.",
        commands: &[
            "aws eks update-kubeconfig --name CLUSTER --region REGION",
            "kubectl mctg status --all-contexts",
        ],
    }],
};

/// Every rule, by code.
pub const ALL: &[&Rule] = &[
    &EXCLUSIVE_BINDING,
    &CONTESTED_TARGET,
    &PHANTOM_TARGETS,
    &LEDGER_MISSING,
    &LEDGER_UNUSABLE,
    &MISSING_TARGETS,
    &STALE_TARGETS,
    &UNTRACKED_TARGETS,
    &UNCLAIMED_TARGETS,
    &TARGET_GROUP_GONE,
    &CONTROLLER_ABSENT,
    &BACKEND_NOT_FOUND,
    &FAIL_OPEN,
    &SINGLE_CLUSTER,
    &CONTEXT_UNREACHABLE,
    &FORBIDDEN,
    &AWS_UNREADABLE,
    &OWNER_NOT_READ,
];

/// Writes the catalogue as the Markdown of `docs/findings.md`.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Findings\n\n\
         Made from `src/findings/catalogue.rs`; `MCTG_BLESS=1 cargo test` writes it anew.\n\
         `kubectl mctg explain CODE` shows the same on a terminal. Words in capitals stand for\n\
         names of yours.\n\n\
         | code | name | severity |\n|---|---|---|\n",
    );
    for rule in ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| [{}](#{}) | {} | {} |",
            rule.code,
            format!("{}-{}", rule.code, rule.name).to_lowercase(),
            rule.name,
            rule.severity
        );
    }
    for rule in ALL {
        let _ = write!(
            text,
            "\n## {} {}\n\nSeverity: {}.\n\n**When.** {}\n\n**What it means.** {}\n\n**Why it happens.** {}\n\n**Repair.**\n\n",
            rule.code, rule.name, rule.severity, rule.when, rule.meaning, rule.why
        );
        for repair in rule.repair {
            let _ = writeln!(text, "- {}", repair.text);
            if !repair.commands.is_empty() {
                let commands = repair.commands.join("\n  ");
                let _ = writeln!(text, "\n  ```sh\n  {commands}\n  ```\n");
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_the_catalogue_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/findings.md");
        #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
        if std::env::var_os("MCTG_BLESS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let document = std::fs::read_to_string(path).unwrap_or_default();
        assert!(document == markdown(), "docs/findings.md is behind: run MCTG_BLESS=1 cargo test");
    }

    #[test]
    fn a_code_is_known_once_and_the_list_is_sorted() {
        assert!(ALL.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn a_rule_is_found_by_code_by_digits_and_by_name_in_any_case() {
        for query in ["MCTG201", "mctg201", "201", "MissingTargets", "missingtargets", " 201 "] {
            assert_eq!(find(query), Some(&MISSING_TARGETS), "{query}");
        }
        for query in ["", "MCTG", "MCTG999", "20", "Missing", "mctgé"] {
            assert_eq!(find(query), None, "{query}");
        }
    }

    #[test]
    fn repairs_name_only_verbs_that_exist() {
        const VERBS: [&str; 7] =
            ["status", "diff", "reconcile", "explain", "demo", "completion", "version"];
        let commands = ALL.iter().flat_map(|rule| rule.repair).flat_map(|repair| repair.commands);
        for command in commands.filter(|command| command.starts_with("kubectl mctg ")) {
            let verb = command.split_whitespace().nth(2).unwrap_or_default();
            assert!(VERBS.contains(&verb), "{command}");
        }
    }

    #[test]
    fn only_what_could_not_be_read_is_incompleteness() {
        let codes: Vec<_> =
            ALL.iter().filter(|rule| rule.is_incompleteness()).map(|rule| rule.code).collect();
        assert_eq!(codes, ["MCTG901", "MCTG902", "MCTG903", "MCTG904"]);
    }
}
