//! The flags of `bind`.

use std::net::IpAddr;

use clap::{ArgGroup, Args};
use mctg::binding::PortRef;
use mctg::target::TargetGroupArn;

use super::ChangeArgs;

#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("groups").required(true).args(["target_group_arn", "from"]))]
pub(crate) struct BindArgs {
    /// Services as svc/web, svc web cart, or the NAME alone [with --from and -A or -l: every Service
    /// that is here and shared there]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// The same as NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Vec<String>,
    /// Target group to join, repeatable
    #[arg(long, value_name = "ARN", value_delimiter = ',', value_parser = str::parse::<TargetGroupArn>)]
    pub(crate) target_group_arn: Vec<TargetGroupArn>,
    /// Join every target group that the same Service of this context shares
    #[arg(long, value_name = "CONTEXT")]
    pub(crate) from: Option<String>,
    /// Port of the Service, by number or name [default: as in the other cluster, or the only one]
    #[arg(long, value_name = "PORT", value_parser = port)]
    pub(crate) port: Option<PortRef>,
    /// Name of the binding [default: SERVICE-PORT]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    #[command(flatten)]
    pub(crate) role: RoleArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
}

/// Who may reach the targets.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Who may reach the targets")]
pub(crate) struct SourceArgs {
    /// Security group to let in, repeatable [default: whom the other bindings of the group let in,
    /// else the load balancer's]
    #[arg(long, value_name = "SG", value_delimiter = ',', value_parser = security_group,
          conflicts_with = "no_networking")]
    pub(crate) source_security_group: Vec<String>,
    /// Address block to let in, repeatable
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = cidr,
          conflicts_with = "no_networking")]
    pub(crate) source_cidr: Vec<String>,
    /// Say nothing about it: rules are made elsewhere
    #[arg(long)]
    pub(crate) no_networking: bool,
}

/// Another account through a role.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "A target group of another account")]
pub(crate) struct RoleArgs {
    /// Role that the controller assumes to reach the target group
    #[arg(long, value_name = "ARN", value_parser = role)]
    pub(crate) assume_role_arn: Option<String>,
    /// External id of that role
    #[arg(long, value_name = "ID", requires = "assume_role_arn")]
    pub(crate) external_id: Option<String>,
}

/// A ledger that lies there from before.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "A ledger of that name from before")]
pub(crate) struct LedgerArgs {
    /// Keep it: what it names and nobody wants any more is taken out
    #[arg(long, conflicts_with = "discard_ledger")]
    pub(crate) adopt_ledger: bool,
    /// Delete it first
    #[arg(long)]
    pub(crate) discard_ledger: bool,
}

/// Reads a port: what is a number is one.
fn port(text: &str) -> Result<PortRef, String> {
    match text.parse::<u16>() {
        Ok(0) => Err("ports are 1 to 65535".to_owned()),
        Ok(number) => Ok(PortRef::Number(number.into())),
        Err(_) if text.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err("a port is 1 to 65535, or a name".to_owned())
        }
        Err(_) => Ok(PortRef::Name(text.to_owned())),
    }
}

fn security_group(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("sg-").filter(|id| !id.is_empty());
    match id.filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        Some(_) => Ok(text.to_owned()),
        None => Err("a security group is written sg-0123456789abcdef0".to_owned()),
    }
}

fn cidr(text: &str) -> Result<String, String> {
    let is_block = |(address, bits): (&str, &str)| {
        let max = match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return false,
        };
        bits.parse::<u8>().is_ok_and(|bits| bits <= max)
    };
    match text.split_once('/').is_some_and(is_block) {
        true => Ok(text.to_owned()),
        false => Err("an address block is written 10.0.0.0/16 or 2001:db8::/56".to_owned()),
    }
}

fn role(text: &str) -> Result<String, String> {
    let is_role = text.starts_with("arn:") && text.contains(":iam::") && text.contains(":role/");
    match is_role && !text.contains(char::is_whitespace) {
        true => Ok(text.to_owned()),
        false => Err("a role is written arn:aws:iam::111122223333:role/NAME".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_or_a_name() {
        assert_eq!(port("80"), Ok(PortRef::Number(80)));
        assert_eq!(port("http"), Ok(PortRef::Name("http".to_owned())));
        assert!(["0", "70000", ""].into_iter().all(|text| port(text).is_err()));
    }

    #[test]
    fn sources_and_roles_are_read_strictly() {
        assert!(security_group("sg-0c4f21aa").is_ok());
        assert!(["sg-", "0c4f", "sg-a b"].into_iter().all(|text| security_group(text).is_err()));
        assert!(["10.0.0.0/8", "2001:db8::/56"].into_iter().all(|text| cidr(text).is_ok()));
        assert!(["10.0.0.0", "10.0.0.0/33", "ten/8"].into_iter().all(|text| cidr(text).is_err()));
        assert!(role("arn:aws:iam::111122223333:role/shop").is_ok());
        assert!(role("shop").is_err());
    }
}
