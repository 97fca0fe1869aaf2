from __future__ import annotations

from collections.abc import Iterator

import pytest

from crucible.errors import UserError
from crucible.sandbox import Asserts, Call, Calls, Limits, Sandbox, Stdio, SuiteError, languages

# A program that doubles a number, and one that fails, in every language
PROGRAMS = {
    "python": ("print(2 * int(input()))", "raise SystemExit(3)"),
    "c": ('#include <stdio.h>\nint main() {int x; scanf("%d", &x); printf("%d\\n", 2 * x); return 0;}', "int main() {"),
    "javascript": ('console.log(2 * parseInt(require("fs").readFileSync(0)))', "process.exit(3)"),
    "bash": ("read x; echo $((2 * x))", "exit 3"),
    "perl": ('print 2 * <STDIN>, "\\n"', "exit 3"),
    "java": (
        "class Main { public static void main(String[] a) { System.out.println("
        "2 * new java.util.Scanner(System.in).nextInt()); } }",
        "class Main { public static void main(String[] a) { System.exit(3); } }",
    ),
}
ROOMY = Limits(wall_seconds=60, cpu_seconds=30, memory_mb=1024)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(limits=Limits(wall_seconds=20)) as made:
        yield made


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("java", "javascript")]


@pytest.mark.parametrize("name", ["bash", "c", "perl", "python", *SLOW])
def test_a_language(name: str) -> None:
    try:
        languages.load(name).require()
    except UserError as error:
        pytest.skip(str(error))
    right, broken = PROGRAMS[name]
    with Sandbox(language=name, limits=ROOMY) as box:
        report = box.check(right, Stdio([("2\n", "4\n"), ("-3\n", "-6"), ("3\n", "7")]))
        assert [test.outcome for test in report.tests] == ["passed", "passed", "failed"], report
        assert [test.outcome for test in box.check(broken, Stdio([("2", "4"), ("", "")])).tests] == ["error"] * 2
        if name != "python":
            with pytest.raises(UserError, match="Calls need python"):
                box.check(right, Calls("f", [Call([1], 2)]))


def test_every_language_has_a_program_here() -> None:
    assert set(PROGRAMS) == set(languages.names())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("filename: x", "execute is missing"),
        ("filename: x\nexecut: [a]", 'unknown key "execut" (did you mean "execute"?)'),
        ("- x", "must be a mapping"),
        ("{filename: a/b, execute: [x], version: [x], extension: x, prompt: x}", "plain file name"),
        ("{filename: a, execute: x y, version: [x], extension: x, prompt: x}", "a list of words"),
        ("{filename: a, execute: [x], version: [x], extension: x, prompt: x, compile: [y]}", "belong together"),
        ("{filename: a, execute: [x], version: [x], extension: x, prompt: x, warm: true}", "python alone"),
        ("{filename: a", "not YAML"),
    ],
)
def test_a_language_file_that_describes_none(tmp_path, text: str, says: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        languages.load(str(tmp_path / "mine.yaml"))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_an_own_language_by_its_path_and_a_missing_command(tmp_path) -> None:
    text = "{filename: p, execute: [no-such-command, p], version: [no-such-command], extension: x, prompt: x}"
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match=r'"mine" needs the command "no-such-command"'):
        Sandbox(language=str(tmp_path / "mine.yaml"))
    (tmp_path / "cat.yaml").write_text(text.replace("no-such-command", "cat"))
    with Sandbox(language=str(tmp_path / "cat.yaml")) as box:
        assert box.run("hello").stdout == b"hello"
    with pytest.raises(UserError, match="did you mean"):
        Sandbox(language="pyton")


def test_each_input_has_a_fresh_process_and_folder(box: Sandbox) -> None:
    program = "import os\nn = len(os.listdir('.'))\nopen('left', 'w')\nprint(input(), n)"
    report = box.check(program, Stdio([("a", "a 3"), ("b", "b 3")]))
    assert report.passed == 2, report


def test_a_right_output_with_a_wrong_end_does_not_pass(box: Sandbox) -> None:
    report = box.check("print(1)\nraise ValueError('late')", Stdio([("", "1")]))
    assert [(t.outcome, t.text) for t in report.tests] == [("error", "exit code 1: ValueError: late")]


def test_python_ends_as_python_ends(box: Sandbox) -> None:
    program = """
import atexit, sys, threading, time
atexit.register(print, "last")
threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
print("first", __name__, sys.argv)
sys.exit("said")"""
    execution = box.run(program)
    assert execution.stdout.decode().split("\n") == ["first __main__ ['program.py']", "thread", "last", ""]
    assert (execution.stderr, execution.code) == (b"said\n", 1)
    trace = box.run("def f():\n    1 / 0\nf()").stderr.decode()
    assert trace.startswith('Traceback (most recent call last):\n  File "program.py", line 3, in <module>\n    f()')


def test_calls(box: Sandbox) -> None:
    program = "def f(x, y=0):\n    print('noise', x)\n    return [x, {y}] if x else 1 / x"
    right, wrong = Call([1], [1, {0}]), Call([1], [1, {0}], {"y": 2})
    calls = [right, wrong, Call([1], [True, {2.0}], {"y": 2}), Call([0], 0), Call([], 0)]
    report = box.check(program, Calls("f", calls))
    assert [t.outcome for t in report.tests] == ["passed", "failed", "passed", "error", "error"]
    assert (report.passed, report.total, report.fraction) == (2, 5, 0.4)
    assert report.tests[1].name == "f(1, y=2)"
    assert report.output.startswith("noise 1\nnoise 1\n")
    assert [t.outcome for t in box.check("x =", Calls("f", calls)).tests] == ["error"] * 5
    assert [t.outcome for t in box.check("def g(): 0", Calls("f", calls)).tests] == ["error"] * 5


def test_tolerance(box: Sandbox) -> None:
    calls = [Call([], 0.3)]
    program = "def f(): return 0.1 + 0.2"
    assert box.check(program, Calls("f", calls)).passed == 0
    assert box.check(program, Calls("f", calls, tolerance=1e-9)).passed == 1


@pytest.mark.parametrize("make", [lambda: Stdio([]), lambda: Calls("f", []), lambda: Calls("f", [Call([object()], 1)])])
def test_suites_that_cannot_be(make) -> None:
    with pytest.raises(SuiteError):
        make()


def test_names_of_tests_do_not_depend_on_the_program(box: Sandbox) -> None:
    suite = Asserts("k = str(1)\nassert f(1) == 1\nfor n in range(2):\n    assert f(n) == n")
    names = {tuple(t.name for t in box.check(p, suite).tests) for p in ("def f(x): return x", "x =", "exit()")}
    assert len(names) == 1
