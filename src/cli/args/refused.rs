//! Flags of kubectl that make no sense for several clusters: refused with a reason, never ignored.

use clap::Args;

/// Flags of kubectl that name one cluster, or one user of it.
#[derive(Args, Debug)]
pub(crate) struct Refused {
    #[arg(short = 's', long, hide = true, global = true, num_args = 0..=1)]
    server: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    token: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    cluster: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    user: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    username: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    password: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    client_certificate: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    client_key: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    certificate_authority: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    tls_server_name: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1, require_equals = true)]
    insecure_skip_tls_verify: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    as_uid: Option<Option<String>>,
    #[arg(long, hide = true, global = true, num_args = 0..=1)]
    as_user_extra: Option<Option<String>>,
}

impl Refused {
    /// Names the first refused flag that was given, and why it is refused.
    pub(crate) fn reason(&self) -> Option<(&'static str, &'static str)> {
        const ONE_CLUSTER: &str = "it names one cluster, and this program reads several: put it into a kubeconfig \
             context and choose that with --context";
        const ONE_USER: &str = "it is a credential of one cluster, and this program reads several: put it into a \
             kubeconfig context and choose that with --context";
        const NOT_SENT: &str = "only --as and --as-group are passed on to every cluster";
        [
            (self.server.is_some(), "--server", ONE_CLUSTER),
            (self.cluster.is_some(), "--cluster", ONE_CLUSTER),
            (self.certificate_authority.is_some(), "--certificate-authority", ONE_CLUSTER),
            (self.tls_server_name.is_some(), "--tls-server-name", ONE_CLUSTER),
            (self.insecure_skip_tls_verify.is_some(), "--insecure-skip-tls-verify", ONE_CLUSTER),
            (self.token.is_some(), "--token", ONE_USER),
            (self.user.is_some(), "--user", ONE_USER),
            (self.username.is_some(), "--username", ONE_USER),
            (self.password.is_some(), "--password", ONE_USER),
            (self.client_certificate.is_some(), "--client-certificate", ONE_USER),
            (self.client_key.is_some(), "--client-key", ONE_USER),
            (self.as_uid.is_some(), "--as-uid", NOT_SENT),
            (self.as_user_extra.is_some(), "--as-user-extra", NOT_SENT),
        ]
        .into_iter()
        .find_map(|(given, flag, reason)| given.then_some((flag, reason)))
    }
}
