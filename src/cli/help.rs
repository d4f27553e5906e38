//! What `--help` says after the flags: examples and exit codes of each verb.
//!
//! `kubectl mctg` is replaced by what the program was called as.

pub(crate) const TOP: &str = "\
Examples:
  kubectl mctg status                 who serves what, and what is wrong
  kubectl mctg check                  can it work here, before anything is changed
  kubectl mctg enable svc/web         let other clusters share it
  kubectl mctg bind svc/web --from blue --context green    join it from there
  kubectl mctg unbind svc/web --context green              and leave it again
  kubectl mctg diff                   what reconcile would change
  kubectl mctg reconcile svc/web      repair it
  kubectl mctg manifests --image IMG  the same in a cluster, every five minutes
  kubectl mctg explain MCTG201        what a finding means
  kubectl mctg demo                   all of it, with no cluster and no AWS

Every context of the kubeconfig is read, unless MCTG_CONTEXTS or --context names
some. MCTG_READ_ONLY=1 refuses every change.

Exit codes:
  0  fine, or done
  1  a finding, a difference, or something withheld
  2  usage, an unknown name, or declined at the prompt
  3  something could not be read or done
  124  timed out waiting
  130  interrupted";

pub(crate) const STATUS: &str = "\
Examples:
  kubectl mctg status                         every shared target group
  kubectl mctg status svc/web -n shop         that of one Service
  kubectl mctg status 10.0.37.19              whose address is this?
  kubectl mctg status -o wide                 every target, with its health
  kubectl mctg status --context 'prod-*'      only these clusters
  kubectl mctg status -o json | jq .findings

Exit codes:
  0  fine
  1  a finding as bad as --fail-on says, or worse
  2  usage, or an unknown name
  3  something could not be read
  130  interrupted";

pub(crate) const CHECK: &str = "\
Each context is checked by its own user and credentials. Nothing is changed.

Examples:
  kubectl mctg check                          every context
  kubectl mctg check --pre --context green    before anything is bound there
  kubectl mctg check --service-account kube-system/kubectl-mctg
  kubectl mctg check -o wide                  what passed, too
  kubectl mctg check -o json | jq '.results[] | select(.verdict != \"passed\")'

Exit codes:
  0  sharing can work
  1  a check found something as bad as --fail-on says, or worse
  2  usage
  3  something could not be read, such as a context that does not answer
  130  interrupted";

pub(crate) const DIFF: &str = "\
Examples:
  kubectl mctg diff                           for the current context
  kubectl mctg diff svc/web -n shop --context blue
  kubectl mctg diff -o json | jq '.bindings[].plan'
  kubectl mctg diff --prune-unclaimed         and what no cluster claims

Exit codes:
  0  nothing to do; what is withheld or left to a controller is printed
  1  reconcile would change something
  2  usage, or an unknown name
  3  something could not be read
  130  interrupted";

pub(crate) const RECONCILE: &str = "\
It writes to --context, by default the current one, and reads the others so that
nothing of theirs is touched. A target is deregistered only if this cluster's
ledger tracks it and no cluster that was read desires it, or with
--prune-unclaimed, if no cluster at all claims it.

Examples:
  kubectl mctg reconcile --dry-run            print the plan, change nothing
  kubectl mctg reconcile svc/web -n shop --context blue
  kubectl mctg reconcile --via direct --yes --max-deregister 50%
  kubectl mctg reconcile --prune-unclaimed    also what no cluster claims
  kubectl mctg reconcile --prune-unclaimed --lost green

Exit codes:
  0  done, or nothing to do
  1  something was refused, withheld or left to a controller
  2  usage, an unknown name, or declined at the prompt
  3  something could not be read or done
  124  timed out waiting
  130  interrupted; what was done and what was not is reported";

pub(crate) const ENABLE: &str = "\
The flag is set where it lives: on the Service, the Ingress or the Service behind
it, the TargetGroupConfiguration of a Gateway's Service, or on a binding made by
hand; never on a binding that a controller made. Every binding that this decides
is looked at first, and what would stay behind is listed and needs --yes. What
Git deploys is not written: the patch for it is shown.

Examples:
  kubectl mctg enable svc/web -n shop --dry-run   what it would do
  kubectl mctg enable svc/web -n shop --context blue
  kubectl mctg enable svc web cart -n shop        several
  kubectl mctg enable ing -l app=web -A           all Ingresses with a label
  kubectl mctg enable svc/web --local -f web.yaml -o yaml

Exit codes:
  0  done, or so already
  1  refused: nothing was changed
  2  usage, an unknown name, or declined at the prompt
  3  something could not be read or done
  124  timed out waiting
  130  interrupted; what was done and what was not is reported";

pub(crate) const DISABLE: &str = "\
Without the flag a controller takes out whatever is not its own. So it is refused
while any context does not answer, another binding has the same target group, or
a target is registered that is not this cluster's. The ledger goes once the
controller has passed.

