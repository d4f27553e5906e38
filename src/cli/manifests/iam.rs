//! The IAM policy and the trust policy of its role.

use std::collections::BTreeSet;

use mctg::binding::{Binding, Flavour};
use serde_json::{Value, json};

use super::Subject;
use crate::cli::args::{Global, ManifestsArgs, TrustArg, ViaArg};

/// The version of IAM's policy language.
const VERSION: &str = "2012-10-17";

/// The most characters of a managed policy, blanks not counted (IAM quotas).
const POLICY_CHARACTERS_MAX: usize = 6_144;

/// What `reconcile` asks of AWS; `status` asks for more (README).
pub(super) const READS: [&str; 3] =
    ["DescribeTags", "DescribeTargetGroups", "DescribeTargetHealth"];

/// What `reconcile` changes.
pub(super) const WRITES: [&str; 2] = ["DeregisterTargets", "RegisterTargets"];

/// Makes the policy: least privilege for the bindings that are meant.
///
/// What a binding names as role to assume is asked for by that role, which needs the rest.
pub(super) fn policy(subject: &Subject, args: &ManifestsArgs, global: &Global) -> Value {
    let actions = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("elasticloadbalancing:{name}")).collect()
    };
    // Describe calls know no resources.
    let mut statements = vec![json!({
        "Sid": "ReadTargetGroups",
        "Effect": "Allow",
        "Action": actions(&READS),
        "Resource": "*",
    })];
    let region = global.region.as_deref();
    let role = |binding: &Binding| {
        let role = &binding.spec.iam_role_arn_to_assume;
        (!role.is_empty() && !global.no_assume_role).then(|| role.clone())
    };
    let named = || {
        let named = subject.named.iter().flatten();
        named.filter(|binding| binding.flavour == Flavour::LoadBalancerController)
    };
    let groups: BTreeSet<String> = if subject.named.is_none() {
        [format!(
            "arn:{}:elasticloadbalancing:{}:*:targetgroup/*/*",
            partition(region),
            any(region)
        )]
        .into()
    } else {
        named().filter(|binding| role(binding).is_none()).map(|it| resource(it, region)).collect()
    };
    if !groups.is_empty() && args.plan.via != ViaArg::Controller {
        statements.push(json!({
            "Sid": "ChangeTargets",
            "Effect": "Allow",
            "Action": actions(&WRITES),
            "Resource": groups,
        }));
    }
    let mut roles: BTreeSet<String> = named().filter_map(role).collect();
    roles.extend(args.assume_role.iter().cloned());
    if !roles.is_empty() {
        statements.push(json!({
            "Sid": "AssumeRolesOfBindings",
            "Effect": "Allow",
            // The session tags of Pod Identity go along into the role.
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Resource": roles,
        }));
    }
    json!({ "Version": VERSION, "Statement": statements })
}

/// The ARN of a binding's target group, or of all that have the name it gives.
fn resource(binding: &Binding, region: Option<&str>) -> String {
    let spec = &binding.spec;
    if !spec.target_group_arn.is_empty() {
        return spec.target_group_arn.clone();
    }
    let name = &spec.target_group_name;
    let (partition, region) = (partition(region), any(region));
    format!("arn:{partition}:elasticloadbalancing:{region}:*:targetgroup/{name}/*")
}

fn any(region: Option<&str>) -> &str {
    region.unwrap_or("*")
}

/// The partition of a region (the AWS SDKs' `partitions.json`).
fn partition(region: Option<&str>) -> &'static str {
    let Some(region) = region else { return "aws" };
    [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ]
    .into_iter()
    .find(|(prefix, _)| region.starts_with(prefix))
    .map_or("aws", |(_, partition)| partition)
}

/// Makes the trust policy that lets this ServiceAccount alone have the role.
pub(super) fn trust(way: TrustArg, args: &ManifestsArgs) -> Value {
    let (namespace, account) = (&args.job_namespace, &args.name);
    let statement = match way {
        TrustArg::PodIdentity => json!({
            "Sid": "PodIdentity",
            "Effect": "Allow",
            "Principal": { "Service": "pods.eks.amazonaws.com" },
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": { "StringEquals": {
                "aws:RequestTag/kubernetes-namespace": namespace,
                "aws:RequestTag/kubernetes-service-account": account,
            }},
        }),
        TrustArg::Irsa => {
            let provider = args.oidc_provider.as_deref().unwrap_or_default();
            let issuer = provider.split_once("oidc-provider/").map_or("", |(_, issuer)| issuer);
            json!({
                "Sid": "ServiceAccount",
                "Effect": "Allow",
                "Principal": { "Federated": provider },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": { "StringEquals": {
                    (format!("{issuer}:aud")): "sts.amazonaws.com",
                    (format!("{issuer}:sub")): format!("system:serviceaccount:{namespace}:{account}"),
                }},
            })
        }
    };
    json!({ "Version": VERSION, "Statement": [statement] })
}

/// Says that IAM will not take a policy.
pub(super) fn too_long(policy: &Value) -> Option<String> {
    let length = policy.to_string().chars().count();
    (length > POLICY_CHARACTERS_MAX).then(|| {
        format!(
            "warning: the policy has {length} characters, and IAM takes {POLICY_CHARACTERS_MAX}: \
             name fewer bindings, or none"
        )
    })
}
