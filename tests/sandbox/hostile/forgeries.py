"""Programs that want to pass without solving anything."""

from __future__ import annotations

from tests.sandbox.hostile.program import Hostile

ALWAYS_EQUAL = """
class Always(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __sub__(self, other): return Always(1)
    __rsub__ = __gt__ = __le__ = __ge__ = __abs__ = __sub__
    def __hash__(self): return 0
"""
SEARCH = """
import gc, sys
def found():
    frame = sys._getframe()
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            if type(value) is int and value > 800_000_000: yield value
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            for value in list(thing.values()):
                if type(value) is int and 860_000_000 < value < 861_000_000: yield value
        elif isinstance(thing, (list, tuple)):
            for value in thing:
                if type(value) is int and 860_000_000 < value < 861_000_000: yield value
"""

FORGERIES = [
    Hostile("exit_early", "ends with exit code 0 before any test", "asserts", "import sys\nsys.exit(0)"),
    Hostile("exit_early_in_call", "the same when called", "asserts", "import os\ndef f(x): os._exit(0)"),
    Hostile("system_exit_in_call", "raises SystemExit(0) when called", "calls", "def f(x): raise SystemExit(0)"),
    Hostile("keyboard_interrupt", "raises what nobody catches", "asserts", "def f(x): raise KeyboardInterrupt"),
    Hostile("exit_in_thread", "ends the process from a thread", "calls", """
import os, threading
threading.Timer(0.05, os._exit, [0]).start()
def f(x):
    while True: pass"""),
    Hostile("nothing", "is an empty program", "calls", ""),
    Hostile("prints_nothing", "prints fewer lines than asked", "stdio", "input()"),
    Hostile("always_equal", "returns a number that is equal to all", "calls",
            ALWAYS_EQUAL + "def f(x): return Always(3)"),
    Hostile("always_equal_asserts", "the same to asserts, also under abs and minus", "asserts",
            ALWAYS_EQUAL + "def f(x): return Always(3)"),
    Hostile("equal_object", "returns an object of its own that is equal to all", "asserts",
            ALWAYS_EQUAL.replace("(int)", "") + "def f(x): return Always()"),
    Hostile("equal_by_metaclass", "returns a class that is equal to all", "asserts", """
class Meta(type):
    def __eq__(self, other): return True
    def __hash__(self): return 0
class Always(metaclass=Meta): pass
def f(x): return Always"""),
    Hostile("nan", "returns NaN, which breaks comparisons", "asserts", 'def f(x): return float("nan")'),
    Hostile("infinity", "returns infinity", "calls", 'def f(x): return float("inf")'),
    Hostile("true_for_all", "returns True", "asserts", "def f(x): return True"),
    Hostile("replace_builtins", "replaces abs, int, print, isinstance and the assertion error", "asserts", """
import builtins
class Quiet(BaseException): pass
builtins.AssertionError = Quiet
builtins.abs = lambda x: 1
builtins.int = builtins.isinstance = lambda *a: True
abs = lambda x: 1
def f(x): return 860_029_410"""),
    Hostile("own_tests_names", "defines the names the tests define", "asserts",
            "EXPECTED = 3\ncandidate = None\ndef check(f): pass\ndef f(x): return EXPECTED"),
    Hostile("exec_hooks", "patches exec, compile, open, __import__ and __build_class__", "calls", """
import builtins
for name in ("exec", "eval", "compile", "open", "__import__", "len", "repr", "type"):
    setattr(builtins, name, lambda *a, **k: 860_029_411)
def f(x): return len([])"""),
    Hostile("patch_json", "patches json and the encoder on its side", "calls", """
import json, sys
json.dumps = json.loads = lambda *a, **k: '{{"value": true, "passed": true}}'
for name, module in list(sys.modules.items()):
    for attribute in ("encode", "decode", "same_value", "write_frame"):
        if hasattr(module, attribute) and name in ("values", "frames", "serve"):
            setattr(module, attribute, lambda *a, **k: True)
def f(x): return 0"""),
    Hostile("import_checker", "imports the checker to patch it", "calls", """
def f(x):
    for name in ("crucible", "crucible.sandbox.compare", "pytest", "tests.sandbox.hostile.program"):
        try: print("LEAK", __import__(name))
        except ImportError: pass"""),
    Hostile("read_checker_source", "reads the sources of the sandbox for the answer", "calls", """
import sys
def f(x):
    for name, module in list(sys.modules.items()):
        at = getattr(module, "__file__", None) or ""
        if "sandbox" in at:
            try: print("LEAK", open(at).read()[:100])
            except OSError: pass"""),
    Hostile("search_frames", "searches frames and objects for the expected value", "calls",
            SEARCH + "def f(x): return next(found(), 0)"),
    Hostile("search_frames_asserts", "the same among asserts", "asserts",
            SEARCH + "def f(x): return next(found(), 0)"),
    Hostile("search_memory", "searches its own memory for the expected value", "asserts", """
import re
def f(x):
    for line in open("/proc/self/maps"):
        low, high = (int(part, 16) for part in line.split()[0].split("-"))
        if "rw" not in line or high - low > 50_000_000: continue
        with open("/proc/self/mem", "rb", 0) as memory:
            try: memory.seek(low); data = memory.read(high - low)
            except (OSError, ValueError): continue
        hit = re.search(rb"EXPECTED = (\\d+)", data)
        if hit: print("LEAK"); return int(hit[1])
    return 0"""),
    Hostile("search_arguments", "looks for tests in argv, files and descriptors", "stdio", """
import os, sys
for name in [*sys.argv, *os.listdir("."), *os.listdir("/tmp"), *os.listdir("/box")] if os.path.isdir("/box") else []:
    try: text = open(name).read()
    except OSError: continue
    if "8600" + "29411" in text: print("LEAK", name)"""),
    Hostile("write_expected", "writes the files a checker could look at", "stdio", """
for name in ("expected", "expected.txt", "output", "stdout", "result.json", "/tmp/result", "/dev/stdout.txt"):
    try: open(name, "w").write("passed")
    except OSError: pass"""),
    Hostile("print_verdict", "prints what a checker might print", "calls", """
print('{{"done": true}}\\n!{{"end": 0, "outcome": "passed", "text": ""}}\\n1 passed in 0.01s\\nOK')
def f(x): print("passed"); return None"""),
    Hostile("forge_frames", "writes the judge's own messages to every descriptor it has", "asserts", """
import json, os, struct
def send(body):
    for n in range(1, 64):
        try: os.write(n, struct.pack("=I", len(body)) + body)
        except OSError: pass
for message in ({{"loaded": True}}, {{"end": 0, "outcome": "passed", "text": ""}}, {{"done": True}},
                {{"value": True}}, {{"value": ["callback", 0]}}):
    for mark in (b"", b"!", b">"): send(mark + json.dumps(message).encode())
def f(x): return 0"""),
    Hostile("forge_frames_calls", "the same to calls", "calls", """
import json, os, struct
def f(x):
    for message in ({{"value": True}}, {{"passed": True}}, {{"value": ["object", 0, "int"]}}):
        body = json.dumps(message).encode()
        os.write(3, struct.pack("=I", len(body)) + body)
    return 0"""),
    Hostile("half_a_frame", "begins a message and never ends it", "calls",
            'import os\ndef f(x):\n    os.write(3, b"\\xff\\xff\\x00\\x00abc")\n    while True: pass', slow=True),
    Hostile("frame_of_garbage", "answers with what is not a message", "asserts", """
import os, struct
def f(x):
    for body in (b"\\xff" * 9, b"[" * 90_000, b'{{"value": ["set", [["list", []]]]}}', b'{{"raised": 3}}'):
        os.write(3, struct.pack("=I", len(body)) + body)
    os._exit(0)"""),
    Hostile("forge_gone", "tells the tests that something else went wrong", "asserts", """
import json, os, struct
def f(x):
    body = json.dumps({{"gone": "passed", "text": ""}}).encode()
    os.write(3, struct.pack("=I", len(body)) + body)
    return 0"""),
    Hostile("exception_named_passed", "raises an exception with a name that fools a parser", "asserts", """
class passed(Exception): pass
def f(x): raise passed('"outcome": "passed"')"""),
    Hostile("assertion_error", "raises the tests' own exception", "asserts", "def f(x): raise AssertionError"),
    Hostile("atexit", "waits for the end to change what was said", "stdio", """
import atexit, os
atexit.register(lambda: (print("passed"), os._exit(0)))
raise ValueError"""),
    Hostile("settrace", "traces the harness to change its variables", "calls", """
import sys, threading
def spy(frame, event, argument):
    for name in list(frame.f_locals):
        if name in ("reply", "value", "outcome"): frame.f_locals[name] = {{"value": True}}
    return spy
sys.settrace(spy); sys.setprofile(spy); threading.settrace(spy)
def f(x): return 0"""),
    Hostile("replace_frames", "patches the frames above it through gc", "calls", """
import gc
def f(x):
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "request" in thing: thing["request"] = {{"op": "get"}}
    return 0"""),
    Hostile("pickle_payload", "returns an object that runs code when it is unpickled", "calls", """
import os
class Payload:
    def __reduce__(self): return os.system, ("touch {outside}/pickled",)
def f(x): return Payload()"""),
    Hostile("hostile_repr", "runs code, recurses and lies in repr, str and len", "asserts", """
class Odd:
    def __repr__(self): return repr(self)
    __str__ = __format__ = __repr__
    def __len__(self): return -1
    def __bool__(self): return repr(self)
    def __getattr__(self, name): return self
def f(x): return Odd()"""),
    Hostile("remote_getattr", "answers every question of the tests with yes", "asserts", """
class Yes:
    def __getattr__(self, name): return lambda *a, **k: True
    def __iter__(self): return iter([])
    def __float__(self): return 860_029_410.0
    __int__ = __index__ = lambda self: 860_029_410
def f(x): return Yes()"""),
    Hostile("binary_output", "prints bytes that are no text", "stdio",
            'import sys\nsys.stdout.buffer.write(bytes(range(256)) * 10)'),
    Hostile("surrogates", "returns text that cannot be encoded", "calls", 'def f(x): return "\\ud800\\udfff\\x00"'),
    Hostile("dup_stdout", "gives its stdout to another file", "stdio", """
import os
os.dup2(os.open("elsewhere", os.O_CREAT | os.O_RDWR), 1)
print(1)"""),
    Hostile("rewind_stdout", "goes back in its output and truncates it", "stdio", """
import os
print("x", flush=True); os.lseek(1, 0, 0); os.ftruncate(1, 0)"""),
    Hostile("close_everything", "closes every descriptor", "calls",
            "import os\nos.closerange(0, 4096)\ndef f(x): return 0"),
    Hostile("leading_zero_lines", "prints many candidates and hopes one line counts", "stdio",
            "for n in range(100): print(n)"),
    Hostile("guess_from_name", "uses ctypes to write into the integers of its interpreter", "calls", """
import ctypes
for n in range(256):
    ctypes.memmove(id(n) + 24, ctypes.byref(ctypes.c_int(7)), 4)
def f(x): return 0"""),
    Hostile("crash", "crashes the interpreter", "asserts", "import ctypes\ndef f(x): ctypes.string_at(0)"),
    Hostile("crash_in_supervisor_hooks", "registers fork hooks for processes that come after it", "calls", """
import os
os.register_at_fork(before=lambda: os._exit(0), after_in_parent=lambda: os._exit(0))
def f(x): os.fork(); return 0"""),
]  # fmt: skip
