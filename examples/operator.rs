//! An operator that keeps the shared target groups of its cluster as they should be.
//!
//! ```console
//! $ cargo run --example operator
//! ```
//!
//! It stands in for the AWS Load Balancer Controller where none runs: it watches bindings and the
//! endpoints of their Services, reconciles a binding when one of them changes and every five
//! minutes, and ends on Ctrl-C or SIGTERM once what is under way is done.
#![expect(clippy::print_stderr, clippy::disallowed_methods, reason = "a program, not the library")]

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use futures::StreamExt;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use mctg::binding::BindingRef;
use mctg::cluster::kube::{KubeCluster, Settings};
use mctg::elbv2::aws::{AwsLoadBalancers, http_client};
use mctg::plan::Request;
use mctg::reconcile::{Options, Reconciler};
use mctg::report::{Outcome, Reconcile};
use mctg::selection::Selection;

/// What reports call the cluster.
const CONTEXT: &str = "here";

/// How often a binding is looked at though nothing changed: a target may have been lost in AWS.
const INTERVAL: Duration = Duration::from_secs(300);

/// How soon after a run that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// What every reconcile needs; clients and limits are shared.
struct Operator {
    clusters: [KubeCluster; 1],
    load_balancers: AwsLoadBalancers,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::try_default().await?;
    let settings = Settings { timeout: Some(Duration::from_secs(10)), ..Settings::default() };
    // One TLS provider for both, and retries that the environment does not choose.
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .retry_config(RetryConfig::standard())
        .load()
        .await;
    let operator = Operator {
        clusters: [KubeCluster::new(CONTEXT, client.clone(), settings)],
        load_balancers: AwsLoadBalancers::new(config),
    };

    let kind = GroupVersionKind::gvk("elbv2.k8s.aws", "v1beta1", "TargetGroupBinding");
    let resource = ApiResource::from_gvk(&kind);
    let bindings = Api::<DynamicObject>::all_with(client.clone(), &resource);
    let controller = Controller::new_with(bindings, watcher::Config::default(), resource.clone());
    let known = controller.store();
    controller
        // A rollout changes many slices within a second; one run is enough.
        .with_config(Config::default().debounce(Duration::from_secs(1)))
        .watches(Api::<EndpointSlice>::all(client), watcher::Config::default(), move |slice| {
            bindings_of(&known, &resource, &slice)
        })
        .shutdown_on_signal()
        .run(reconcile, after_failure, Arc::new(operator))
        .for_each(|outcome| async {
            if let Err(error) = outcome {
                eprintln!("{error}");
            }
        })
        .await;
    eprintln!("stopped");
    Ok(())
}

/// The bindings of the Service that a slice belongs to.
fn bindings_of(
    known: &Store<DynamicObject>,
    kind: &ApiResource,
    slice: &EndpointSlice,
) -> Vec<ObjectRef<DynamicObject>> {
    let service = slice.labels().get("kubernetes.io/service-name");
    let is_bound = |binding: &&Arc<DynamicObject>| {
        binding.namespace() == slice.namespace()
            && service.is_some_and(|service| binding.data["spec"]["serviceRef"]["name"] == *service)
    };
    let bindings = known.state();
    let bound = bindings.iter().filter(is_bound);
    bound.map(|binding| ObjectRef::from_obj_with(binding.as_ref(), kind.clone())).collect()
}

/// Reconciles one binding. Its group's other bindings are read with it.
async fn reconcile(
    binding: Arc<DynamicObject>,
    operator: Arc<Operator>,
) -> Result<Action, NotAllDone> {
    let binding = BindingRef {
        context: CONTEXT.to_owned(),
        namespace: binding.namespace().unwrap_or_default(),
        name: binding.name_any(),
    };
    let request = Request {
        contexts: [CONTEXT.to_owned()].into(),
        selection: Selection { namespace: Some(binding.namespace.clone()), ..Selection::default() },
        only: Some([binding.clone()].into()),
        may_deregister: true,
        ..Request::default()
    };
    // Other clusters are not read: a target whose address may be theirs by now is left alone.
    let options = Options { request, narrowed: true, ..Options::default() };
    let Operator { clusters, load_balancers } = operator.as_ref();
    let reconciler =
        Reconciler::new(clusters, load_balancers, jiff::Timestamp::now).options(options);
    let report = reconciler.run(None, &|_| {}).await;
    if !report.complete {
        return Err(NotAllDone(Box::new(report)));
    }
    for binding in report.bindings.iter().filter(|it| it.outcome == Outcome::Applied) {
        for step in &binding.steps {
            let (namespace, name) = (&binding.namespace, &binding.name);
            eprintln!("{namespace}/{name}: {:?} {}", step.action, step.targets);
        }
    }
    Ok(Action::requeue(INTERVAL))
}

/// Something of a binding could not be read or done; its report says what.
#[derive(Debug)]
struct NotAllDone(Box<Reconcile>);

impl fmt::Display for NotAllDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = self.0.bindings.iter().filter_map(|binding| binding.reason.as_deref());
        let findings = self.0.findings.iter().map(|finding| finding.message.as_str());
        let all: Vec<&str> = reasons.chain(findings).collect();
        write!(f, "not all done: {}", all.join("; "))
    }
}

impl Error for NotAllDone {}

fn after_failure(_: Arc<DynamicObject>, _: &NotAllDone, _: Arc<Operator>) -> Action {
    Action::requeue(AFTER_FAILURE)
}
