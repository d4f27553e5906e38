//! On the wire: a scripted server that answers as ELBv2, STS or nothing at all would.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::config::{Credentials, SharedCredentialsProvider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::elbv2::{ARNS_PER_CALL_MAX, Role};
use crate::target::{Health, HealthState, Target};

const SECRET: &str = "s3cr3t-access-key";

/// What the server does with one request.
enum Answer {
    Xml(u16, String),
    /// The connection is closed without an answer.
    Close,
    /// The request is kept waiting for ever.
    Hang,
}

type Script = Box<dyn FnMut(&Request) -> Answer + Send>;

/// A request's form, and the headers as they came.
#[derive(Clone, Debug)]
struct Request {
    form: BTreeMap<String, String>,
    head: String,
}

impl Request {
    fn action(&self) -> &str {
        &self.form["Action"]
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.form.get(key).map(String::as_str)
    }

    /// The members of a list, in order.
    fn members(&self, list: &str) -> Vec<String> {
        (1..).map_while(|i| self.form.get(&format!("{list}.member.{i}")).cloned()).collect()
    }
}

struct Server {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    async fn start(script: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let log = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { url, requests }
    }

    /// Answers requests one after the other; there is none too many.
    async fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        Self::start(move |request| {
            answers.pop_front().unwrap_or_else(|| panic!("one request too many: {request:?}"))
        })
        .await
    }

    fn actions(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|it| it.action().to_owned()).collect()
    }

    fn last(&self) -> Request {
        self.requests.lock().unwrap().last().unwrap().clone()
    }

    fn load_balancers(&self) -> AwsLoadBalancers {
        AwsLoadBalancers::with_settings(config(), self.settings())
    }

    fn settings(&self) -> Settings {
        Settings {
            endpoint_url: Some(self.url.clone()),
            first_backoff: Duration::from_millis(1),
            ..Settings::default()
        }
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>, log: Arc<Mutex<Vec<Request>>>) {
    let mut received = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut received).await {
        log.lock().unwrap().push(request.clone());
        let answer = script.lock().unwrap()(&request);
        match answer {
            Answer::Xml(status, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n"
                );
                if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                    return;
                }
            }
            Answer::Close => return,
            Answer::Hang => std::future::pending().await,
        }
    }
}

async fn read_request(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<Request> {
    loop {
        let text = String::from_utf8_lossy(received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().unwrap());
            if body.len() >= length {
                let form = body[..length].split('&').filter_map(|pair| pair.split_once('='));
                let form = form.map(|(key, value)| (key.to_owned(), decoded(value))).collect();
                received.drain(..head.len() + 4 + length);
                return Some(Request { form, head: head.to_owned() });
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => received.extend(&buffer[..n]),
        }
    }
}

fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

pub(super) fn config() -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "test");
    SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build()
}

pub(super) fn access() -> Access {
    Access { context: "pri".to_owned(), region: "us-east-1".to_owned(), role: None }
}

fn group_arn(name: &str) -> TargetGroupArn {
    format!(
        "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/{name}/0123456789abcdef"
    )
    .parse()
    .unwrap()
}

fn balancer_arn(name: &str, kind: &str) -> String {
    format!("arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/{kind}/{name}/0123")
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::Xml(
        status,
        format!(
            "<ErrorResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
             <Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>r</RequestId></ErrorResponse>"
        ),
    )
}

fn result(action: &str, inner: &str) -> Answer {
    Answer::Xml(
        200,
        format!(
            "<{action}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
             <{action}Result>{inner}</{action}Result>\
             <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
        ),
    )
}

fn no_targets() -> Answer {
    result("DescribeTargetHealth", "<TargetHealthDescriptions/>")
}

fn group_xml(arn: &str) -> String {
    format!(
        "<member><TargetGroupArn>{arn}</TargetGroupArn><TargetType>ip</TargetType>\
         <IpAddressType>ipv4</IpAddressType><Protocol>TCP</Protocol><Port>80</Port>\
         <VpcId>vpc-1</VpcId></member>"
    )
}

/// Answers as ELBv2 does: one of the `gone` refuses the whole batch.
fn describe_groups(request: &Request, gone: &[TargetGroupArn], code: &str) -> Answer {
    let asked = request.members("TargetGroupArns");
    assert!(asked.len() <= ARNS_PER_CALL_MAX, "{} ARNs in one call", asked.len());
    if let Some(arn) = gone.iter().find(|arn| asked.iter().any(|asked| asked == arn.as_str())) {
        let message = match code {
            "ValidationError" => format!("'{arn}' is not a valid target group ARN"),
            _ => "One or more target groups not found".to_owned(),
        };
        return refusal(400, code, &message);
    }
    let groups: String = asked.iter().map(|arn| group_xml(arn)).collect();
    result("DescribeTargetGroups", &format!("<TargetGroups>{groups}</TargetGroups>"))
}

/// What listing the targets of `web` comes to; the line is shown as it is.
async fn silence(server: &Server) -> (SilenceReason, String) {
    let silence = server.load_balancers().targets(&access(), &group_arn("web")).await.unwrap_err();
    assert!(!silence.message.contains(SECRET));
    assert!(!silence.message.contains('\n'));
    (silence.reason, silence.message)
}

