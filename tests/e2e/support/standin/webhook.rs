//! The controller's admission webhook, served over TLS by the test's own process.
//!
//! Its configurations name a Service, as the real ones do. There is no network in which a Service has
//! an address: this one is of type ExternalName and leads to the loopback, and the EndpointSlice
//! beside it is there for those who look whether somebody is behind it.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mctg::binding::{BindingSpec, Flavour};
use mctg::cluster::Cluster as _;
use mctg::cluster::kube::{KubeCluster, Settings};
use mctg::sim::LoadBalancers;
use mctg::sim::controller::admission::{self, MUTATE_PATH, VALIDATE_PATH};
use mctg::sim::world::VPC;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::cluster::{Cluster, until};
use crate::support::objects::binding;

/// The name of both configurations.
const NAME: &str = "aws-load-balancer-webhook";

const SERVICE: &str = "aws-load-balancer-webhook-service";
const NAMESPACE: &str = "kube-system";

/// A webhook that has its name, its port and its certificate; it answers while [`Self::serve`] runs.
pub(super) struct Webhook {
    port: u16,
    tls: Arc<ServerConfig>,
    certificate: Vec<u8>,
    judge: Judge,
}

/// What judges bindings.
#[derive(Clone)]
struct Judge {
    reader: Arc<KubeCluster>,
    load_balancers: LoadBalancers,
}

impl Webhook {
    /// Takes a port, and makes itself known to the API server.
    pub(super) async fn install(
        cluster: &Cluster,
        load_balancers: LoadBalancers,
    ) -> (Self, TcpListener) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a loopback port is free");
        let name = format!("{SERVICE}.{NAMESPACE}.svc");
        let made = rcgen::generate_simple_self_signed(vec![name]).expect("a key can be made");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("it is a key");
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows them")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("the key fits the certificate");
        let reader = KubeCluster::new("controller", cluster.client(), Settings::default());
        let webhook = Self {
            port: listener.local_addr().expect("it is bound").port(),
            tls: Arc::new(tls),
            certificate: made.cert.der().to_vec(),
            judge: Judge { reader: Arc::new(reader), load_balancers },
        };
        for manifest in webhook.manifests() {
            cluster.put(manifest).await;
        }
        (webhook, listener)
    }

    /// Waits until the API server asks it.
    pub(super) async fn asked(cluster: &Cluster) {
        let mut nonsense = binding("default", "is-the-webhook-asked", "");
        nonsense["spec"]["targetGroupName"] = json!("");
        until("the API server asks the webhook", async || {
            match cluster.rehearse(&nonsense).await {
                Err(why) => why.contains("must provide either TargetGroupARN or TargetGroupName"),
                Ok(_) => false,
            }
        })
        .await;
    }

    /// Takes its port again.
    pub(super) async fn listen(&self) -> TcpListener {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        listener.expect("nobody took the port")
    }

    /// What serves it, to be spawned.
    pub(super) fn serve(&self, listener: TcpListener) -> impl Future<Output = ()> + Send + 'static {
        let (tls, judge) = (TlsAcceptor::from(Arc::clone(&self.tls)), self.judge.clone());
        async move {
            let mut connections = JoinSet::new();
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(serve_connection(stream, tls.clone(), judge.clone()));
                }
                while connections.try_join_next().is_some() {}
            }
        }
    }

    /// Says whether somebody is behind its Service.
    pub(super) async fn show(cluster: &Cluster, ready: bool) {
        cluster
            .put(json!({
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "namespace": NAMESPACE, "name": format!("{SERVICE}-slice"),
                    "labels": { "kubernetes.io/service-name": SERVICE },
                },
                "addressType": "IPv4",
                "endpoints": [{ "addresses": ["10.0.0.200"], "conditions": { "ready": ready } }],
                "ports": [{ "name": "webhook-server", "port": 9443, "protocol": "TCP" }],
            }))
            .await;
    }

    fn manifests(&self) -> [Value; 3] {
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(&self.certificate)
        );
        let configuration = |kind: &str, name: &str, path: &str| {
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": { "name": NAME },
                "webhooks": [{
                    "name": name,
                    "admissionReviewVersions": ["v1"],
                    "clientConfig": {
                        "caBundle": STANDARD.encode(&pem),
                        "service": {
                            "namespace": NAMESPACE, "name": SERVICE, "path": path, "port": self.port,
                        },
                    },
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "rules": [{
                        "apiGroups": ["elbv2.k8s.aws"], "apiVersions": ["v1beta1"],
                        "operations": ["CREATE", "UPDATE"], "resources": ["targetgroupbindings"],
                    }],
                }],
            })
        };
        [
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": { "namespace": NAMESPACE, "name": SERVICE },
                "spec": { "type": "ExternalName", "externalName": "localhost" },
            }),
            configuration(
                "MutatingWebhookConfiguration",
                "mtargetgroupbinding.elbv2.k8s.aws",
                MUTATE_PATH,
            ),
            configuration(
                "ValidatingWebhookConfiguration",
                "vtargetgroupbinding.elbv2.k8s.aws",
                VALIDATE_PATH,
            ),
        ]
    }
}

