//! 6xx: the lines of `check`, whether sharing can work in a cluster.

use super::{Repair, Rule};

/// The API server answers.
pub const REACHABLE: Rule = Rule {
    code: "MCTG601",
    name: "Reachable",
    severity: "critical, told as MCTG901",
    gist: "it did not answer",
    when: "`check` asks the API server of each context for its version. One that does not answer is \
           found as MCTG901, and nothing else of it is checked.",
    meaning: "Nothing can be read or done there. Traffic is not touched by this.",
    why: "A VPN that is down, an endpoint that admits other addresses only, credentials that \
          expired, a cluster that is gone.",
    repair: &[
        Repair {
            text: "Try the API server alone.",
            commands: &["kubectl --context CONTEXT get --raw /readyz"],
        },
        Repair {
            text: "If the cluster is of no interest here, leave it out.",
            commands: &["kubectl mctg check --context CONTEXT"],
        },
    ],
};

/// The CRD is there, with the flag.
pub const BINDING_TYPE: Rule = Rule {
    code: "MCTG602",
    name: "BindingType",
    severity: "critical",
    gist: "its CRD is missing or too old to share a target group",
    when: "A cluster has no type TargetGroupBinding (elbv2.k8s.aws), or the type has no field \
           `multiClusterTargetGroup`.",
    meaning: "Without the type nothing can be bound. Without the field the API server drops the flag \
              from whatever is written, and the binding is exclusive: its controller takes the \
              targets of other clusters out.",
    why: "Sharing came with 2.10. Helm installs CRDs and never upgrades them, so the type can be \
          older than the controller.",
    repair: &[
        Repair {
            text: "Apply the CRDs of the newest chart; they serve older controllers too.",
            commands: &["kubectl --context CONTEXT apply --server-side --force-conflicts -f \
                 https://raw.githubusercontent.com/aws/eks-charts/master/stable/aws-load-balancer-controller/crds/crds.yaml"],
        },
        Repair {
            text: "Then see that the type has the field.",
            commands: &["kubectl --context CONTEXT explain \
                 targetgroupbindings.spec.multiClusterTargetGroup --api-version=elbv2.k8s.aws/v1beta1"],
        },
        Repair {
            text: "If the cluster is not meant to share anything, leave it out.",
            commands: &["export MCTG_CONTEXTS=CONTEXT,CONTEXT"],
        },
    ],
};

/// The controller is there, new enough and at work.
pub const CONTROLLER_READY: Rule = Rule {
    code: "MCTG603",
    name: "ControllerReady",
    severity: "critical; warning where none is installed and --pre was not given",
    gist: "its controller is absent, too old or not at work",
    when: "A cluster has no AWS Load Balancer Controller that wants replicas and no CronJob of this \
           program either; or its controller is older than 2.10, or its Deployment has no ready \
           replica and no Lease of it is fresh.",
    meaning: "Nothing follows the pods of this cluster, or what does takes out what is not its own.",
    why: "The controller was never installed, was scaled to 0, cannot start, or was not upgraded.",
    repair: &[
        Repair {
            text: "See how its pods are.",
            commands: &["kubectl --context CONTEXT get pods -A -l \
                         app.kubernetes.io/name=aws-load-balancer-controller"],
        },
        Repair {
            text: "Install or upgrade it, the CRDs first.",
            commands: &[
                "helm --kube-context CONTEXT upgrade --install aws-load-balancer-controller \
                 eks/aws-load-balancer-controller -n kube-system --set clusterName=NAME",
            ],
        },
        Repair {
            text: "Where none is wanted, this program does its work in a CronJob.",
            commands: &["kubectl mctg manifests --help"],
        },
    ],
};