fn told(reason: SilenceReason, message: &str) -> (SilenceReason, String) {
    (reason, message.to_owned())
}

#[tokio::test]
async fn a_throttled_call_is_tried_again() {
    let server = Server::answering([
        refusal(400, "Throttling", "Rate exceeded"),
        refusal(400, "ThrottlingException", "Rate exceeded"),
        no_targets(),
    ])
    .await;
    let targets = server.load_balancers().targets(&access(), &group_arn("web")).await;
    assert_eq!(targets, Ok(Vec::new()));
    assert_eq!(server.actions().len(), 3);
}

#[tokio::test]
async fn throttling_that_goes_on_is_told_after_four_attempts() {
    let server = Server::start(|_| refusal(400, "Throttling", "Rate exceeded")).await;
    assert_eq!(
        silence(&server).await,
        told(
            SilenceReason::Throttled,
            "failed to list the targets of `web` in us-east-1: Throttling: Rate exceeded"
        )
    );
    assert_eq!(server.actions().len(), 4);
}

#[tokio::test]
async fn a_server_fault_is_tried_again_and_told() {
    let server =
        Server::start(|_| refusal(500, "HealthUnavailable", "Health is unavailable")).await;
    assert_eq!(
        silence(&server).await,
        told(
            SilenceReason::ServerError,
            "failed to list the targets of `web` in us-east-1: HealthUnavailable: Health is unavailable"
        )
    );
    assert_eq!(server.actions().len(), 4);
}

#[tokio::test]
async fn what_is_forbidden_is_told_in_the_servers_words_and_not_tried_again() {
    let said = "User: arn:aws:iam::1:user/ci is not authorized to perform: \
                elasticloadbalancing:DescribeTargetHealth";
    let server = Server::answering([refusal(403, "AccessDenied", said)]).await;
    assert_eq!(
        silence(&server).await,
        told(
            SilenceReason::Forbidden,
            &format!("failed to list the targets of `web` in us-east-1: AccessDenied: {said}")
        )
    );
}

#[tokio::test]
async fn expired_credentials_are_told_with_what_to_do() {
    let said = "The security token included in the request is expired";
    let server = Server::answering([refusal(403, "ExpiredToken", said)]).await;
    assert_eq!(
        silence(&server).await,
        told(
            SilenceReason::Unauthorized,
            &format!(
                "failed to list the targets of `web` in us-east-1: ExpiredToken: {said}; \
                 renew the credentials (log in again)"
            )
        )
    );
}

