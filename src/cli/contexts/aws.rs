//! What a context's entries say about AWS: names, profile, region; pure.

use std::collections::BTreeMap;

use kube::config::ExecConfig;

/// What a context's entries say about AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AwsHints {
    /// The profile by which the context's own credential plugin finds credentials.
    pub(crate) profile: Option<String>,
    /// The region it is told, else that of the cluster's ARN.
    pub(crate) region: Option<String>,
}

pub(super) fn hints(cluster_entry: Option<&str>, exec: Option<&ExecConfig>) -> AwsHints {
    let arn = cluster_entry.and_then(parse_arn);
    let find = |variables: &[&str], flags: &[&str]| {
        let exec = exec?;
        flag(exec, flags).or_else(|| variables.iter().find_map(|name| variable(exec, name)))
    };
    AwsHints {
        profile: find(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], &["--profile"]),
        region: find(&["AWS_REGION", "AWS_DEFAULT_REGION"], &["--region"])
            .or_else(|| arn.map(|(region, _)| region.to_owned())),
    }
}

/// Finds the name EKS knows the cluster by: what the credential plugin is told, else the cluster
/// entry as `aws eks update-kubeconfig` (an ARN) or `eksctl` (`name.region.eksctl.io`) writes it.
pub(super) fn eks_name(cluster_entry: Option<&str>, exec: Option<&ExecConfig>) -> Option<String> {
    let told = exec.and_then(|exec| flag(exec, &["--cluster-name", "--cluster-id", "-i"]));
    told.or_else(|| {
        let entry = cluster_entry?;
        let eksctl = || entry.strip_suffix(".eksctl.io")?.split('.').next();
        let name = parse_arn(entry).map(|(_, name)| name).or_else(eksctl)?;
        Some(name.to_owned())
    })
}

/// Shortens EKS ARNs to the cluster's name, where no other context is shown by that name.
pub(super) fn short_names(names: &[String]) -> BTreeMap<String, String> {
    let short = |name: &String| parse_arn(name).map_or(name.clone(), |(_, name)| name.to_owned());
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        *uses.entry(short(name)).or_default() += 1;
    }
    let shown = |name: &String| {
        let short = short(name);
        if uses.get(&short) == Some(&1) { short } else { name.clone() }
    };
    names.iter().map(|name| (name.clone(), shown(name))).collect()
}

/// Splits the ARN of an EKS cluster into region and name.
fn parse_arn(text: &str) -> Option<(&str, &str)> {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", _, "eks", region, _, resource] = fields[..] else { return None };
    let name = resource.strip_prefix("cluster/")?;
    (!region.is_empty() && !name.is_empty()).then_some((region, name))
}

fn flag(exec: &ExecConfig, names: &[&str]) -> Option<String> {
    let mut words = exec.args.iter().flatten();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some((name, value)) if names.contains(&name) => return Some(value.to_owned()),
            None if names.contains(&word.as_str()) => return words.next().cloned(),
            _ => {}
        }
    }
    None
}

fn variable(exec: &ExecConfig, name: &str) -> Option<String> {
    let entry = exec.env.iter().flatten().find(|e| e.get("name").is_some_and(|n| n == name))?;
    entry.get("value").filter(|value| !value.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:eks:us-east-1:111122223333:cluster/blue";

    fn exec(args: &[&str], env: &[(&str, &str)]) -> ExecConfig {
        let env: Vec<_> =
            env.iter().map(|(k, v)| serde_json::json!({"name": k, "value": v})).collect();
        serde_json::from_value(serde_json::json!({"command": "aws", "args": args, "env": env}))
            .unwrap()
    }

    #[test]
    fn the_plugins_own_arguments_name_cluster_profile_and_region() {
        let plugin = exec(
            &[
                "--region",
                "eu-west-1",
                "eks",
                "get-token",
                "--cluster-name=red",
                "--profile",
                "ops",
            ],
            &[("AWS_PROFILE", "other")],
        );
        assert_eq!(eks_name(Some(ARN), Some(&plugin)).as_deref(), Some("red"));
        let expected =
            AwsHints { profile: Some("ops".to_owned()), region: Some("eu-west-1".to_owned()) };
        assert_eq!(hints(Some(ARN), Some(&plugin)), expected);
        let plugin = exec(&["token", "-i", "red"], &[("AWS_PROFILE", "ops")]);
        assert_eq!(eks_name(None, Some(&plugin)).as_deref(), Some("red"));
        assert_eq!(hints(None, Some(&plugin)).profile.as_deref(), Some("ops"));
    }

    #[test]
    fn a_cluster_entry_tells_name_and_region() {
        assert_eq!(eks_name(Some(ARN), None).as_deref(), Some("blue"));
        assert_eq!(hints(Some(ARN), None).region.as_deref(), Some("us-east-1"));
        assert_eq!(eks_name(Some("red.eu-west-1.eksctl.io"), None).as_deref(), Some("red"));
        assert_eq!(eks_name(Some("kind-red"), None), None);
        assert_eq!(hints(Some("kind-red"), None), AwsHints::default());
    }

    #[test]
    fn an_arn_is_shortened_only_where_the_name_stays_unique() {
        let red = ARN.replace("blue", "red");
        let other_red = red.replace("us-east-1", "eu-west-1");
        let names = [ARN.to_owned(), red.clone(), other_red.clone(), "dev".to_owned()];
        let short = short_names(&names);
        assert_eq!(short[ARN], "blue");
        assert_eq!((&short[&red], &short[&other_red]), (&red, &other_red));
        assert_eq!(short["dev"], "dev");
        let taken = short_names(&[ARN.to_owned(), "blue".to_owned()]);
        assert_eq!(taken[ARN], ARN);
    }
}