/// The controller's flags.
pub const CONTROLLER_FLAGS: Rule = Rule {
    code: "MCTG604",
    name: "ControllerFlags",
    severity: "warning",
    gist: "its controller runs with flags that matter for sharing",
    when: "The controller's `--cluster-name` is that of another cluster's controller or not the \
           cluster's EKS name, its `--watch-namespace` leaves bindings out, or a flag makes it find \
           other endpoints than this program does.",
    meaning: "With a shared `--cluster-name` each controller takes the other's load balancers and \
              security-group rules for its own. Bindings outside of the watched namespace are served \
              by nobody. Where endpoints are found by other rules, missing and stale targets may be \
              meant.",
    why: "The flags were copied from another cluster, or chosen for something else.",
    repair: &[Repair {
        text: "See the flags, and set the ones named through the chart's values.",
        commands: &["kubectl --context CONTEXT get deployments -A -l \
                     app.kubernetes.io/name=aws-load-balancer-controller -o yaml"],
    }],
};

/// Known bugs of the controller.
pub const KNOWN_BUGS: Rule = Rule {
    code: "MCTG605",
    name: "KnownBugs",
    severity: "as the worst of them: warning or critical; milder ones pass",
    gist: "its controller has known bugs that matter here",
    when: "The controller's version has a known bug about something that the cluster's bindings use.",
    meaning: "The message has each bug's number among the controller's issues, what goes wrong and \
              what to do meanwhile.",
    why: "The version is from before the bug was mended, or nobody has mended it yet.",
    repair: &[Repair {
        text: "Upgrade the CRDs, then the controller.",
        commands: &[
            "kubectl --context CONTEXT apply --server-side --force-conflicts -f \
             https://raw.githubusercontent.com/aws/eks-charts/master/stable/aws-load-balancer-controller/crds/crds.yaml",
            "helm --kube-context CONTEXT upgrade aws-load-balancer-controller \
             eks/aws-load-balancer-controller -n kube-system --reuse-values",
        ],
    }],
};

/// Somebody is behind the webhook.
pub const WEBHOOK_SERVED: Rule = Rule {
    code: "MCTG606",
    name: "WebhookServed",
    severity: "critical",
    gist: "nobody is behind its webhook, so no binding can be written",
    when: "A webhook must answer before a TargetGroupBinding is created or updated, and its Service \
           has no ready endpoint.",
    meaning: "The API server refuses every binding that is created or changed, the removal of a \
              checkpoint or finalizer included. Traffic is not touched by this.",
    why: "The controller is down or scaled to 0, or was taken away without its webhook \
          configurations.",
    repair: &[
        Repair {
            text: "Bring the controller back.",
            commands: &[
                "kubectl --context CONTEXT get pods -A -l \
                 app.kubernetes.io/name=aws-load-balancer-controller",
                "kubectl --context CONTEXT -n kube-system scale deployment \
                 aws-load-balancer-controller --replicas=2",
            ],
        },
        Repair {
            text: "If it is gone for good: its webhooks go too. They also serve Services, Ingresses \
                   and pods.",
            commands: &["kubectl --context CONTEXT delete mutatingwebhookconfigurations,\
                 validatingwebhookconfigurations aws-load-balancer-webhook"],
        },
    ],
};

/// What this user may do.
pub const PERMISSIONS: Rule = Rule {
    code: "MCTG607",
    name: "Permissions",
    severity: "critical for verbs that read, warning for those that change something",
    gist: "this user may not do what the verbs need",
    when: "The API server says that this user may not do something that a verb needs, neither in \
           the whole cluster nor in the namespaces of its bindings.",
    meaning: "The verb named would be incomplete or fail there. What is optional is told, and is \
              nothing wrong.",
    why: "No role grants it.",
    repair: &[
        Repair {
            text: "See what is granted.",
            commands: &["kubectl --context CONTEXT auth can-i --list"],
        },
        Repair {
            text: "Have what the message names granted. docs/in-cluster.md lists every rule with its \
                   reason.",
            commands: &[],
        },
        Repair {
            text: "Who only reads leaves it out.",
            commands: &["kubectl mctg check --ignore MCTG607"],
        },
    ],
};

