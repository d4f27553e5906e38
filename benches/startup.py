#!/usr/bin/env python3
"""Measures start-up: `benches/startup.py [PROGRAM] [RUNS]` runs `--help` and prints the median."""

import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target")
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.path.join(TARGET, "release", "kubectl-mctg")
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 100


def run():
    started = time.perf_counter()
    subprocess.run([PROGRAM, "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - started) * 1e3


run()
times = sorted(run() for _ in range(RUNS))
print(f"{RUNS} runs: median {statistics.median(times):.1f} ms, fastest {times[0]:.1f} ms, slowest {times[-1]:.1f} ms; "
      f"load {os.getloadavg()[0]:.1f}")
