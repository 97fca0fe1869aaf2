"""Supervisors serve one program after the other, and no program finds anything of the one before it."""

from __future__ import annotations

import multiprocessing
import os
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from crucible.sandbox import Asserts, Call, Calls, Limits, Sandbox, Stdio, warm
from tests.sandbox.boxes import started
from tests.sandbox.hostile.world import below, settles

PATIENT = Limits(wall_seconds=60, cpu_seconds=30)
LEVELS = ["namespaces", "process"]
MESS = """
import os, signal, sys, threading, time
for folder in (os.getcwd(), os.environ["TMPDIR"], "/dev/shm"):
    try: open(folder + "/left", "w").write("LEAK")
    except OSError: pass
os.makedirs("a/c"); os.mkdir("a/b", 0); os.symlink("/etc", "link"); os.mkfifo("pipe")
os.environ["LEFT"] = "LEAK"; os.umask(0); os.nice(3); signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not os.fork():
    os.setsid()
    if not os.fork(): time.sleep(100)
    os._exit(0)
threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
for f in (os.unshare if hasattr(os, "unshare") else lambda x: None, os.chroot):
    try: f("/" if f is os.chroot else 0x10000000)
    except (OSError, TypeError): pass
"""
LOOK = """
import os, signal, sys
def tree(at):
    try: return sorted(os.path.join(a, x)[len(at):] for a, d, f in os.walk(at) for x in d + f)
    except OSError as error: return str(error)
mask = os.umask(0)
try: mine = [p for p in os.listdir("/proc") if p.isdecimal()]
except OSError as error: mine = str(error)
names = sorted(k for k in os.environ if k != "LC_CTYPE")
print(tree(os.getcwd()), tree("/dev/shm"), names, mask, os.nice(0), signal.getsignal(signal.SIGTERM), len(mine))
print(os.getpid() if os.getpid() < 9 else "", sorted(sys.modules))
"""


@pytest.fixture(params=LEVELS)
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with started(limits=PATIENT, isolation=request.param) as made:
        yield made


def test_a_program_sees_nothing_of_the_one_before_it(box: Sandbox) -> None:
    alone = box.run(LOOK)
    assert alone.ok, alone.stderr
    before = box.warm.pids
    assert box.run(MESS).ok
    assert box.warm.pids == before  # that is, LOOK now runs where MESS ran
    again = box.run(LOOK)
    assert box.warm.pids == before
    assert again.stdout == alone.stdout
    assert b"LEAK" not in again.stdout


def test_what_it_leaves_is_gone_when_its_result_is_there(box: Sandbox) -> None:
    assert box.run(MESS).ok
    assert box._zygote is not None
    assert settles(lambda: below(box._zygote.pid) == set(box.warm.pids))  # type: ignore[union-attr]


def test_no_memory_of_earlier_programs_and_tests_is_inherited(box: Sandbox) -> None:
    """What a supervisor has read, every program forked from it could read."""
    # of many lengths: freed memory is used again
    comment = "".join(f"# mark-{{}}-860029 {'.' * n}\n" for n in range(300))
    program = comment.format(*["program"] * 300) + "def f(x): return x"
    tests = comment.format(*["tests"] * 300) + "x = int(2)\nassert f(x) == 2"
    assert box.check(program, Asserts(tests)).fraction == 1
    assert box.run("open('file', 'w').write(input())", "mark-input-860029").ok
    search = """
import re
for line in open("/proc/self/maps"):
    low, high = (int(end, 16) for end in line.split()[0].split("-"))
    if "rw" not in line or high - low > 100_000_000: continue
    with open("/proc/self/mem", "rb", 0) as memory:
        try: memory.seek(low); data = memory.read(high - low)
        except (OSError, ValueError): continue
    for hit in re.findall(rb"mark-[a-z]+-[0-9]+", data): print("FOUND", hit)
print("searched")
"""
    with box.prepared(search) as one, box.prepared(search) as other:
        for prepared in (one, other):
            execution = prepared.run("")
            assert execution.stdout.split() in ([b"searched"], []), execution.stdout
            refused = b"Permission denied" in execution.stderr or b"No such file" in execution.stderr
            assert execution.ok or (refused and box._level == "process"), execution.stderr


