"""Limits, isolation, and what happens to processes when others end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from crucible.errors import UserError
from crucible.sandbox import Call, Calls, Limits, Sandbox, SandboxError, Stdio
from crucible.sandbox.isolation import NOT, Isolation
from tests.sandbox.boxes import started
from tests.sandbox.hostile.world import below, settles

SOURCE = Path(__file__).resolve().parents[2] / "src"
SMALL = Limits(wall_seconds=60, cpu_seconds=30, memory_mb=100, file_mb=2, scratch_mb=4, output_kb=100, processes=12)
LEVELS = ["namespaces", "process"]
ENDINGS = {
    "timeout": "import time\ntime.sleep(100)",
    "memory": """
import os, time
for _ in range(3): os.fork()
x = bytearray(60_000_000)
for i in range(0, len(x), 4096): x[i] = 1
time.sleep(100)""",
    "output": "while True: print('x' * 1000)",
}  # fmt: skip


@pytest.fixture(scope="module", params=LEVELS)
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with started(limits=SMALL, isolation=request.param) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("level", LEVELS)
def test_which_limit_it_was(level: str, ending: str) -> None:
    limits = replace(SMALL, wall_seconds=2) if ending == "timeout" else SMALL
    with started(limits=limits, isolation=level) as box:
        execution = box.run(ENDINGS[ending])
        assert execution.ended == ending, execution
        assert box.check(ENDINGS[ending], Stdio([("", "")])).tests[0].outcome == ending


@pytest.mark.slow
def test_cpu_time_is_limited_apart_from_wall_time() -> None:
    with Sandbox(limits=Limits(wall_seconds=120, cpu_seconds=0.3)) as box:
        execution = box.run("while True: pass")
        assert execution.ended == "cpu", execution
        assert execution.cpu_seconds < 3
        assert box.run("import os\nfor _ in range(3): os.fork()\nwhile True: pass").ended == "cpu"


def test_one_process_over_its_memory_sees_a_memory_error(box: Sandbox) -> None:
    assert box.check("x = bytearray(200_000_000)", Stdio([("", "")])).tests[0].outcome == "memory"
    program = "def f(n): return len(bytearray(n))"
    report = box.check(program, Calls("f", [Call([200_000_000], 1), Call([5], 5)]))
    assert [test.outcome for test in report.tests] == ["memory", "passed"]


def test_a_slow_suite_ends() -> None:
    limits = Limits(wall_seconds=5, suite_seconds=0.5)
    with Sandbox(limits=limits) as box:
        report = box.check(
            "import time\ndef f(x): time.sleep(0.3); return x", Calls("f", [Call([n], n) for n in range(9)])
        )
    outcomes = [test.outcome for test in report.tests]
    assert outcomes[-1] == "timeout"
    assert report.wall_seconds < 4
    assert len(outcomes) == 9


def test_usage_is_measured(box: Sandbox) -> None:
    wait = "end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    execution = box.run(f"import time\nx = bytearray(b'x') * 30_000_000\n{wait}")
    assert execution.cpu_seconds >= 0.2
    assert execution.wall_seconds >= 0.2
    assert 30 < execution.peak_mb < 100


def test_many_threads_at_once(box: Sandbox) -> None:
    def one(n: int) -> bytes:
        return box.run("import os\nopen('mine', 'x').write('1')\nprint(input())", str(n)).stdout

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(24))) == [f"{n}\n".encode() for n in range(24)]


def _in_child(box: Sandbox, queue: multiprocessing.Queue) -> None:
    queue.put((box.run("print(7)").stdout, box._zygote.pid if box._zygote else 0))


def test_a_forked_child_has_a_warm_process_of_its_own(box: Sandbox) -> None:
    assert box.run("").ok
    assert box._zygote is not None
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(box, queue))
    child.start()
    stdout, pid = queue.get(timeout=60)
    child.join(60)
    assert stdout == b"7\n"
    assert pid != box._zygote.pid
    assert settles(lambda: not Path(f"/proc/{pid}").exists())
    assert box.run("print(8)").stdout == b"8\n"


def test_a_warm_process_that_was_killed_is_replaced() -> None:
    with Sandbox() as box:
        assert box.run("print(1)").ok
        assert box._zygote is not None
        os.kill(box._zygote.pid, signal.SIGKILL)
        time.sleep(0.1)
        assert box.run("print(1)").ok


def test_a_broken_sandbox_is_not_a_failed_program() -> None:
    with Sandbox(limits=Limits(wall_seconds=30)) as box, ThreadPoolExecutor(1) as pool:
        assert box.run("").ok
        assert box._zygote is not None
        running = pool.submit(box.check, "import time\ndef f(): time.sleep(20)", Calls("f", [Call([], 1)]))
        assert settles(lambda: len(below(box._zygote.pid)) >= 2)
        for pid in below(box._zygote.pid):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(SandboxError):
            running.result(timeout=30)


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_outlives_a_parent_that_is_killed(level: str) -> None:
    python = started(isolation=level)._python
    program = "import os, time\nif not os.fork():\n    os.setsid()\n    os.fork()\nwhile True: time.sleep(0.1)"
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(f"""
            import sys
            sys.path.insert(0, {str(SOURCE)!r})
            from crucible.sandbox import Limits, Sandbox
            box = Sandbox(limits=Limits(wall_seconds=60, cpu_seconds=60), isolation={level!r}, python={python!r})
            box.isolation()
            print("ready", flush=True)
            box.run({program!r})
        """)],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        assert settles(lambda: len(below(parent.pid)) >= 5)  # warm process, supervisor, three of the program's
        family = below(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    assert settles(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family)), family


def test_what_is_in_force_is_told(box: Sandbox) -> None:
    isolation = box.isolation()
    assert isolation.namespaces == (box._level == "namespaces")
    assert isolation.complete == isolation.namespaces or not isolation.seccomp
    weak = Isolation(namespaces=False, seccomp=False, landlock=0, proc=False, root=False, why="refused")
    told = weak.table()
    for what in ("files", "network", "processes", "user", "system calls", "memory together"):
        assert NOT in told[what]
    assert not weak.complete
    if isolation.complete:
        assert NOT not in "".join(isolation.table().values())


def test_it_prints_what_is_in_force() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crucible.sandbox"],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(SOURCE)}, check=True,
    )  # fmt: skip
    assert "level " in done.stdout
    assert "python " in done.stdout


def test_it_is_light() -> None:
    code = "import sys, crucible.sandbox; print([m for m in ('torch', 'numpy', 'yaml') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(SOURCE)}
    )
    assert done.stdout.strip() == "[]", done


def test_more_paths_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "shown").write_text("text")
    (tmp_path / "shown").chmod(0o644)  # for the user the program runs as
    tmp_path.chmod(0o755)
    program = f"print(open({str(tmp_path / 'shown')!r}).read())\nopen({str(tmp_path / 'new')!r}, 'w')"
    with Sandbox(readable=[str(tmp_path)], isolation="namespaces") as box:
        execution = box.run(program)
        assert execution.stdout == b"text\n"
        assert b"Read-only file system" in execution.stderr


@pytest.mark.parametrize(
    "options",
    [{"isolation": "none"}, {"readable": ["x"]}, {"readable": ["/no/such"]}, {"python": "/no/such"}, {"language": "x"}],
)
def test_senseless_options_are_refused(options) -> None:
    with pytest.raises(UserError):
        Sandbox(**options)


@pytest.mark.parametrize(
    "limits", [{"wall_seconds": 0}, {"memory_mb": 3}, {"processes": -1}, {"output_kb": float("nan")}]
)
def test_senseless_limits_are_refused(limits) -> None:
    with pytest.raises(UserError):
        Limits(**limits)
