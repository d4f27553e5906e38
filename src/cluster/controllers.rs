//! Which controllers are at work in a cluster (`product.md` 6.2, `facts/lbc.md` 6).
//!
//! What was read decides three ways: a fresh Lease or a ready replica is alive; with both readable
//! and neither a fresh Lease nor a Deployment that wants replicas, it is absent; all else is unknown.

use jiff::{SignedDuration, Timestamp};

use super::differences;
use super::objects::{Container, Deployment, Lease};
use crate::binding::Flavour;
use crate::facts::{Aliveness, Controller, Silence};

/// The Lease by which replicas of the controller elect a leader (`facts/lbc.md` 6).
pub(super) const LEASE: &str = "aws-load-balancer-controller-leader";

/// The namespace and name that every guide installs it under: where to look when nothing may be
/// listed over all namespaces.
pub(super) const USUAL_NAMESPACE: &str = "kube-system";

/// The label that Helm and the plain manifests put on its Deployment.
pub(super) const LABEL: &str = "app.kubernetes.io/name=aws-load-balancer-controller";

/// The Deployment's usual name, and the name of its image and chart.
pub(super) const NAME: &str = "aws-load-balancer-controller";

/// How long after its last renewal a Lease is fresh (`product.md` 6.2).
const FRESH_SECONDS: i64 = 60;

/// The default of `--sync-period` (`facts/lbc.md` 2.2).
const SYNC_PERIOD: SignedDuration = SignedDuration::from_hours(10);

/// What could be read of one kind of trace.
pub(super) struct Trace<T> {
    /// What was found.
    pub(super) found: Vec<T>,
    /// Why there may be more.
    pub(super) hidden: Option<Silence>,
}

/// Says whether a Deployment runs the controller, by its image.
pub(super) fn runs_controller(deployment: &Deployment) -> bool {
    controller_container(deployment).is_some()
}

/// Judges what was found; `now` is the API server's clock, where it told it.
///
/// Returns nothing where everything was read and there is no trace of a controller.
pub(super) fn judge(
    leases: &Trace<Lease>,
    deployments: &Trace<Deployment>,
    now: Option<Timestamp>,
) -> Option<Controller> {
    let newest = leases.found.iter().max_by_key(|lease| lease.spec.renew_time);
    let age = newest
        .and_then(|lease| lease.spec.renew_time)
        .map(|renewed| now.map(|now| now.as_second() - renewed.as_second()));
    let fresh = matches!(age, Some(Some(age)) if age <= FRESH_SECONDS);
    let ready = |deployment: &&Deployment| deployment.status.ready_replicas.unwrap_or(0) > 0;
    let wants = |deployment: &&Deployment| deployment.spec.replicas.unwrap_or(1) > 0;
    let all = &deployments.found;
    let shown = all.iter().find(ready).or_else(|| all.iter().find(wants)).or(all.first());
    let hidden = leases.hidden.as_ref().or(deployments.hidden.as_ref());
    if leases.found.is_empty() && all.is_empty() && hidden.is_none() {
        return None;
    }
    let alive = if fresh || all.iter().any(|d| ready(&d)) {
        Aliveness::Alive
    } else if hidden.is_some() || all.iter().any(|d| wants(&d)) || matches!(age, Some(None)) {
        Aliveness::Unknown
    } else {
        Aliveness::Absent
    };
    // Where nothing is hidden, only a Deployment that wants replicas or a clock that is not known
    // leave it open.
    let is_down = alive == Aliveness::Unknown && hidden.is_none() && !matches!(age, Some(None));
    let mut evidence = Vec::new();
    match age {
        Some(Some(age)) => evidence.push(format!("Lease renewed {} ago", duration(age.max(0)))),
        Some(None) => evidence.push("Lease of unknown age: the server told no time".to_owned()),
        None if leases.hidden.is_none() => evidence.push("no Lease".to_owned()),
        None => {}
    }
    match shown {
        Some(deployment) => evidence.push(format!(
            "Deployment {}/{} has {} of {} replicas ready",
            deployment.metadata.namespace,
            deployment.metadata.name,
            deployment.status.ready_replicas.unwrap_or(0),
            deployment.spec.replicas.unwrap_or(1),
        )),
        None if deployments.hidden.is_none() => evidence.push("no Deployment".to_owned()),
        None => {}
    }
    if alive == Aliveness::Unknown {
        evidence.extend(hidden.map(|silence| silence.message.clone()));
    }
    let version = shown.and_then(version);
    Some(Controller {
        flavour: Flavour::LoadBalancerController,
        alive,
        is_down,
        evidence: evidence.join(", "),
        cluster_name: shown.and_then(|deployment| argument(deployment, "cluster-name")),
        watch_namespace: shown
            .and_then(|deployment| argument(deployment, "watch-namespace"))
            .filter(|namespace| !namespace.is_empty()),
        leads_since: newest.and_then(|lease| lease.spec.acquire_time),
        max_targets: shown
            .and_then(|deployment| argument(deployment, "max-targets-per-target-group"))
            .and_then(|limit| limit.parse().ok())
            .filter(|limit| *limit > 0),
        sync_period: shown.and_then(sync_period),
        differs: differences::of(version.as_deref(), |name| {
            shown.and_then(|deployment| argument(deployment, name))
        }),
        version,
    })
}