def test_all_kinds_of_checks_share_them(box: Sandbox) -> None:
    suites = [Calls("f", [Call([2], 4)]), Asserts("x = int(2)\nassert f(x) == 4"), Stdio([("", "")])]
    for suite in [*suites, *suites]:
        assert box.check("def f(x): return x * x", suite).fraction == 1
    assert len(box.warm.pids) == 2  # an Asserts needs two at once


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give programs users of their own")
def test_each_program_has_its_own_user_without_namespaces() -> None:
    with started(limits=PATIENT, isolation="process") as box:
        users = [box.run("import os; print(os.getuid(), os.getgid())").stdout for _ in range(3)]
        assert len(box.warm.pids) == 1
        assert len(set(users)) == 3
        with box.prepared("import os; print(os.getuid())") as one:
            assert one.run("").stdout == one.run("").stdout  # the runs of one program are one user's


def test_one_that_ran_into_a_limit_is_not_used_again(box: Sandbox) -> None:
    assert box.run("").ok
    before = box.warm.pids
    box.limits = replace(PATIENT, wall_seconds=0.2)
    assert box.run("import time; time.sleep(50)").ended == "timeout"
    assert box.warm.pids == []
    box.limits = PATIENT
    assert box.run("").ok
    assert len(box.warm.pids) == 1
    assert box.warm.pids != before


def test_it_serves_so_many_programs_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "MOST_PROGRAMS", 3)
    seen = []
    with started(limits=PATIENT) as box:
        for _ in range(7):
            assert box.run("").ok
            seen.append(tuple(box.warm.pids))
    assert seen[0] == seen[1] != seen[3] == seen[4]
    assert seen[2] == seen[5] == ()


def test_one_that_died_while_it_waited_is_replaced(box: Sandbox) -> None:
    assert box.run("").ok
    (pid,) = box.warm.pids
    os.kill(pid, 9)
    assert settles(lambda: not Path(f"/proc/{pid}").exists())
    assert box.run("print(1)").stdout == b"1\n"


def test_what_a_compiler_made_is_not_there_for_the_next_program(tmp_path: Path) -> None:
    (tmp_path / "made.yaml").write_text(
        textwrap.dedent("""
            filename: program.sh
            compile: [/bin/sh, program.sh]
            artifact: made
            execute: [/bin/sh, made]
            version: [/bin/sh, -c, "echo 1"]
            extension: sh
            prompt: A script that writes a script.
        """)
    )
    with started(limits=PATIENT, language=str(tmp_path / "made.yaml")) as box:
        assert box.run("echo 'echo 1' > made").stdout == b"1\n"
        before = box.warm.pids
        assert b"the compiler made no made" in box.run("true").stderr
        assert box.warm.pids == before


def _child(box: Sandbox, queue: multiprocessing.Queue) -> None:
    queue.put((box.run("print(1)").stdout, box.warm.pids))


def test_a_forked_child_leaves_those_of_its_parent_alone(box: Sandbox) -> None:
    assert box.run("").ok
    before = box.warm.pids
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(box, queue))
    child.start()
    stdout, pids = queue.get(timeout=60)
    child.join(60)
    assert stdout == b"1\n"
    assert not set(pids) & set(before)
    assert box.run("").ok
    assert box.warm.pids == before


def test_programs_that_run_at_once_have_one_each(box: Sandbox) -> None:
    meet = Barrier(3)

    def one(_: int) -> int:
        with box.prepared("print(1)") as prepared:
            prepared.run("")
            meet.wait(60)
            return prepared.session.supervisor.pid

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(one, range(3)))) == 3
    assert len(box.warm.pids) == 3
