#!/usr/bin/env python3
"""Compares `kubectl mctg status` with the same facts by kubectl and aws, on the same local servers.

    benches/compare.py [--runs 20] [--aws-qps N] [--program target/release/kubectl-mctg]

It needs kubectl and aws on the PATH, a release build (`cargo build --release`), and what the e2e tests need: that house
starts two kube-apiservers with etcd and serves ELBv2 on loopback. Runs are interleaved, after one of each to warm caches;
medians are printed. CPU is user and system time of the program and all that it starts, memory the peak of its largest
process. The table goes into docs/performance.md.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What one needs to see by hand whose target is whose: bindings, endpoints and ledgers of both clusters; the group, its
# targets and owner, and what leads to it.
BY_HAND = """
for context in blue green; do
    kubectl --context $context get targetgroupbindings.elbv2.k8s.aws -A -o json
    kubectl --context $context get endpointslices -A -o json
    kubectl --context $context get configmaps -A -o json
done
aws elbv2 describe-target-groups --target-group-arns "$GROUP"
aws elbv2 describe-target-health --target-group-arn "$GROUP"
aws elbv2 describe-tags --resource-arns "$GROUP"
aws elbv2 describe-load-balancers --load-balancer-arns "$BALANCER"
aws elbv2 describe-listeners --load-balancer-arn "$BALANCER"
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--aws-qps", help="the limiter of kubectl mctg; by default its own")
    parser.add_argument("--program", default=os.path.join(target(), "release", "kubectl-mctg"))
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    for needed in ("kubectl", "aws", program):
        if not shutil.which(needed):
            sys.exit(f"error: there is no {needed}")

    house = subprocess.Popen(
        ["cargo", "test", "--features", "e2e", "--test", "e2e", "--", "--exact", "figures::holds_a_shop", "--ignored",
         "--nocapture"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory() as home:
        try:
            line = next((line for line in house.stdout if line.startswith("shop ")), None)
            if line is None:
                sys.exit("error: the servers did not start")
            _, kubeconfig, url, group = line.split()
            environment = {
                "HOME": home, "KUBECONFIG": kubeconfig, "GROUP": group, "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
                # Version 1 of the AWS CLI knows only this one.
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
                "PATH": os.path.dirname(program) + os.pathsep + real_path(),
            }
            environment["BALANCER"] = balancer(environment)
            flags = ["--aws-qps", options.aws_qps] if options.aws_qps else []
            compare(environment, options.runs, {
                "by hand: 6 kubectl get, 5 aws elbv2 describe": ["sh", "-ec", BY_HAND],
                "kubectl mctg status": ["kubectl", "mctg", "status", "-o", "json", *flags],
                "kubectl-mctg status (without kubectl)": [program, "status", "-o", "json", *flags],
            })
            for tool in (["kubectl", "version", "--client"], ["aws", "--version"]):
                print(subprocess.run(tool, env=environment, capture_output=True, text=True).stdout.splitlines()[0])
            print(f"limiter: {'--aws-qps ' + options.aws_qps if options.aws_qps else 'default'}")
        finally:
            house.stdin.close()
            house.wait()


def balancer(environment):
    described = subprocess.run(
        ["aws", "elbv2", "describe-target-groups", "--target-group-arns", environment["GROUP"], "--query",
         "TargetGroups[0].LoadBalancerArns[0]", "--output", "text"],
        env=environment, capture_output=True, text=True)
    if described.returncode != 0:
        sys.exit(f"error: aws: {described.stderr.strip()}")
    return described.stdout.strip()


def compare(environment, runs, contestants):
    before = os.getloadavg()[0]
    figures = {name: [] for name in contestants}
    for turn in range(runs + 1):
        for name, command in contestants.items():
            figure = measure(command, environment)
            if turn > 0:
                figures[name].append(figure)
    first = None
    print("\n| | wall time | CPU | peak memory | wall time, times less |")
    print("|---|---|---|---|---|")
    for name, measured in figures.items():
        wall, cpu, memory = (statistics.median(column) for column in zip(*measured))
        first = first or wall
        print(f"| {name} | {wall * 1e3:.0f} ms | {cpu * 1e3:.0f} ms | {memory / 1024:.0f} MB | {first / wall:.0f} |")
    print(f"\n{runs} runs of each, interleaved; {processor()}; load {before:.1f} before, {os.getloadavg()[0]:.1f} after")


def measure(command, environment):
    """Returns wall time and CPU in seconds, and memory in KiB."""
    started = time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE)
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"error: {command}: exit code {child.returncode}\n{said.decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def real_path():
    """The PATH, with the tests' own kubectl first, and aws without a version manager's shim, which costs time of its own."""
    shim = shutil.which("pyenv") and subprocess.run(["pyenv", "which", "aws"], capture_output=True, text=True)
    aws = shim.stdout.strip() if shim and shim.returncode == 0 else shutil.which("aws")
    folders = [os.environ.get("KUBEBUILDER_ASSETS", os.path.join(target(), "servers")), os.path.dirname(aws)]
    return os.pathsep.join([*folders, os.environ["PATH"]])


def target():
    return os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target")


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor()
    return f"{os.cpu_count()} cores of {model}"


if __name__ == "__main__":
    main()
