//! Whether sharing can work.

use clap::Args;
use mctg::permissions::ServiceAccount;

#[derive(Args, Clone, Debug)]
pub(crate) struct CheckArgs {
    /// Check clusters where nothing is bound yet: a controller must be there, a binding need not
    #[arg(long)]
    pub(crate) pre: bool,
    /// ServiceAccount whose permissions for `reconcile` are checked too
    #[arg(long, value_name = "NS/NAME", value_parser = str::parse::<ServiceAccount>)]
    pub(crate) service_account: Option<ServiceAccount>,
}