async fn serve_connection(stream: TcpStream, tls: TlsAcceptor, judge: Judge) {
    // Who does not trust us has his reasons.
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(|request| judge.respond(request));
    let connection = hyper::server::conn::http1::Builder::new();
    // Clients end connections.
    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
}

impl Judge {
    async fn respond(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        let review: Value = serde_json::from_slice(&body).unwrap_or_default();
        let answer = match path.as_str() {
            MUTATE_PATH => self.mutate(&review["request"]),
            VALIDATE_PATH => self.validate(&review["request"]).await,
            _ => Err("404 page not found".to_owned()),
        };
        let mut response = match answer {
            Ok(Some(patch)) => json!({
                "allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string()),
            }),
            Ok(None) => json!({ "allowed": true }),
            Err(why) => json!({
                "allowed": false, "status": { "code": 403, "reason": "Forbidden", "message": why },
            }),
        };
        response["uid"] = review["request"]["uid"].clone();
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
        });
        let body = Full::new(Bytes::from(review.to_string()));
        let answer = Response::builder().header("content-type", "application/json").body(body);
        Ok(answer.expect("the header is fine"))
    }

    fn mutate(&self, request: &Value) -> Result<Option<Value>, String> {
        if request["operation"] != "CREATE" {
            return Ok(None);
        }
        let before = &request["object"]["spec"];
        let spec = parse(before)?;
        let filled = self.load_balancers.with(|model| admission::fill_in(&spec, model))?;
        let filled = serde_json::to_value(filled).expect("a spec is JSON");
        let filled = filled.as_object().expect("a spec is an object");
        let added = filled.iter().filter(|(key, value)| before.get(*key) != Some(*value));
        let added = added.map(
            |(key, value)| json!({ "op": "add", "path": format!("/spec/{key}"), "value": value }),
        );
        Ok(Some(Value::Array(added.collect())))
    }

    async fn validate(&self, request: &Value) -> Result<Option<Value>, String> {
        let spec = parse(&request["object"]["spec"])?;
        let listed = self.reader.bindings(Flavour::LoadBalancerController, None).await;
        let listed = listed.map_err(|silence| {
            format!("failed to list TargetGroupBindings in the cluster: {}", silence.message)
        })?;
        let uid = request["object"]["metadata"]["uid"].as_str().unwrap_or_default();
        let others = listed.iter().filter(|binding| binding.uid != uid);
        if request["operation"] == "CREATE" {
            let check = |model: &mut _| admission::check_created(&spec, others, model);
            self.load_balancers.with(check)?;
        } else {
            let old = parse(&request["oldObject"]["spec"])?;
            let check = |model: &mut _| admission::check_updated(&spec, &old, others, VPC, model);
            self.load_balancers.with(check)?;
        }
        Ok(None)
    }
}

fn parse(spec: &Value) -> Result<BindingSpec, String> {
    serde_json::from_value(spec.clone()).map_err(|error| error.to_string())
}