/// EKS Auto Mode runs outside the cluster: nothing inside shows whether it is at work.
pub(super) fn auto_mode() -> Controller {
    Controller {
        flavour: Flavour::AutoMode,
        version: None,
        alive: Aliveness::Unknown,
        is_down: false,
        evidence: "EKS Auto Mode runs outside the cluster: nothing here shows it".to_owned(),
        cluster_name: None,
        watch_namespace: None,
        leads_since: None,
        max_targets: None,
        sync_period: None,
        differs: Vec::new(),
    }
}

/// Reads `--sync-period`, which Go writes as `10h0m0s`; none where it is no duration.
fn sync_period(deployment: &Deployment) -> Option<SignedDuration> {
    match argument(deployment, "sync-period") {
        None => Some(SYNC_PERIOD),
        Some(text) => text.parse().ok().filter(|period| *period > SignedDuration::ZERO),
    }
}

/// Finds the version in the order of trust of `facts/lbc.md` 6: label, image tag, chart.
fn version(deployment: &Deployment) -> Option<String> {
    let labels = &deployment.metadata.labels;
    let label = || labels.get("app.kubernetes.io/version").filter(|v| is_version(v)).cloned();
    let image = || {
        let image = controller_container(deployment)?.image.as_deref()?;
        let name = image.split('@').next()?.rsplit('/').next()?;
        let tag = name.split_once(':')?.1;
        is_version(tag).then(|| tag.to_owned())
    };
    // Charts up to 1.x carried the application's 2.x; since 3.0.0 both have one number.
    let chart = || {
        let chart = labels.get("helm.sh/chart")?.rsplit_once(NAME)?.1.strip_prefix('-')?;
        let (major, rest) = chart.split_once('.')?;
        match major.parse::<u32>().ok()? {
            1 => Some(format!("v2.{rest}")),
            3.. => Some(format!("v{chart}")),
            _ => None,
        }
    };
    label().or_else(image).or_else(chart)
}

fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').unwrap_or(text);
    number.starts_with(|c: char| c.is_ascii_digit()) && number.contains('.')
}

/// Finds a flag among the controller's arguments: `--name=value` or `--name value`, one dash or two.
fn argument(deployment: &Deployment, name: &str) -> Option<String> {
    let container =
        controller_container(deployment).or(deployment.spec.template.spec.containers.first())?;
    let mut words = container.command.iter().chain(&container.args);
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
            continue;
        };
        match flag.split_once('=') {
            Some((key, value)) if key == name => return Some(value.to_owned()),
            None if flag == name => return words.next().cloned(),
            _ => {}
        }
    }
    None
}

fn controller_container(deployment: &Deployment) -> Option<&Container> {
    deployment.spec.template.spec.containers.iter().find(|container| {
        let image = container.image.as_deref().unwrap_or_default();
        let name = image.split('@').next().unwrap_or_default().rsplit('/').next();
        name.is_some_and(|name| name.split(':').next() == Some(NAME))
    })
}