Examples:
  kubectl mctg disable svc/web -n shop --dry-run
  kubectl mctg disable svc/web -n shop --context blue --yes
  kubectl mctg disable svc/web -n shop --deletion-protection=false

Exit codes:
  0  done, or so already
  1  refused: nothing was changed
  2  usage, an unknown name, or declined at the prompt
  3  something could not be read or done
  124  timed out waiting
  130  interrupted; what was done and what was not is reported";

pub(crate) const BIND: &str = "\
It makes the TargetGroupBinding in --context, and changes nothing else; the
controller there registers the pods. What is not said is found: the group's
settings in AWS, who may reach the pods from the bindings of the other clusters,
ports from this Service. Everything is checked before anything is written, and a
second run changes nothing.

Examples:
  kubectl mctg bind svc/web -n shop --context green --from blue
  kubectl mctg bind svc/web --target-group-arn ARN --port https
  kubectl mctg bind -A --from blue --context green --dry-run    every Service
  kubectl mctg bind svc/web --from blue --dry-run=client -o yaml > web.yaml
  kubectl mctg bind svc/web --target-group-arn ARN --source-cidr 10.0.0.0/16

Exit codes:
  0  done, or so already
  1  refused: nothing was changed
  2  usage, an unknown context, or declined at the prompt
  3  something could not be read or done
  124  timed out waiting
  130  interrupted; what was done and what was not is reported";

pub(crate) const UNBIND: &str = "\
It writes to --context, by default the current one, and reads the others so that
nothing of theirs is touched. What a binding desires or tracks is noted in the
ConfigMap mctg-unbind-BINDING first, so that a run that was interrupted is gone
on with by the same command. Then the binding is deleted, its controller takes
its targets out, and once they have left, what is left over is cleaned up.
Without --timeout it waits for the deregistration delay and 3 minutes.

Examples:
  kubectl mctg unbind svc/web -n shop --dry-run
  kubectl mctg unbind svc/web -n shop --context green --save web.yaml
  kubectl mctg unbind -l tier=web -A --yes    every binding with that label
  kubectl mctg unbind --all -n shop
  kubectl mctg unbind --lost green --known-from status.json --dry-run
  kubectl mctg unbind --lost green --target-group-arn ARN 10.0.0.7:8080

Exit codes:
  0  done, or nothing to do
  1  refused: what forbids it is told, and nothing was changed
  2  usage, an unknown name, a lost context that answers, or declined
  3  something could not be read or done
  124  timed out waiting; the same command goes on
  130  interrupted; what was done and what was not is reported";

pub(crate) const MANIFESTS: &str = "\
It prints and changes nothing. Without NAME no cluster is asked; with NAME the
bindings are looked up in --context, so that roles and policy name just them.
-n limits what is granted to one namespace, but for what is read of the cluster.

Examples:
  kubectl mctg manifests --image registry.example/mctg:1 | kubectl apply -f -
  kubectl mctg manifests --image registry.example/mctg:1 svc/web -n shop
  kubectl mctg manifests --iam-policy svc/web -n shop > policy.json
  kubectl mctg manifests --trust-policy pod-identity > trust.json
  kubectl mctg manifests --image registry.example/mctg:1 --alerts -o json
  kubectl mctg manifests --reader | kubectl --context green apply -f -

Exit codes:
  0  printed
  2  usage, or an unknown name
  3  the bindings could not be read
  130  interrupted";

pub(crate) const EXPLAIN: &str = "\
Examples:
  kubectl mctg explain                        list every finding
  kubectl mctg explain MCTG201
  kubectl mctg explain MissingTargets -o yaml

Exit codes:
  0  explained
  2  no such finding";

pub(crate) const DEMO: &str = "\
Nothing real is read or changed. With --demo every other verb runs on a world of
its own that is kept between runs; --reset makes that anew.

Examples:
  kubectl mctg demo                           watch the story
  kubectl mctg demo --reset
  kubectl mctg status --demo                  then try it yourself
  kubectl mctg reconcile --demo --yes

Exit codes:
  0  played
  2  usage
  3  the world could not be kept
  130  interrupted";

pub(crate) const COMPLETION: &str = "\
kubectl completes a plugin through a program called kubectl_complete-mctg on the
PATH (kubectl 1.26 or newer).

Examples:
  kubectl mctg completion kubectl > ~/bin/kubectl_complete-mctg
  chmod +x ~/bin/kubectl_complete-mctg
  kubectl mctg completion bash > ~/.local/share/bash-completion/completions/kubectl-mctg
  kubectl mctg completion zsh > ~/.zfunc/_kubectl-mctg

Exit codes:
  0  printed
  2  usage";

pub(crate) const VERSION: &str = "\
Examples:
  kubectl mctg version
  kubectl mctg version -o json

Exit codes:
  0  printed
  2  usage";
