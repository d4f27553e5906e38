//! The world that `--demo` starts with.

use std::time::Duration;

use jiff::Timestamp;

use super::World;
use super::cluster::NewBinding;
use super::elbv2::{Model, NewGroup, NewLoadBalancer, TargetRequest};
use super::world::VPC;
use crate::facts::Reconciler;
use crate::objects::{Key, Kind};
use crate::target::TargetGroupArn;
use crate::{attributes, flag};

/// The pods of each cluster: blue's are in all three zones, green's in the second and third.
const BLUE: [&str; 3] = ["10.0.12.31", "10.0.76.84", "10.0.140.17"];
const GREEN: [&str; 2] = ["10.0.79.52", "10.0.151.60"];

/// The target that is lost behind everybody's back.
const LOST: &str = "10.0.76.84";

impl World {
    /// Makes the world that `--demo` starts with, as it is at `now`.
    ///
    /// Two clusters, `blue` and `green`, share the target group of blue's Service `web/shop`: three
    /// targets and two, over three zones, cross-zone off, the load balancer protected. No
    /// controller is there; this program's CronJob works in its place. One target of blue was taken out behind their back.
    pub fn demo(now: Timestamp) -> Self {
        let age = Duration::from_secs(2 * 3_600);
        let world = Self::new(now.saturating_sub(age).unwrap_or(now));
        let group = world.load_balancers().with(demo_load_balancer);
        let blue = world.add_cluster("blue");
        let green = world.add_cluster("green");
        for (cluster, pods) in [(&blue, &BLUE[..]), (&green, &GREEN[..])] {
            cluster.with(|state| {
                state.add_service("web", "shop", 80, 8080);
                state.reconcilers.push(cron_job());
                for address in pods {
                    state.add_pod("web", "shop", address);
                }
            });
        }
        blue.with(|state| {
            let service = Key::new(Kind::Service, "web", "shop");
            state.annotate(&service, flag::SERVICE_ANNOTATION, "true");
            let attributes = "deletion_protection.enabled=true";
            state.annotate(&service, attributes::SERVICE_ANNOTATION, attributes);
            state.bind(
                &NewBinding::new("web", "k8s-web-shop-8e21c40f7b", "shop", &group).generated(),
            );
        });
        green.with(|state| state.bind(&NewBinding::new("web", "shop-http", "shop", &group)));
        world.converge();
        world.load_balancers().with(|model| lose(model, &group));
        world.advance_to(now);
        world
    }
}

/// The CronJob that stands in for a controller. Nobody runs it here, so it tells no times.
fn cron_job() -> Reconciler {
    Reconciler {
        namespace: "kube-system".to_owned(),
        name: "kubectl-mctg".to_owned(),
        schedule: "*/5 * * * *".to_owned(),
        suspended: false,
        created_at: None,
        last_success: None,
    }
}

fn demo_load_balancer(model: &mut Model) -> TargetGroupArn {
    let load_balancer =
        model.create_load_balancer(&NewLoadBalancer::new("k8s-web-shop-3f9c1b7a2d", VPC));
    let group = model
        .create_target_group(&NewGroup::new("k8s-web-shop-8e21c40f7b", VPC))
        .expect("the name makes an ARN");
    model.create_listener(&load_balancer, "TCP", 80, &[(&group, 1)]).expect("the group is new");
    // What the owner's controller writes (`facts/lbc.md` 6).
    let tags = [
        ("elbv2.k8s.aws/cluster", "blue"),
        ("service.k8s.aws/resource", "web/shop:80"),
        ("service.k8s.aws/stack", "web/shop"),
    ];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    model.edit_group(&group, |group| group.tags.extend(tags.clone()));
    model.edit_load_balancer(&load_balancer, |load_balancer| {
        load_balancer.tags.extend(tags);
        load_balancer
            .attributes
            .insert("deletion_protection.enabled".to_owned(), "true".to_owned());
    });
    group
}

fn lose(model: &mut Model, group: &TargetGroupArn) {
    model
        .deregister_targets(group.as_str(), &[TargetRequest::new(LOST, 8080)])
        .expect("the group is there");
}
