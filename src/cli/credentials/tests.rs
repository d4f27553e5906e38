//! Whose credentials a context gets, from words, exec entries and AWS files.

use mctg::elbv2::aws::AwsLoadBalancers;
use mctg::elbv2::{Access, LoadBalancers};

use super::*;

fn parsed(values: &[&str]) -> Result<Profiles, String> {
    Profiles::parse(&values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>())
}

fn with(values: &[&str]) -> Credentials {
    Credentials::new(AwsOptions {
        profiles: parsed(values).unwrap(),
        entry_profiles: [("pri".to_owned(), "own".to_owned())].into(),
        ..AwsOptions::default()
    })
}

#[test]
fn flags_about_calls_reach_the_adapter() {
    // Handles are equal where they are clones of each other.
    let settings = AwsOptions::default().settings();
    assert_eq!(settings, Settings { stop: settings.stop.clone(), ..Settings::default() });
    let settings = AwsOptions {
        endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        no_assume_role: true,
        attempt_timeout: Some(Duration::from_secs(2)),
        reads_per_second: Some(1.0),
        ..AwsOptions::default()
    }
    .settings();
    let expected = Settings {
        endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        assume_roles: false,
        limits: Limits::of_reads_per_second(1.0),
        attempt_timeout: Duration::from_secs(2),
        operation_timeout: Duration::from_secs(6),
        stop: settings.stop.clone(),
        ..Settings::default()
    };
    assert_eq!(settings, expected);
}

#[test]
fn a_contexts_own_profile_gives_way_to_the_flag_and_that_to_its_context() {
    let sources = |values: &[&str]| {
        let credentials = with(values);
        ["pri", "sec"].map(|context| credentials.source(context).profile().map(str::to_owned))
    };
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(sources(&[]), [named("own"), None]);
    assert_eq!(sources(&["all"]), [named("all"), named("all")]);
    assert_eq!(sources(&["all", "sec=b"]), [named("all"), named("b")]);
    assert_eq!(sources(&["sec=b"]), [named("own"), named("b")]);
}

#[test]
fn contexts_of_one_profile_share_their_credentials() {
    let credentials = with(&["sec=own"]);
    assert_eq!(credentials.credentials("pri"), credentials.credentials("sec"));
    assert_ne!(credentials.credentials("pri"), credentials.credentials("third"));
}

#[test]
fn a_context_that_is_an_arn_can_be_given_a_profile() {
    let arn = "arn:aws:eks:us-east-1:111122223333:cluster/pri";
    let profiles = parsed(&[&format!("{arn}=prod")]).unwrap();
    assert_eq!(profiles.of(arn), Some("prod"));
    assert_eq!(profiles.contexts().collect::<Vec<_>>(), [arn]);
}

#[test]
fn a_profile_flag_that_cannot_be_meant_is_refused() {
    assert_eq!(
        parsed(&["a", "b"]).unwrap_err(),
        "--profile names both `a` and `b` for every context"
    );
    assert_eq!(
        parsed(&["pri=a", "pri=b"]).unwrap_err(),
        "--profile names both `a` and `b` for the context `pri`"
    );
    for empty in ["", "pri=", "=a"] {
        assert_eq!(
            parsed(&[empty]).unwrap_err(),
            format!("--profile `{empty}`: expected NAME or CONTEXT=NAME")
        );
    }
}

#[expect(deprecated, reason = "as `ProfileFiles`")]
fn with_file(values: &[&str], text: &str) -> Credentials {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    let files = ProfileFiles::builder().with_contents(ProfileFileKind::Config, text).build();
    Credentials { files: Some(files), ..with(values) }
}

async fn key(credentials: &Credentials, context: &str) -> Result<String, CredentialsError> {
    let config = credentials.config(context).await.unwrap();
    let provider = config.credentials_provider().unwrap();
    Ok(provider.provide_credentials().await?.access_key_id().to_owned())
}

#[tokio::test]
async fn a_profile_gives_its_keys_and_a_process_prints_them() {
    let credentials = with_file(
        &["sec=process"],
        "[profile own]\naws_access_key_id = AKIDOWN\naws_secret_access_key = x\n\
         [profile process]\ncredential_process = echo '{\"Version\": 1, \
         \"AccessKeyId\": \"AKIDPROC\", \"SecretAccessKey\": \"x\"}'\n",
    );
    assert_eq!(key(&credentials, "pri").await.unwrap(), "AKIDOWN");
    assert_eq!(key(&credentials, "sec").await.unwrap(), "AKIDPROC");
}

/// What the first call of a context comes to; none gets as far as AWS.
async fn silence(credentials: Credentials, context: &str) -> (SilenceReason, String) {
    let settings = credentials.options.settings();
    let aws = AwsLoadBalancers::with_settings(credentials, settings);
    let access = Access { context: context.to_owned(), region: "us-east-1".to_owned(), role: None };
    let silence = aws.target_group_by_name(&access, "web").await.unwrap_err();
    (silence.reason, silence.message)
}

#[tokio::test]
async fn a_profile_that_is_not_defined_is_told_with_who_named_it() {
    let other = "[profile other]\naws_access_key_id = A\naws_secret_access_key = x\n";
    assert_eq!(
            silence(with_file(&["typo"], other), "pri").await,
            (
                SilenceReason::Unauthorized,
                "failed to describe the target group `web` in us-east-1: the AWS profile `typo`, named by \
             `--profile`, is not defined or holds no credentials; `aws configure list-profiles` \
             shows those that are"
                    .to_owned()
            )
        );
    assert_eq!(
            silence(with_file(&[], other), "pri").await,
            (
                SilenceReason::Unauthorized,
                "failed to describe the target group `web` in us-east-1: the AWS profile `own`, named by \
             the context's kubeconfig entry, is not defined or holds no credentials; define it, \
             or name another with `--profile`"
                    .to_owned()
            )
        );
    let (reason, _) = silence(with_file(&["typo"], ""), "pri").await;
    assert_eq!(reason, SilenceReason::Unauthorized);
}

#[tokio::test]
async fn a_credential_process_that_fails_is_told_without_what_it_printed() {
    let file = "[profile own]\ncredential_process = sh -c 'echo s3cr3t; echo log in >&2; exit 7'\n";
    let (reason, message) = silence(with_file(&[], file), "pri").await;
    assert_eq!(reason, SilenceReason::Unauthorized);
    assert_eq!(
        message,
        "failed to describe the target group `web` in us-east-1: the AWS profile `own`: Error \
         retrieving credentials: external process exited with code exit status: 7. Stderr: log in"
    );
}

#[tokio::test]
async fn a_login_that_ended_is_told() {
    let file = "[profile own]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = ops\n\
                [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.invalid/start\n";
    let (reason, message) = silence(with_file(&[], file), "pri").await;
    assert_eq!(reason, SilenceReason::Unauthorized);
    assert_eq!(
        message,
        "failed to describe the target group `web` in us-east-1: the AWS profile `own` is not logged \
         in: failed to load the cached SSO token; log in with `aws sso login --profile own`"
    );
}
