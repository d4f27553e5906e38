//! The house that the tests live in: servers, clusters, kubeconfigs, objects, and running programs.

pub(crate) mod cluster;
pub(crate) mod elbv2;
pub(crate) mod gate;
pub(crate) mod kubeconfig;
pub(crate) mod moto;
pub(crate) mod objects;
pub(crate) mod owners;
pub(crate) mod pod;
pub(crate) mod pool;
pub(crate) mod programs;
pub(crate) mod read_aloud;
pub(crate) mod scratch;
pub(crate) mod servers;
pub(crate) mod shop;
pub(crate) mod standin;
pub(crate) mod sts;
pub(crate) mod terminal;
pub(crate) mod trouble;