#[tokio::test]
async fn credentials_that_aws_does_not_know_are_unauthorized() {
    for code in ["InvalidClientTokenId", "SignatureDoesNotMatch"] {
        let server = Server::answering([refusal(403, code, "No.")]).await;
        assert_eq!(silence(&server).await.0, SilenceReason::Unauthorized);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_xml_is_garbled() {
    let server = Server::answering([Answer::Xml(200, "<html>portal".to_owned())]).await;
    let (reason, message) = silence(&server).await;
    assert_eq!(reason, SilenceReason::Garbled);
    assert_eq!(
        message,
        "failed to list the targets of `web` in us-east-1: the answer (HTTP 200) is not one of ELBv2: `<html>portal`"
    );
}

#[tokio::test]
async fn a_refusal_that_is_no_xml_is_told_by_its_status() {
    let server = Server::answering([Answer::Xml(403, "go away".to_owned())]).await;
    let (reason, message) = silence(&server).await;
    assert_eq!(reason, SilenceReason::Forbidden);
    assert_eq!(
        message,
        "failed to list the targets of `web` in us-east-1: the answer (HTTP 403) is not one of ELBv2: `go away`"
    );
    let server = Server::start(|_| Answer::Xml(502, "bad gateway".to_owned())).await;
    assert_eq!(silence(&server).await.0, SilenceReason::ServerError);
}

#[tokio::test]
async fn an_answer_without_a_health_is_garbled_and_not_an_empty_group() {
    let server = Server::answering([result(
        "DescribeTargetHealth",
        "<TargetHealthDescriptions><member><Target><Id>10.0.0.1</Id><Port>80</Port></Target></member>\
         </TargetHealthDescriptions>",
    )])
    .await;
    assert_eq!(
        silence(&server).await,
        told(
            SilenceReason::Garbled,
            "failed to list the targets of `web` in us-east-1: the answer has the target `10.0.0.1` without a health"
        )
    );
}

#[tokio::test]
async fn an_answer_without_its_list_is_garbled_and_not_an_empty_list() {
    let server = Server::start(|request| result(request.action(), "")).await;
    let (reason, message) = silence(&server).await;
    assert_eq!(reason, SilenceReason::Garbled);
    assert_eq!(message, "failed to list the targets of `web` in us-east-1: the answer has no list");
    let aws = server.load_balancers();
    let listeners = aws.listeners(&access(), &balancer_arn("web", "net")).await;
    assert_eq!(listeners.unwrap_err().reason, SilenceReason::Garbled);
    let group = group_arn("web");
    let groups = aws.target_groups(&access(), &[group.clone()].into()).await;
    assert_eq!(groups[&group].as_ref().unwrap_err().reason, SilenceReason::Garbled);
}

#[tokio::test]
async fn a_closed_connection_is_tried_again_and_told() {
    let server = Server::start(|_| Answer::Close).await;
    let (reason, message) = silence(&server).await;
    assert_eq!(reason, SilenceReason::Unreachable);
    assert_eq!(
        message,
        "failed to list the targets of `web` in us-east-1: no answer from ELBv2: connection closed before message completed"
    );
    assert!(server.actions().len() > 1);
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let server = Server { url, requests: Arc::default() };
    let (reason, message) = silence(&server).await;
    assert_eq!(reason, SilenceReason::Unreachable);
    assert!(
        message.starts_with(
            "failed to list the targets of `web` in us-east-1: no answer from ELBv2: tcp connect error: "
        ),
        "{message}"
    );
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_unreachable() {
    let server = Server { url: "http://elbv2.invalid".to_owned(), requests: Arc::default() };
    assert_eq!(silence(&server).await.0, SilenceReason::Unreachable);
}

#[tokio::test]
async fn an_endpoint_that_is_no_url_is_told_without_a_dump() {
    for (url, why) in [
        ("nonsense", "endpoint must contain scheme"),
        ("ftp://127.0.0.1", "unsupported scheme ftp"),
    ] {
        let server = Server { url: url.to_owned(), requests: Arc::default() };
        let expected = format!(
            "failed to list the targets of `web` in us-east-1: the endpoint URL is of no use: {why}"
        );
        assert_eq!(silence(&server).await, told(SilenceReason::InvalidConfig, &expected));
    }
}

#[tokio::test]
async fn a_region_that_is_none_is_told() {
    let access = Access { region: "us east".to_owned(), ..access() };
    let aws = AwsLoadBalancers::new(config());
    let silence = aws.targets(&access, &group_arn("web")).await.unwrap_err();
    assert_eq!(silence.reason, SilenceReason::InvalidConfig);
    assert_eq!(
        silence.message,
        "failed to list the targets of `web` in us east: invalid value for field: `region` - must be \
         a valid host label"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_costs_its_timeouts_and_no_more() {
    let server = Server::start(|_| Answer::Hang).await;
    let settings =
        Settings { attempts: 2, attempt_timeout: Duration::from_millis(100), ..server.settings() };
    let silence = AwsLoadBalancers::with_settings(config(), settings)
        .targets(&access(), &group_arn("web"))
        .await
        .unwrap_err();
    assert_eq!(silence.reason, SilenceReason::Timeout);
    assert_eq!(
        silence.message,
        "failed to list the targets of `web` in us-east-1: ELBv2 did not answer within 100ms"
    );
    assert_eq!(server.actions().len(), 2);
}

#[tokio::test]
async fn a_gone_group_hides_no_other_of_its_batch() {
    let names: Vec<String> = (0..20).map(|i| format!("web-{i:02}")).collect();
    let arns: BTreeSet<TargetGroupArn> = names.iter().map(|name| group_arn(name)).collect();
    let gone = [group_arn("web-07"), group_arn("web-13")];
    for (code, reason) in [
        ("TargetGroupNotFound", SilenceReason::NotFound),
        ("ValidationError", SilenceReason::Invalid),
    ] {
        let refused = gone.clone();
        let server = Server::start(move |request| describe_groups(request, &refused, code)).await;
        let groups = server.load_balancers().target_groups(&access(), &arns).await;
        assert_eq!(groups.keys().collect::<BTreeSet<_>>(), arns.iter().collect());
        for (arn, group) in &groups {
            match gone.contains(arn) {
                true => assert_eq!(group.as_ref().unwrap_err().reason, reason, "{arn}"),
                false => assert_eq!(&group.as_ref().unwrap().arn, arn),
            }
        }
        assert!(server.actions().len() < 20, "halving, not one by one");
    }
    let server = Server::start(move |request| {
        describe_groups(request, &[group_arn("web")], "TargetGroupNotFound")
    })
    .await;
    let groups = server.load_balancers().target_groups(&access(), &[group_arn("web")].into()).await;
    assert_eq!(
        groups[&group_arn("web")].as_ref().unwrap_err().message,
        "failed to describe `web` in us-east-1: TargetGroupNotFound: One or more target groups not found"
    );
}

#[tokio::test]
async fn more_than_twenty_groups_take_more_than_one_call() {
    let arns: BTreeSet<TargetGroupArn> = (0..45).map(|i| group_arn(&format!("web-{i}"))).collect();
    let server = Server::start(|request| describe_groups(request, &[], "")).await;
    let groups = server.load_balancers().target_groups(&access(), &arns).await;
    assert!(groups.values().all(Result::is_ok));
    assert_eq!((groups.len(), server.actions().len()), (45, 3));
}

#[tokio::test]
async fn a_forbidden_batch_is_not_split() {
    let arns = [group_arn("a"), group_arn("b")].into();
    let server = Server::answering([refusal(403, "AccessDenied", "No.")]).await;
    let groups = server.load_balancers().target_groups(&access(), &arns).await;
    for group in groups.values() {
        assert_eq!(
            group.as_ref().unwrap_err().message,
            "failed to describe 2 target groups in us-east-1: AccessDenied: No"
        );
    }
    assert_eq!(groups.len(), 2);
}

#[tokio::test]
async fn a_group_that_the_answer_leaves_out_is_not_found() {
    let server = Server::answering([result("DescribeTargetGroups", "<TargetGroups/>")]).await;
    let groups = server.load_balancers().target_groups(&access(), &[group_arn("web")].into()).await;
    assert_eq!(groups[&group_arn("web")].as_ref().unwrap_err().reason, SilenceReason::NotFound);
}

#[tokio::test]
async fn a_group_is_found_by_its_name() {
    let server = Server::start(|request| {
        assert_eq!(request.members("Names"), ["web"]);
        let group = group_xml(group_arn("web").as_str());
        result("DescribeTargetGroups", &format!("<TargetGroups>{group}</TargetGroups>"))
    })
    .await;
    let group = server.load_balancers().target_group_by_name(&access(), "web").await.unwrap();
    assert_eq!(
        (group.arn, group.port, group.target_type.as_str()),
        (group_arn("web"), Some(80), "ip")
    );
}

#[tokio::test]
async fn a_gone_group_hides_no_others_tags() {
    let arns: BTreeSet<_> = ["a", "b", "c"].map(group_arn).into();
    let server = Server::start(|request| {
        let asked = request.members("ResourceArns");
        if asked.iter().any(|arn| arn == group_arn("b").as_str()) {
            return refusal(400, "TargetGroupNotFound", "One or more target groups not found");
        }
        let tagged: String = asked
            .iter()
            .map(|arn| {
                format!(
                    "<member><ResourceArn>{arn}</ResourceArn><Tags><member>\
                     <Key>elbv2.k8s.aws/cluster</Key><Value>pri</Value></member></Tags></member>"
                )
            })
            .collect();
        result("DescribeTags", &format!("<TagDescriptions>{tagged}</TagDescriptions>"))
    })
    .await;
    let tags = server.load_balancers().tags(&access(), &arns).await;
    let of = |name| tags[&group_arn(name)].clone();
    let expected = BTreeMap::from([("elbv2.k8s.aws/cluster".to_owned(), "pri".to_owned())]);
    assert_eq!((of("a"), of("c")), (Ok(expected.clone()), Ok(expected)));
    assert_eq!(of("b").unwrap_err().reason, SilenceReason::NotFound);
}

#[tokio::test]
async fn a_gone_load_balancer_hides_no_other() {
    let (here, gone) = (balancer_arn("here", "net"), balancer_arn("gone", "net"));
    let refused = gone.clone();
    let server = Server::start(move |request| {
        let asked = request.members("LoadBalancerArns");
        if asked.contains(&refused) {
            return refusal(400, "LoadBalancerNotFound", "One or more load balancers not found");
        }
        let member = format!(
            "<member><LoadBalancerArn>{}</LoadBalancerArn><LoadBalancerName>here</LoadBalancerName>\
             <Type>network</Type><State><Code>active</Code></State><Scheme>internal</Scheme>\
             <AvailabilityZones><member><ZoneName>us-east-1a</ZoneName></member>\
             </AvailabilityZones></member>",
            asked[0]
        );
        result("DescribeLoadBalancers", &format!("<LoadBalancers>{member}</LoadBalancers>"))
    })
    .await;
    let arns = [here.clone(), gone.clone()].into();
    let found = server.load_balancers().load_balancers(&access(), &arns).await;
    let balancer = found[&here].as_ref().unwrap();
    assert_eq!((balancer.kind.as_str(), balancer.state.as_deref()), ("network", Some("active")));
    assert_eq!(balancer.availability_zones, ["us-east-1a".to_owned()].into());
    assert_eq!(
        found[&gone].as_ref().unwrap_err().message,
        "failed to describe `gone` in us-east-1: LoadBalancerNotFound: One or more load balancers not found"
    );
}

fn listener_xml(arn: &str, group: &str) -> String {
    format!(
        "<member><ListenerArn>{arn}</ListenerArn><Port>80</Port><Protocol>TCP</Protocol>\
         <DefaultActions><member><Type>forward</Type><TargetGroupArn>{group}</TargetGroupArn>\
         </member></DefaultActions></member>"
    )
}

/// Two pages of listeners `l1`, `l2`; the rules are the caller's.
fn describe_listeners(request: &Request) -> Answer {
    let (inner, next) = match request.get("Marker") {
        None => (listener_xml("l1", "g"), "<NextMarker>2</NextMarker>"),
        Some(_) => (listener_xml("l2", "g"), ""),
    };
    result("DescribeListeners", &format!("<Listeners>{inner}</Listeners>{next}"))
}

#[tokio::test]
async fn every_page_of_listeners_and_rules_is_read() {
    let server = Server::start(|request| {
        if request.action() == "DescribeListeners" {
            return describe_listeners(request);
        }
        let (rule, next) = match (request.get("ListenerArn").unwrap(), request.get("Marker")) {
            ("l1", None) => ("r1", "<NextMarker>2</NextMarker>"),
            ("l1", Some(_)) => ("r2", ""),
            _ => ("r3", ""),
        };
        result(
            "DescribeRules",
            &format!(
                "<Rules><member><RuleArn>{rule}</RuleArn><IsDefault>false</IsDefault><Actions>\
                 <member><Type>forward</Type><ForwardConfig><TargetGroups><member>\
                 <TargetGroupArn>g</TargetGroupArn><Weight>0</Weight></member></TargetGroups>\
                 </ForwardConfig></member></Actions></member></Rules>{next}"
            ),
        )
    })
    .await;
    let arn = balancer_arn("web", "net");
    let listeners = server.load_balancers().listeners(&access(), &arn).await.unwrap();
    let seen: Vec<String> = listeners
        .iter()
        .flat_map(|listener| listener.forwards.iter().map(move |forward| (listener, forward)))
        .map(|(listener, forward)| {
            let rule = forward.rule_arn.as_deref().unwrap_or("default");
            format!("{} {rule} {}", listener.arn, forward.weights["g"])
        })
        .collect();
    assert_eq!(seen, ["l1 default 1", "l1 r1 0", "l1 r2 0", "l2 default 1", "l2 r3 0"]);
}

#[tokio::test]
async fn a_network_load_balancer_that_has_no_rules_yet_still_has_listeners() {
    for (kind, code) in
        [("net", "ValidationError"), ("net", "UnsupportedProtocol"), ("app", "UnsupportedProtocol")]
    {
        let server = Server::start(move |request| match request.action() {
            "DescribeListeners" => describe_listeners(request),
            _ => refusal(400, code, "Rules are not supported"),
        })
        .await;
        let listeners =
            server.load_balancers().listeners(&access(), &balancer_arn("web", kind)).await;
        assert_eq!(listeners.unwrap().len(), 2);
    }
    let server = Server::start(|request| match request.action() {
        "DescribeListeners" => describe_listeners(request),
        _ => refusal(400, "ValidationError", "No."),
    })
    .await;
    let listeners = server.load_balancers().listeners(&access(), &balancer_arn("web", "app")).await;
    assert_eq!(listeners.unwrap_err().reason, SilenceReason::Invalid);
}

#[tokio::test]
async fn a_listener_that_went_in_between_is_left_out() {
    let server = Server::start(|request| match request.get("ListenerArn") {
        None => describe_listeners(request),
        Some("l1") => refusal(400, "ListenerNotFound", "One or more listeners not found"),
        Some(_) => result("DescribeRules", "<Rules/>"),
    })
    .await;
    let listeners = server.load_balancers().listeners(&access(), &balancer_arn("web", "net")).await;
    let arns: Vec<String> = listeners.unwrap().into_iter().map(|listener| listener.arn).collect();
    assert_eq!(arns, ["l2"]);
}

#[tokio::test]
async fn pages_that_lead_in_a_circle_are_garbled() {
    let server = Server::start(|_| {
        result("DescribeListeners", "<Listeners/><NextMarker>again</NextMarker>")
    })
    .await;
    let arn = balancer_arn("web", "net");
    let silence = server.load_balancers().listeners(&access(), &arn).await.unwrap_err();
    assert_eq!(
        (silence.reason, silence.message.as_str()),
        (
            SilenceReason::Garbled,
            "failed to list the listeners of `web` in us-east-1: the answer has a page that leads back to an earlier one"
        )
    );
}

#[tokio::test]
async fn a_target_comes_with_its_zone_and_goes_with_it() {
    let server = Server::start(|request| match request.action() {
        "DescribeTargetHealth" => result(
            "DescribeTargetHealth",
            "<TargetHealthDescriptions><member><Target><Id>10.0.0.1</Id><Port>80</Port>\
             <AvailabilityZone>all</AvailabilityZone></Target><TargetHealth>\
             <State>draining</State><Reason>Target.DeregistrationInProgress</Reason>\
             <Description>Target deregistration is in progress</Description></TargetHealth>\
             </member></TargetHealthDescriptions>",
        ),
        action => result(action, ""),
    })
    .await;
    let aws = server.load_balancers();
    let targets = aws.targets(&access(), &group_arn("web")).await.unwrap();
    let expected = TargetDescription {
        target: Target::new("10.0.0.1", 80),
        availability_zone: Some("all".to_owned()),
        health: Health {
            state: HealthState::Draining,
            reason: Some("Target.DeregistrationInProgress".to_owned()),
            description: Some("Target deregistration is in progress".to_owned()),
        },
    };
    assert_eq!(targets, [expected]);
    aws.deregister(&access(), &group_arn("web"), &targets).await.unwrap();
    let request = server.last();
    assert_eq!(request.action(), "DeregisterTargets");
    let sent = ["Id", "Port", "AvailabilityZone"]
        .map(|field| request.get(&format!("Targets.member.1.{field}")));
    assert_eq!(sent, [Some("10.0.0.1"), Some("80"), Some("all")]);
}

#[tokio::test]
async fn attributes_are_read_by_key() {
    let server = Server::start(|request| {
        result(
            request.action(),
            "<Attributes><member><Key>deletion_protection.enabled</Key><Value>true</Value></member>\
             </Attributes>",
        )
    })
    .await;
    let aws = server.load_balancers();
    let expected = BTreeMap::from([("deletion_protection.enabled".to_owned(), "true".to_owned())]);
    let arn = balancer_arn("web", "net");
    let (access, group) = (access(), group_arn("web"));
    assert_eq!(aws.load_balancer_attributes(&access, &arn).await.as_ref(), Ok(&expected));
    assert_eq!(aws.target_group_attributes(&access, &group).await, Ok(expected));
}

#[tokio::test]
async fn a_limit_that_is_no_number_is_not_known() {
    let server = Server::start(|request| {
        result(
            request.action(),
            "<Limits><member><Name>targets-per-target-group</Name><Max>1000</Max></member>\
             <member><Name>target-groups</Name><Max>many</Max></member>\
             <member><Name>rules</Name></member></Limits>",
        )
    })
    .await;
    let limits = server.load_balancers().account_limits(&access(), "111122223333").await;
    assert_eq!(limits, Ok([("targets-per-target-group".to_owned(), 1_000)].into()));
}

async fn registering(code: &'static str, message: &'static str) -> CallError {
    let server = Server::start(move |_| refusal(400, code, message)).await;
    let target = Registration { target: Target::new("10.130.6.97", 80), availability_zone: None };
    server.load_balancers().register(&access(), &group_arn("web"), &[target]).await.unwrap_err()
}

#[tokio::test]
async fn an_address_outside_the_vpc_needs_a_zone_however_aws_words_it() {
    for message in [
        "You must specify a valid Availability Zone or select 'all' for all enabled Availability \
         zones, since the IP address '10.130.6.97' is outside the VPC",
        "The Availability Zone is required for IP address '10.130.6.97' because it is not in the VPC",
        "The Availability Zone for IP address '10.130.6.97' must be 'all' for Application Load \
         Balancer target groups, when not within the VPC",
    ] {
        let error = registering("ValidationError", message).await;
        assert_eq!(
            error,
            CallError::ZoneNeeded(format!(
                "failed to register 1 target in `web` in us-east-1: ValidationError: {message}"
            ))
        );
    }
}

#[tokio::test]
async fn an_address_inside_the_vpc_refuses_the_zone_all() {
    for message in [
        "The IP address '10.104.128.17' is within the VPC, and cannot have its Availability Zone \
         overridden to 'all' from 'eu-central-1b'",
        "you must specify an Availability Zone",
    ] {
        let error = registering("ValidationError", message).await;
        assert!(matches!(error, CallError::ZoneRefused(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_refused_registration_is_told_by_what_can_be_done() {
    type Of = fn(&CallError) -> bool;
    let cases: [(&str, &str, Of); 7] = [
        ("TooManyTargets", "The maximum has been reached", |it| {
            matches!(it, CallError::TooManyTargets(_))
        }),
        ("TooManyRegistrationsForTargetId", "No.", |it| matches!(it, CallError::TooManyTargets(_))),
        ("InvalidTarget", "Not in a running state", |it| matches!(it, CallError::InvalidTarget(_))),
        ("ValidationError", "Instance ID '10.0.0.1' is not valid", |it| {
            matches!(it, CallError::InvalidTarget(_))
        }),
        (
            "ValidationError",
            "'nope' is not a valid target group ARN",
            |it| matches!(it, CallError::Failed(silence) if silence.reason == SilenceReason::Invalid),
        ),
        (
            "TargetGroupNotFound",
            "Gone.",
            |it| matches!(it, CallError::Failed(silence) if silence.reason == SilenceReason::NotFound),
        ),
        (
            "Throttling",
            "Rate exceeded",
            |it| matches!(it, CallError::Failed(silence) if silence.reason == SilenceReason::Throttled),
        ),
    ];
    for (code, message, fits) in cases {
        let error = registering(code, message).await;
        assert!(fits(&error), "{code}: {error:?}");
    }
}

#[tokio::test]
async fn a_call_takes_a_hundred_targets_and_nothing_is_no_call() {
    let server = Server::answering([]).await;
    let aws = server.load_balancers();
    let targets: Vec<Registration> = (0..101)
        .map(|i| Registration {
            target: Target::new(format!("10.0.0.{i}"), 80),
            availability_zone: None,
        })
        .collect();
    let (access, group) = (access(), group_arn("web"));
    assert_eq!(aws.register(&access, &group, &[]).await, Ok(()));
    assert_eq!(aws.deregister(&access, &group, &[]).await, Ok(()));
    let error = aws.register(&access, &group, &targets).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to register 101 targets in `web`: one call takes 100");
}

#[tokio::test]
async fn calls_carry_the_programs_name() {
    let server = Server::answering([no_targets()]).await;
    server.load_balancers().targets(&access(), &group_arn("web")).await.unwrap();
    let name = format!("app/kubectl-mctg-{}", env!("CARGO_PKG_VERSION"));
    assert!(server.last().head.contains(&name), "{}", server.last().head);
}

/// Calls go out as far as the buckets reach; the next token would come in a quarter of an hour.
#[tokio::test]
async fn calls_beyond_the_burst_wait_and_reads_and_writes_have_their_own() {
    let server = Server::start(|request| match request.action() {
        "DescribeTargetHealth" => no_targets(),
        action => result(action, ""),
    })
    .await;
    let rate = |burst| Rate { burst, per_second: 0.001 };
    let limits = Limits { reads: rate(3), writes: rate(2) };
    let aws = AwsLoadBalancers::with_settings(config(), Settings { limits, ..server.settings() });
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..8 {
        let aws = aws.clone();
        calls.spawn(async move {
            let (access, group) = (access(), group_arn(&format!("web-{}", n / 2)));
            let target = Target::new("10.0.0.1", 80);
            let target = Registration { target, availability_zone: None };
            match n % 2 {
                0 => aws.targets(&access, &group).await.map(drop).unwrap(),
                _ => aws.register(&access, &group, &[target]).await.unwrap(),
            }
        });
    }
    for _ in 0..5 {
        calls.join_next().await.unwrap().unwrap();
    }
    assert!(calls.try_join_next().is_none());
    let mut actions = server.actions();
    actions.sort();
    assert_eq!(actions, [["DescribeTargetHealth"; 3].as_slice(), &["RegisterTargets"; 2]].concat());
}

/// A reply that is lost after its effect: the SDK asks again, and asking again does no harm.
#[tokio::test]
async fn a_change_whose_reply_is_lost_is_asked_for_again() {
    for action in ["RegisterTargets", "DeregisterTargets"] {
        let mut lost = 2;
        let server = Server::start(move |_| match lost {
            0 => result(action, ""),
            _ => {
                lost -= 1;
                Answer::Close
            }
        })
        .await;
        let aws = server.load_balancers();
        let (access, group, target) = (access(), group_arn("web"), Target::new("10.0.0.1", 80));
        let done = match action {
            "RegisterTargets" => {
                let target = Registration { target, availability_zone: None };
                aws.register(&access, &group, &[target]).await
            }
            _ => {
                let health = Health::plain(HealthState::Healthy);
                let target = TargetDescription { target, availability_zone: None, health };
                aws.deregister(&access, &group, &[target]).await
            }
        };
        assert_eq!(done, Ok(()));
        let requests = server.requests.lock().unwrap();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| request.form == requests[0].form));
    }
}

#[tokio::test]
async fn an_answer_without_a_body_or_cut_off_is_no_empty_group() {
    let Answer::Xml(_, whole) = no_targets() else { unreachable!("it is XML") };
    for body in ["", &whole[..whole.len() / 2], "<DescribeTargetHealthResponse/>"] {
        let (answer, body) = (body.to_owned(), body.to_owned());
        let server = Server::start(move |_| Answer::Xml(200, answer.clone())).await;
        assert_eq!(silence(&server).await.0, SilenceReason::Garbled, "{body}");
    }
}

#[tokio::test]
async fn a_change_that_elbv2_did_not_acknowledge_is_not_done() {
    let Answer::Xml(_, other) = no_targets() else { unreachable!("it is XML") };
    for body in ["", "<html>portal", &other] {
        let answer = body.to_owned();
        let server = Server::start(move |_| Answer::Xml(200, answer.clone())).await;
        let aws = server.load_balancers();
        let (access, group, target) = (access(), group_arn("web"), Target::new("10.0.0.1", 80));
        let health = Health::plain(HealthState::Healthy);
        let listed = TargetDescription { target: target.clone(), availability_zone: None, health };
        let new = Registration { target, availability_zone: None };
        for done in [
            aws.register(&access, &group, &[new]).await,
            aws.deregister(&access, &group, &[listed]).await,
        ] {
            let garbled = matches!(
                &done,
                Err(CallError::Failed(silence)) if silence.reason == SilenceReason::Garbled
            );
            assert!(garbled, "{body}: {done:?}");
        }
        // It may have been done: the next run will see.
        assert_eq!(server.actions(), ["RegisterTargets", "DeregisterTargets"]);
    }
}

fn role(external_id: Option<&str>) -> Access {
    let role = Role {
        arn: "arn:aws:iam::444455556666:role/shared".to_owned(),
        external_id: external_id.map(str::to_owned),
    };
    Access { role: Some(role), ..access() }
}

/// STS and ELBv2 on one server; STS is reached by the configuration's own endpoint.
fn roles(server: &Server) -> AwsLoadBalancers {
    let config = config().into_builder().endpoint_url(&server.url).build();
    AwsLoadBalancers::with_settings(config, server.settings())
}

#[tokio::test]
async fn a_role_is_assumed_once_with_its_external_id() {
    let server = Server::start(|request| match request.action() {
        "AssumeRole" => Answer::Xml(
            200,
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>\
             <SecretAccessKey>x</SecretAccessKey><SessionToken>t</SessionToken>\
             <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>\
             </AssumeRoleResponse>"
                .to_owned(),
        ),
        _ => no_targets(),
    })
    .await;
    let aws = roles(&server);
    let access = role(Some("ticket-7"));
    for name in ["a", "b"] {
        aws.targets(&access, &group_arn(name)).await.unwrap();
    }
    assert_eq!(server.actions(), ["AssumeRole", "DescribeTargetHealth", "DescribeTargetHealth"]);
    assert!(server.last().head.contains("Credential=ASIAROLE/"));
    let assumed = server.requests.lock().unwrap()[0].clone();
    assert_eq!(
        (assumed.get("RoleArn"), assumed.get("ExternalId"), assumed.get("RoleSessionName")),
        (Some("arn:aws:iam::444455556666:role/shared"), Some("ticket-7"), Some("kubectl-mctg"))
    );
}

#[tokio::test]
async fn a_refused_role_is_asked_for_once_and_told_for_each_group() {
    let said = "User: arn:aws:iam::1:user/ci is not authorized to perform: sts:AssumeRole";
    let server = Server::start(move |_| refusal(403, "AccessDenied", said)).await;
    let aws = roles(&server);
    for name in ["a", "b"] {
        let silence = aws.targets(&role(None), &group_arn(name)).await.unwrap_err();
        assert_eq!(
            (silence.reason, silence.message),
            told(
                SilenceReason::Forbidden,
                &format!(
                    "failed to list the targets of `{name}` in us-east-1: \
                     the role `arn:aws:iam::444455556666:role/shared`: AccessDenied: {said}"
                )
            )
        );
    }
    assert_eq!(server.actions(), ["AssumeRole"]);
}

#[tokio::test]
async fn without_assume_roles_the_contexts_own_credentials_serve() {
    let server = Server::answering([no_targets()]).await;
    let settings = Settings { assume_roles: false, ..server.settings() };
    let aws = AwsLoadBalancers::with_settings(config(), settings);
    aws.targets(&role(None), &group_arn("web")).await.unwrap();
    assert!(server.last().head.contains("Credential=AKIDEXAMPLE/"));
}

#[tokio::test]
async fn credentials_that_never_come_cost_their_timeout_once() {
    #[derive(Debug)]
    struct Never(Arc<Mutex<usize>>);
    impl aws_credential_types::provider::ProvideCredentials for Never {
        fn provide_credentials<'a>(
            &'a self,
        ) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            *self.0.lock().unwrap() += 1;
            aws_credential_types::provider::future::ProvideCredentials::new(std::future::pending())
        }
    }
    let server = Server::answering([]).await;
    let asked = Arc::new(Mutex::new(0));
    let provider = SharedCredentialsProvider::new(Never(Arc::clone(&asked)));
    let config = SdkConfig::builder().credentials_provider(provider).build();
    let settings = Settings { credentials_timeout: Duration::from_millis(50), ..server.settings() };
    let aws = AwsLoadBalancers::with_settings(config, settings);
    let (access, a, b) = (access(), group_arn("a"), group_arn("b"));
    let (a, b) = futures::future::join(aws.targets(&access, &a), aws.targets(&access, &b)).await;
    for (name, targets) in [("a", a), ("b", b)] {
        let silence = targets.unwrap_err();
        assert_eq!(
            (silence.reason, silence.message),
            told(
                SilenceReason::Unauthorized,
                &format!(
                    "failed to list the targets of `{name}` in us-east-1: \
                     the given AWS configuration: no credentials within 0.05 s"
                )
            )
        );
    }
    assert_eq!(*asked.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_configuration_without_credentials_is_unauthorized() {
    let server = Server::answering([]).await;
    let aws = AwsLoadBalancers::with_settings(SdkConfig::builder().build(), server.settings());
    let silence = aws.targets(&access(), &group_arn("web")).await.unwrap_err();
    assert_eq!(silence.reason, SilenceReason::Unauthorized);
    assert_eq!(
        silence.message,
        "failed to list the targets of `web` in us-east-1: no AWS credentials are configured"
    );
}

#[tokio::test]
async fn a_group_by_name_needs_a_region() {
    let server = Server::answering([]).await;
    let access = Access { region: String::new(), ..access() };
    let aws = server.load_balancers();
    let silence = aws.target_group_by_name(&access, "web").await.unwrap_err();
    assert_eq!(
        (silence.reason, silence.message),
        told(
            SilenceReason::InvalidConfig,
            "no AWS region is known for the given AWS configuration"
        )
    );
}

#[tokio::test]
async fn a_proxy_is_asked_for_every_host_but_its_exceptions() {
    let proxy = Server::start(|_| Answer::Xml(407, String::new())).await;
    let through = |no_proxy, endpoint: Option<&str>| {
        let http = http_client_through(&proxy.url, no_proxy).unwrap();
        let config = config().into_builder().http_client(http).build();
        let endpoint_url = endpoint.map(str::to_owned);
        let settings = Settings { attempts: 1, endpoint_url, ..Settings::default() };
        AwsLoadBalancers::with_settings(config, settings)
    };
    let (access, group) = (access(), group_arn("web"));
    let silence = through(None, None).targets(&access, &group).await.unwrap_err();
    assert_eq!(silence.reason, SilenceReason::Unreachable);
    assert_eq!(
        silence.message,
        "failed to list the targets of `web` in us-east-1: no answer from ELBv2: tunnel error: proxy \
         authorization required"
    );
    let asked = "CONNECT elasticloadbalancing.us-east-1.amazonaws.com:443 HTTP/1.1";
    assert_eq!(proxy.last().head.lines().next(), Some(asked));
    let direct = through(Some("127.0.0.1"), Some("https://127.0.0.1:1"));
    direct.targets(&access, &group).await.unwrap_err();
    assert_eq!(proxy.requests.lock().unwrap().len(), 1);
    let silence = http_client_through("not a url", None).unwrap_err();
    assert_eq!(
        silence.message,
        "the HTTPS proxy's URL is of no use: invalid proxy URL: invalid uri character"
    );
}

#[tokio::test]
async fn a_kube_client_and_an_aws_client_live_in_one_process() {
    // Two TLS providers in one process make the first of these panic (`facts/elbv2.md` 6.4).
    let url = "https://127.0.0.1:1".parse().unwrap();
    kube::Client::try_from(kube::Config::new(url)).unwrap();
    // A TLS handshake with something that is no TLS server, so that a provider is really used.
    let server = Server { url: "https://127.0.0.1:1".to_owned(), requests: Arc::default() };
    assert_eq!(silence(&server).await.0, SilenceReason::Unreachable);
}