fn duration(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SilenceReason;

    const NOW: &str = "2026-11-23T12:00:00Z";

    fn lease(renewed: &str) -> Lease {
        let text = format!(
            r#"{{"metadata":{{"name":"{LEASE}","namespace":"kube-system"}},"spec":{{"renewTime":"{renewed}"}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn deployment(replicas: u32, ready: u32) -> Deployment {
        let text = format!(
            r#"{{"metadata":{{"name":"{NAME}","namespace":"kube-system","labels":{{"app.kubernetes.io/version":"v3.5.0"}}}},
                "spec":{{"replicas":{replicas},"template":{{"spec":{{"containers":[
                    {{"name":"proxy","image":"envoy:v1.2"}},
                    {{"name":"controller","image":"public.ecr.aws/eks/{NAME}:v3.4.0@sha256:aa","args":["--cluster-name=blue","--v","2"]}}]}}}}}},
                "status":{{"readyReplicas":{ready}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn read<T>(found: Vec<T>) -> Trace<T> {
        Trace { found, hidden: None }
    }

    fn forbidden<T>() -> Trace<T> {
        let silence = Silence::new(SilenceReason::Forbidden, "failed to list: forbidden");
        Trace { found: Vec::new(), hidden: Some(silence) }
    }

    fn alive(leases: &Trace<Lease>, deployments: &Trace<Deployment>) -> Option<Aliveness> {
        judge(leases, deployments, Some(NOW.parse().unwrap())).map(|controller| controller.alive)
    }

    #[test]
    fn a_fresh_lease_or_a_ready_replica_is_alive_even_where_the_other_is_hidden() {
        let fresh = read(vec![lease("2026-11-23T11:59:01.123456Z")]);
        assert_eq!(alive(&fresh, &read(vec![])), Some(Aliveness::Alive));
        assert_eq!(alive(&fresh, &forbidden()), Some(Aliveness::Alive));
        assert_eq!(alive(&forbidden(), &read(vec![deployment(2, 1)])), Some(Aliveness::Alive));
    }

    #[test]
    fn an_old_lease_or_no_replicas_is_absent() {
        let old = read(vec![lease("2026-11-23T11:58:00.000000Z")]);
        assert_eq!(alive(&old, &read(vec![])), Some(Aliveness::Absent));
        assert_eq!(alive(&old, &read(vec![deployment(0, 0)])), Some(Aliveness::Absent));
        assert_eq!(alive(&read(vec![]), &read(vec![])), None);
    }

    #[test]
    fn a_deployment_that_wants_replicas_and_has_none_ready_is_unknown() {
        let old = read(vec![lease("2026-11-23T11:58:00Z")]);
        assert_eq!(alive(&old, &read(vec![deployment(2, 0)])), Some(Aliveness::Unknown));
    }

    #[test]
    fn it_is_down_only_where_everything_was_read_and_replicas_are_wanted_in_vain() {
        let down = |leases: &Trace<Lease>, deployments: &Trace<Deployment>, now: Option<&str>| {
            judge(leases, deployments, now.map(|now| now.parse().unwrap())).unwrap().is_down
        };
        let old = || read(vec![lease("2026-11-23T11:58:00Z")]);
        let wanting = || read(vec![deployment(2, 0)]);
        assert!(down(&old(), &wanting(), Some(NOW)));
        assert!(down(&read(vec![]), &wanting(), Some(NOW)));
        assert!(!down(&old(), &wanting(), None), "how old the Lease is, is not known");
        assert!(!down(&forbidden(), &wanting(), Some(NOW)));
        assert!(!down(&old(), &Trace { found: vec![deployment(2, 0)], ..forbidden() }, Some(NOW)));
        assert!(!down(&old(), &read(vec![deployment(0, 0)]), Some(NOW)), "nobody wants it");
        assert!(!down(&old(), &read(vec![deployment(2, 1)]), Some(NOW)), "a replica is ready");
    }

    #[test]
    fn the_sync_period_is_ten_hours_unless_a_flag_says_otherwise() {
        let period = |argument: Option<&str>| {
            let mut found = deployment(1, 1);
            found.spec.template.spec.containers[1].args =
                argument.map(str::to_owned).into_iter().collect();
            sync_period(&found).map(|period| period.as_mins())
        };
        assert_eq!(period(None), Some(600));
        assert_eq!(period(Some("--sync-period=10h0m0s")), Some(600));
        assert_eq!(period(Some("--sync-period=1h30m")), Some(90));
        assert_eq!(period(Some("--sync-period=1.5h")), Some(90));
        assert_eq!(period(Some("--sync-period=often")), None);
        assert_eq!(period(Some("--sync-period=0s")), None);
    }

    #[test]
    fn what_could_not_be_read_makes_absence_unknown_and_is_said() {
        assert_eq!(alive(&forbidden(), &read(vec![])), Some(Aliveness::Unknown));
        assert_eq!(alive(&read(vec![]), &forbidden()), Some(Aliveness::Unknown));
        let controller = judge(&forbidden(), &read(vec![deployment(0, 0)]), None).unwrap();
        assert_eq!(controller.alive, Aliveness::Unknown);
        assert_eq!(
            controller.evidence,
            "Deployment kube-system/aws-load-balancer-controller has 0 of 0 replicas ready, failed to list: forbidden"
        );
    }

    #[test]
    fn a_lease_without_the_servers_time_is_unknown() {
        let controller = judge(&read(vec![lease(NOW)]), &read(vec![]), None).unwrap();
        assert_eq!(controller.alive, Aliveness::Unknown);
    }

    #[test]
    fn the_version_is_taken_in_the_order_of_trust() {
        let mut found = deployment(1, 1);
        assert_eq!(version(&found).as_deref(), Some("v3.5.0"));
        found.metadata.labels.clear();
        assert_eq!(version(&found).as_deref(), Some("v3.4.0"));
        found.spec.template.spec.containers[1].image =
            Some(format!("mirror:5000/{NAME}@sha256:aa"));
        assert_eq!(version(&found), None);
        for (chart, expected) in
            [("1.10.1", Some("v2.10.1")), ("3.5.0", Some("v3.5.0")), ("x", None)]
        {
            found.metadata.labels.insert("helm.sh/chart".to_owned(), format!("{NAME}-{chart}"));
            assert_eq!(version(&found).as_deref(), expected);
        }
    }

    #[test]
    fn the_cluster_name_is_read_from_the_controllers_own_container() {
        let mut found = deployment(1, 1);
        assert_eq!(argument(&found, "cluster-name").as_deref(), Some("blue"));
        found.spec.template.spec.containers[1].args = vec!["-cluster-name".into(), "red".into()];
        assert_eq!(argument(&found, "cluster-name").as_deref(), Some("red"));
    }
}
