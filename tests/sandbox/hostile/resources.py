"""Programs that want more than their share."""

from __future__ import annotations

from tests.sandbox.hostile.program import Hostile

RESOURCES = [
    Hostile("infinite_loop", "uses CPU for ever", "stdio", "while True: pass", slow=True),
    Hostile("infinite_loop_in_call", "the same when called", "calls", "def f(x):\n    while True: pass", slow=True),
    Hostile("infinite_loop_on_load", "the same while it is loaded", "asserts", "while True: pass", slow=True),
    Hostile("sleep_forever", "waits without using anything", "stdio", "import time\ntime.sleep(1e6)", slow=True),
    Hostile("read_stdin_forever", "waits for input that never comes", "stdio",
            "import sys\nwhile True: sys.stdin.read(1)", slow=True),
    Hostile("sigterm_ignored", "ignores every signal it can, then waits", "stdio", """
import signal, time
for n in range(1, 65):
    try: signal.signal(n, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
while True: time.sleep(1)""", slow=True),
    Hostile("fork_bomb", "doubles for ever", "stdio", """
import os
while True:
    try: os.fork()
    except OSError: pass""", slow=True),
    Hostile("fork_bomb_in_call", "doubles for ever when called", "calls", """
import os
def f(x):
    while True:
        try: os.fork()
        except OSError: pass""", slow=True),
    Hostile("zombie_storm", "leaves thousands of dead children", "stdio", """
import os
made = 0
for _ in range(5000):
    try:
        if not os.fork(): os._exit(0)
        made += 1
    except OSError: pass
print("LEAK" if made > 1000 else "")"""),
    Hostile("thread_storm", "starts thousands of threads", "stdio", """
import threading, time
made = 0
for _ in range(5000):
    try: threading.Thread(target=time.sleep, args=(100,), daemon=True).start(); made += 1
    except (RuntimeError, MemoryError): break
print("LEAK" if made > 1000 else "", flush=True)
import os; os._exit(1)"""),
    Hostile("memory_hog", "allocates for ever", "stdio", """
kept = []
while True: kept.append(bytearray(10_000_000))"""),
    Hostile("memory_hog_in_call", "the same when called", "calls", """
def f(x):
    kept = []
    while True: kept.append(bytearray(10_000_000))"""),
    Hostile("memory_of_many", "spreads memory over processes", "stdio", """
import os, time
for _ in range(8): os.fork()
kept = bytearray(90_000_000)
for i in range(0, len(kept), 4096): kept[i] = 1
time.sleep(100)""", slow=True),
    Hostile("shared_memory_of_many", "the same with memory shared between them", "stdio", """
import mmap, os, time
for _ in range(8): os.fork()
kept = mmap.mmap(-1, 60_000_000)
for i in range(0, len(kept), 4096): kept[i] = 1
time.sleep(100)""", slow=True),
    Hostile("huge_mmap", "maps a terabyte", "stdio", """
import mmap
for size in (1 << 40, 1 << 34, 1 << 32):
    try: mmap.mmap(-1, size); print("LEAK", size)
    except (OSError, ValueError, OverflowError): pass"""),
    Hostile("shared_memory", "keeps memory in objects that belong to no process", "stdio", """
import ctypes, os
libc = ctypes.CDLL(None)
if libc.shmget(0, 1 << 24, 0o1600) >= 0: print("LEAK shmget")
try: os.memfd_create("x"); print("LEAK memfd")
except OSError: pass"""),
    Hostile("huge_list", "asks for one enormous object", "calls", "def f(x): return [0] * 10**12"),
    Hostile("huge_power", "computes a number too large to hold", "calls", "def f(x): return 9 ** 9 ** 9", slow=True),
    Hostile("disk_hog", "fills /tmp", "stdio", """
import itertools, os
written = 0
try:
    for n in itertools.count():
        with open(f"/tmp/{{n}}", "wb") as file: written += file.write(bytes(1_000_000))
except OSError: pass
print("LEAK" if written > 60_000_000 else "")"""),
    Hostile("one_large_file", "writes one enormous file", "stdio", """
with open("large", "wb") as file:
    try:
        for _ in range(1000): file.write(bytes(1_000_000)); file.flush()
        print("LEAK")
    except OSError: pass"""),
    Hostile("inode_hog", "makes a million empty files", "stdio", """
made = 0
try:
    for n in range(40_000): open(str(n), "w").close(); made += 1
except OSError: pass
print("LEAK" if made > 30_000 else "")"""),
    Hostile("deep_folders", "makes folders so deep that cleaning up fails", "stdio", """
import os
for _ in range(3000): os.mkdir("d"); os.chdir("d")"""),
    Hostile("sparse_file", "makes a file that claims a terabyte", "stdio", """
import os
with open("sparse", "wb") as file:
    try: os.ftruncate(file.fileno(), 1 << 40); print("LEAK")
    except OSError: pass"""),
    Hostile("stdout_flood", "prints for ever", "stdio", 'while True: print("x" * 1000)'),
    Hostile("stderr_flood", "the same on stderr", "stdio", 'import sys\nwhile True: sys.stderr.write("x" * 1000)'),
    Hostile("flood_in_call", "prints for ever when called", "calls",
            'def f(x):\n    while True: print("x" * 1000)'),
    Hostile("giant_return", "returns a gigantic value", "calls", 'def f(x): return "x" * 50_000_000'),
    Hostile("giant_return_asserts", "the same to asserts", "asserts", "def f(x): return list(range(5_000_000))"),
    Hostile("giant_exception", "raises with a gigantic text", "calls",
            'def f(x): raise ValueError("x" * 50_000_000)'),
    Hostile("deep_recursion", "recurses until the stack is gone", "calls", """
import sys
sys.setrecursionlimit(10**9)
def f(x): return f(x + 1)""", slow=True),
    Hostile("deep_value", "returns a list in a list in a list ...", "calls", """
def f(x):
    value = []
    for _ in range(100_000): value = [value]
    return value"""),
    Hostile("self_containing", "returns a list that contains itself", "asserts", """
def f(x):
    value = []
    value.append(value)
    return value"""),
    Hostile("colliding_keys", "returns a set whose numbers all have one hash", "calls",
            "def f(x): return {{i * (2**61 - 1) for i in range(1, 1500)}}"),
    Hostile("endless_object", "returns something that can be iterated for ever", "asserts", """
class Endless:
    def __iter__(self): return self
    def __next__(self): return 0
def f(x): return Endless()"""),
    Hostile("regex_bomb", "backtracks for ever in C code", "stdio",
            'import re\nre.match("(a+)+$", "a" * 40 + "b")', slow=True),
    Hostile("open_files", "opens files without end", "stdio", """
kept = []
try:
    while len(kept) < 5000: kept.append(open("/dev/null"))
    print("LEAK")
except OSError: pass"""),
    Hostile("timer_storm", "arms timers and signals itself", "stdio", """
import os, signal
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
while True: os.kill(os.getpid(), signal.SIGALRM)""", slow=True),
    Hostile("raise_own_limits", "lifts its limits", "stdio", """
import resource
for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE):
    try: resource.setrlimit(kind, (resource.RLIM_INFINITY,) * 2); print("LEAK", kind)
    except (OSError, ValueError): pass"""),
]  # fmt: skip