/// What a ServiceAccount may do.
pub const SERVICE_ACCOUNT: Rule = Rule {
    code: "MCTG608",
    name: "ServiceAccountPermissions",
    severity: "critical",
    gist: "the ServiceAccount may not do what reconcile needs",
    when: "`--service-account` names one, and the API server says that it may not do something that \
           `reconcile` needs.",
    meaning: "A CronJob with this ServiceAccount would fail or leave work undone.",
    why: "The roles of `manifests` were not applied, are of an older version, or name other \
          bindings; or there is no such ServiceAccount.",
    repair: &[
        Repair {
            text: "See whether it is there, and what it may do.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE get serviceaccount NAME",
                "kubectl --context CONTEXT auth can-i --list --as \
                 system:serviceaccount:NAMESPACE:NAME -n NAMESPACE",
            ],
        },
        Repair { text: "Print its roles anew.", commands: &["kubectl mctg manifests --help"] },
    ],
};

/// Something is bound.
pub const BOUND: Rule = Rule {
    code: "MCTG609",
    name: "Bound",
    severity: "warning",
    gist: "nothing is bound there yet",
    when: "A cluster has no TargetGroupBinding, and `--pre` was not given.",
    meaning: "There is nothing to share yet, and what AWS lets be read could be tried only in part.",
    why: "The cluster is new, or not meant to share anything.",
    repair: &[
        Repair {
            text: "Check a cluster before anything is bound.",
            commands: &["kubectl mctg check --pre --context CONTEXT"],
        },
        Repair {
            text: "If the cluster is of no interest here, leave it out.",
            commands: &["export MCTG_CONTEXTS=CONTEXT,CONTEXT"],
        },
    ],
};

/// AWS knows who asks.
pub const AWS_CREDENTIALS: Rule = Rule {
    code: "MCTG610",
    name: "AwsCredentials",
    severity: "critical",
    gist: "AWS does not take its credentials",
    when: "With the credentials of a context, or a role that its bindings name, AWS does not answer \
           because it does not know who asks.",
    meaning: "Nothing can be read of the target groups, and nothing changed.",
    why: "No credentials are found, they expired, the profile or region is missing, the role is \
          refused, or the clock is off by more than five minutes.",
    repair: &[Repair {
        text: "See who you are for AWS, then sign in or choose another profile.",
        commands: &[
            "aws sts get-caller-identity",
            "kubectl mctg check --profile PROFILE",
            "kubectl mctg check --profile CONTEXT=PROFILE",
        ],
    }],
};

/// AWS lets be read what is needed.
pub const AWS_READS: Rule = Rule {
    code: "MCTG611",
    name: "AwsReads",
    severity: "critical; told as MCTG903 where no answer came",
    gist: "AWS refuses calls that are needed",
    when: "A call that `status` and `reconcile` make to read a target group or its load balancer is \
           refused. Each is tried once for each credentials, on a group that is bound there.",
    meaning: "What the call tells is not known to any verb, and what depends on it is left alone.",
    why: "The IAM policy does not allow the action that the message names.",
    repair: &[
        Repair {
            text: "Allow it: everything that is read takes elasticloadbalancing:Describe* on all \
                   resources.",
            commands: &["aws sts get-caller-identity"],
        },
        Repair {
            text: "For a CronJob, print the policy.",
            commands: &["kubectl mctg manifests --help"],
        },
    ],
};

/// The clocks agree.
pub const CLOCKS: Rule = Rule {
    code: "MCTG612",
    name: "Clocks",
    severity: "critical over five minutes, else warning; info where the server tells no time",
    gist: "its clock and ours are apart",
    when: "The API server's clock and the one of this machine are more than 30 seconds apart.",
    meaning: "What is younger than a minute is left alone by every verb, and that is judged wrongly \
              by the difference. AWS refuses requests signed with a clock that is off by more than \
              five minutes.",
    why: "One of the two does not follow a time server. Where every context is off by the same, it is \
          this machine.",
    repair: &[Repair {
        text: "Compare with a clock that is right, and mend the one that is not.",
        commands: &["date -u"],
    }],
};
