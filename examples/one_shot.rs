//! Reconciles one cluster once, and prints the report as JSON.
//!
//! ```console
//! $ cargo run --example one_shot                    # every shared binding
//! $ cargo run --example one_shot shop svc/cart      # these only
//! ```
//!
//! The cluster is that of the current context, or in a pod the pod's own; the credentials of AWS are
//! its default ones. Only this cluster is read, so nothing is deregistered that another one may have
//! come to own. Exits 1 where something could not be read or done.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program, not the library")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use mctg::cluster::kube::{KubeCluster, Settings};
use mctg::elbv2::aws::{AwsLoadBalancers, http_client};
use mctg::plan::{Cap, Request};
use mctg::reconcile::{Options, Reconciler};
use mctg::selection::Selection;

/// What reports call the cluster.
const CONTEXT: &str = "here";

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let client = kube::Client::try_default().await?;
    let settings = Settings { timeout: Some(Duration::from_secs(10)), ..Settings::default() };
    let clusters = [KubeCluster::new(CONTEXT, client, settings)];

    // One TLS provider for both, and retries that the environment does not choose.
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .retry_config(RetryConfig::standard())
        .load()
        .await;
    let load_balancers = AwsLoadBalancers::new(config);

    let names: Vec<String> = std::env::args().skip(1).collect();
    let request = Request {
        contexts: [CONTEXT.to_owned()].into(),
        selection: Selection { names: Selection::parse_names(&names)?, ..Selection::default() },
        may_deregister: true,
        max_deregister: Some(Cap::Percent(50)),
        ..Request::default()
    };
    let options = Options { request, narrowed: true, ..Options::default() };
    let reconciler =
        Reconciler::new(&clusters, &load_balancers, jiff::Timestamp::now).options(options);
    let report = reconciler.run(None, &|_| {}).await;

    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(if report.complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
