"""Programs judged per second in the sandbox, beside a plain `subprocess` for each test in the same run.

    python benchmarks/sandbox.py                       # 1, 3 and 30 tests a program, 2 threads
    python benchmarks/sandbox.py --tests 10 --rounds 20 --threads 1 --level process

calls: Calls. asserts: the same as plain asserts. tests: asserts that need the tests' own process. stdio: a new process
for each input. Peer: `python -c <program + test>` once for each test or input, no limits and no isolation. Both sides
use the same threads and take turns, round by round: medians of the rounds. ratio is ours / the peer's in tests per
second, above 1 where ours is faster. CPU: processor time of all processes, the warm ones' start included; its ratio
(peer's / ours) depends less on what else the machine does. Nothing here is asserted.

Growth with tests: the straight line through the CPU times of a kind. Growth with solutions: so many different programs
against one suite of calls, as a verification pipeline has them, from the start of the sandbox to its end.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from crucible.sandbox import Asserts, Call, Calls, Sandbox, Stdio

FUNCTION = "def f(x):\n    return sum(i * i for i in range(x))\n"
PROGRAM = "x = int(input())\nprint(sum(i * i for i in range(x)))\n"
BATCH = 8  # programs a round


def expected(x: int) -> int:
    return sum(i * i for i in range(x))


def ours(kind: str, box: Sandbox, tests: int) -> Callable[[], None]:
    asserts = "\n".join(f"assert f({n}) == {expected(n)}" for n in range(tests))
    suites = {
        "calls": Calls("f", [Call([n], expected(n)) for n in range(tests)]),
        "asserts": Asserts(asserts),
        "tests": Asserts(f"one = int(1)\n{asserts}"),
        "stdio": Stdio([(f"{n}\n", f"{expected(n)}\n") for n in range(tests)]),
    }

    def run() -> None:
        report = box.check(PROGRAM if kind == "stdio" else FUNCTION, suites[kind])
        assert report.passed == tests, report

    return run


def plain(kind: str, tests: int) -> Callable[[], None]:
    def run() -> None:
        for n in range(tests):
            program = PROGRAM if kind == "stdio" else f"{FUNCTION}assert f({n}) == {expected(n)}"
            done = subprocess.run([sys.executable, "-c", program], input=f"{n}\n", capture_output=True, text=True)
            assert done.returncode == 0
            assert kind != "stdio" or int(done.stdout) == expected(n)

    return run


def seconds(pool: ThreadPoolExecutor, run: Callable[[], None]) -> float:
    started = time.perf_counter()
    for done in [pool.submit(run) for _ in range(BATCH)]:
        done.result()
    return time.perf_counter() - started


def cpu() -> float:
    """Processor seconds of this process and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def compared(kind: str, tests: int, rounds: int, threads: int, level: str) -> tuple[list[float], list[float]]:
    """(median seconds of a batch, CPU seconds a program) of ours and the peer's; they take turns."""
    peer = plain(kind, tests)
    times: list[list[float]] = [[], []]
    before, of_peer = cpu(), 0.0
    with ThreadPoolExecutor(threads) as pool:
        with Sandbox(isolation=level) as box:
            run = ours(kind, box, tests)
            run()
            for _ in range(rounds):
                times[0].append(seconds(pool, run))
                at = cpu()
                times[1].append(seconds(pool, peer))
                of_peer += cpu() - at
            rest(box)
        both = cpu() - before
    programs = rounds * BATCH
    return [statistics.median(column) for column in times], [(both - of_peer) / programs, of_peer / programs]


def rest(box: Sandbox) -> None:
    """End the warm processes in time for their CPU time to be added up."""
    box.warm.close()
    time.sleep(0.1)


def solution(number: int) -> str:
    return f"def f(x):\n    return sum(i * i for i in range(x)) + {number} - {number}\n"


def with_solutions(count: int, tests: int, threads: int, level: str) -> list[tuple[float, float]]:
    """(seconds, CPU seconds) of ours and the peer's for `count` programs against one suite."""
    suite = Calls("f", [Call([n], expected(n)) for n in range(tests)])
    spent = []
    with ThreadPoolExecutor(threads) as pool:
        for side in (_in_sandbox, _in_subprocesses):
            started, before = time.perf_counter(), cpu()
            side(pool, [solution(number) for number in range(count)], suite, level)
            spent.append((time.perf_counter() - started, cpu() - before))
    return spent


def _in_sandbox(pool: ThreadPoolExecutor, programs: list[str], suite: Calls, level: str) -> None:
    with Sandbox(isolation=level) as box:
        assert all(report.fraction == 1 for report in pool.map(lambda program: box.check(program, suite), programs))
        rest(box)


def _in_subprocesses(pool: ThreadPoolExecutor, programs: list[str], suite: Calls, level: str) -> None:
    tests = [f"assert f(*{call.args!r}) == {call.expected!r}" for call in suite.calls]
    commands = [[sys.executable, "-c", program + test] for program in programs for test in tests]
    assert not any(done.returncode for done in pool.map(lambda c: subprocess.run(c, capture_output=True), commands))


def line(points: list[tuple[int, float]]) -> tuple[float, float]:
    """(intercept, slope) by least squares."""
    slope, intercept = statistics.linear_regression(*zip(*points, strict=True))
    return intercept, slope


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--level", default="auto", choices=["auto", "namespaces", "process"])
    parser.add_argument("--solutions", type=int, nargs="*", default=[1, 4, 16, 64], help="numbers of programs")
    given = parser.parse_args()
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"{platform.machine()}, {load}, Python {platform.python_version()}")
    with Sandbox(isolation=given.level) as box:
        print(f"isolation: {box.isolation().table()['level']}; {given.threads} threads\n")
    print("                 tests a second          CPU ms a program")
    print("kind     tests   ours   plain   ratio    ours    plain   ratio")
    growth: dict[str, list[tuple[int, float]]] = {}
    for kind in ("calls", "asserts", "tests", "stdio"):
        for tests in sorted({1, given.tests, 10 * given.tests}):
            rounds = given.rounds if tests <= given.tests else max(2, given.rounds // 4)
            (mine, theirs), used = compared(kind, tests, rounds, given.threads, given.level)
            speeds = f"{BATCH * tests / mine:6.0f} {BATCH * tests / theirs:7.0f} {theirs / mine:7.1f}"
            print(f"{kind:8} {tests:5} {speeds} {1e3 * used[0]:7.1f} {1e3 * used[1]:8.1f} {used[1] / used[0]:7.1f}")
            growth.setdefault(kind, []).append((tests, 1e3 * used[0]))
    print("\ngrowth with tests, CPU ms: a program + each of its tests")
    for kind, points in growth.items():
        start, each = line(points)
        print(f"{kind:8} {start:7.2f} + {each:.3f} a test")
    tests = given.tests
    print(f"\ngrowth with solutions: calls, {tests} tests\n                seconds               CPU ms a solution")
    print("solutions   ours   plain   ratio    ours    plain   ratio")
    for count in given.solutions:
        (mine, used_by_us), (theirs, used_by_peer) = with_solutions(count, tests, given.threads, given.level)
        each = f"{1e3 * used_by_us / count:7.1f} {1e3 * used_by_peer / count:8.1f} {used_by_peer / used_by_us:7.1f}"
        print(f"{count:9} {mine:6.2f} {theirs:7.2f} {theirs / mine:7.1f} {each}")


if __name__ == "__main__":
    main()
