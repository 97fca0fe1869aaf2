"""Programs that want out: files, environment, network, other processes, privileges."""

from __future__ import annotations

from tests.sandbox.hostile.program import Hostile

ESCAPES = [
    Hostile("read_passwd", "reads /etc/passwd and /etc/shadow", "stdio", """
for name in ("/etc/passwd", "/etc/shadow", "/etc/hostname"):
    try:
        text = open(name).read()
        if "root" in text or name == "/etc/hostname": print("LEAK", text)
    except OSError: pass"""),
    Hostile("read_home", "reads the home directory", "stdio", """
import os
for name in ("{home}", os.path.expanduser("~root"), "/home"):
    try: print("LEAK", os.listdir(name)) if set(os.listdir(name)) - {{".pyenv"}} else None
    except OSError: pass"""),
    Hostile("read_checkout", "reads the checkout with the tests", "stdio", """
import os
for at, _, names in os.walk("{checkout}"):
    for name in names:
        if name.endswith((".md", ".toml", "Makefile")): print("LEAK", at, name); raise SystemExit(1)"""),
    Hostile("read_secret", "reads a file of another program in /tmp", "calls", """
def f(x):
    try: print("LEAK", open("{secret}").read())
    except OSError: pass"""),
    Hostile("symlink_escape", "reads and writes through a symbolic link", "stdio", """
import os
os.symlink("{secret}", "link")
for mode in ("r", "a"):
    try: open("link", mode); print("LEAK", mode)
    except OSError: pass"""),
    Hostile("hard_link_escape", "makes a hard link to a file outside", "stdio", """
import os
for name in ("{secret}", "/etc/passwd"):
    try: os.link(name, "hard"); print("LEAK")
    except OSError: pass"""),
    Hostile("dotdot", "climbs out with ..", "stdio", """
try: print("LEAK", open("../" * 20 + "{secret}".lstrip("/")).read())
except OSError: pass"""),
    Hostile("write_outside", "writes where others would find it", "stdio", """
for name in ("{outside}/x", "/usr/x", "/etc/x", "/x", "/var/x", "/dev/x", "{home}/x"):
    try: open(name, "w"); print("LEAK", name)
    except OSError: pass"""),
    Hostile("chmod_chown", "changes modes and owners of what is not its own", "stdio", """
import os
for name in ("{secret}", "/usr/bin/env", "/usr", "/"):
    for change in (lambda: os.chmod(name, 0o777), lambda: os.chown(name, 0, 0), lambda: os.utime(name)):
        try: change(); print("LEAK", name)
        except OSError: pass"""),
    Hostile("remove_outside", "deletes the interpreter", "stdio", """
import os, sys
for name in (os.__file__, "/usr/bin/env", "{secret}"):
    for change in (lambda: os.remove(name), lambda: os.rename(name, "x")):
        try: change(); print("LEAK", name)
        except OSError: pass"""),
    Hostile("set_uid", "makes a set-uid program and becomes root", "stdio", """
import os, shutil, subprocess
for change in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgroups([0])):
    try: change(); print("LEAK") if os.getuid() == 0 else None
    except OSError: pass
shutil.copy("/usr/bin/id", "id"); os.chmod("id", 0o6755)
if "uid=0" in subprocess.run(["./id"], capture_output=True, text=True).stdout: print("LEAK")
for name in ("/usr/bin/su", "/usr/bin/mount"):
    try: subprocess.run([name, "-c", "id"], capture_output=True, timeout=1, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired): pass"""),
    Hostile("mount", "mounts a file system", "stdio", """
import ctypes
libc = ctypes.CDLL(None)
if libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == 0: print("LEAK mount")
if libc.umount2(b"/proc", 2) == 0: print("LEAK umount")
if libc.chroot(b"/tmp") == 0: print("LEAK chroot")"""),
    Hostile("new_namespace", "becomes root in a user namespace of its own", "stdio", """
import ctypes
libc = ctypes.CDLL(None)
if libc.unshare(0x10000000) == 0: print("LEAK unshare")
if libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) == 0: print("LEAK clone", flush=True)"""),
    Hostile("device_files", "makes a device file of the disk", "stdio", """
import os, stat
for name, device in (("mem", os.makedev(1, 1)), ("disk", os.makedev(254, 0)), ("disk2", os.makedev(8, 0))):
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        try: os.mknod(name + str(kind), kind | 0o600, device); open(name + str(kind), "rb").read(1); print("LEAK")
        except OSError: pass
for name in ("/dev/mem", "/dev/vda", "/dev/sda", "/dev/kmsg", "/dev/tty", "/dev/ptmx"):
    try: open(name, "rb"); print("LEAK", name)
    except OSError: pass"""),
    Hostile("environment", "looks for secrets in its environment", "stdio", """
import os
print({{k: v for k, v in os.environ.items() if "SECRET" in k or "TOKEN" in k}} or "", os.environ.get("{variable}", ""))
for name in os.listdir("/proc") if os.path.isdir("/proc") and os.access("/proc", os.R_OK) else []:
    try: data = open(f"/proc/{{name}}/environ").read()
    except OSError: continue
    if "{variable}" in data: print("LEAK", name)"""),
    Hostile("parent_memory", "reads the memory and environment of the process that judges it", "calls", """
import os
def f(x):
    for pid in {{{parent}, {zygote}, 1, os.getppid()}} - {{os.getpid()}}:
        for name in ("environ", "mem", "maps", "cmdline", "fd", "root/etc/passwd", "cwd"):
            try: data = open(f"/proc/{{pid}}/{{name}}", "rb").read(100)
            except OSError: continue
            print("LEAK", pid, name)"""),
    Hostile("ptrace", "attaches to the processes around it", "calls", """
import ctypes, os
def f(x):
    libc = ctypes.CDLL(None)
    for pid in {{{parent}, {zygote}, 1, os.getppid()}} - {{os.getpid()}}:
        if libc.ptrace(16, pid, 0, 0) == 0: print("LEAK", pid)
        buffer = ctypes.create_string_buffer(64)
        if libc.syscall(310, pid, buffer, 1, buffer, 1, 0) > 0: print("LEAK", pid)"""),
    Hostile("kill_parent", "kills the process that judges it", "calls", """
import os, signal
def f(x):
    for pid in ({parent}, {zygote}):
        try: os.kill(pid, signal.SIGKILL); print("LEAK")
        except OSError: pass"""),
    Hostile("kill_everyone", "kills its group and every process it can see", "calls", """
import os, signal
def f(x):
    for kill in (lambda: os.kill(-1, 9), lambda: os.killpg({group}, 9), lambda: os.kill(os.getppid() or 99999, 9)):
        try: kill()
        except OSError: pass"""),
    Hostile("kill_own_group", "kills its own process group", "calls", "import os\ndef f(x): os.kill(0, 9)"),
    Hostile("setsid_daemon", "leaves a daemon in a session of its own", "stdio", """
import os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        for n in range(3): os.close(n)
        while True: time.sleep(0.01)
    os._exit(0)
os.wait()"""),
    Hostile("daemon_of_call", "leaves a daemon that goes on after the answer", "calls", """
import os, time
def f(x):
    if not os.fork():
        os.setsid()
        while True: time.sleep(0.01)
    return 0"""),
    Hostile("fork_chain", "always lives on in a child that has just been forked", "stdio", """
import os
while True:
    if os.fork(): os._exit(0)"""),
    Hostile("local_socket", "talks to a server on this machine", "stdio", """
import socket
for family, address in ((socket.AF_INET, ("127.0.0.1", {port})), (socket.AF_UNIX, "{unix}"),
                        (socket.AF_UNIX, "\\0{abstract}")):
    try: s = socket.socket(family); s.connect(address); print("LEAK", address)
    except OSError: pass"""),
    Hostile("internet", "talks to the internet", "stdio", """
import socket
for attempt in (lambda: socket.create_connection(("1.1.1.1", 53), 1), lambda: socket.getaddrinfo("example.com", 80),
                lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("8.8.8.8", 53))):
    try: attempt(); print("LEAK")
    except OSError: pass"""),
    Hostile("raw_sockets", "opens raw, packet and netlink sockets", "stdio", """
import socket
for family, kind in ((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW), (socket.AF_NETLINK, 3)):
    try: socket.socket(family, kind); print("LEAK", family)
    except OSError: pass"""),
    Hostile("inherited_descriptors", "uses descriptors somebody forgot to close", "stdio", """
import os
for n in range(3, 4096):
    try: os.fstat(n)
    except OSError: continue
    print("LEAK", n, os.readlink(f"/proc/self/fd/{{n}}"))"""),
    Hostile("kernel_interfaces", "uses bpf, io_uring, keyrings, perf and userfaultfd", "stdio", """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for number in (321, 425, 250, 298, 323, 304, 101):
    if libc.syscall(number, 0, 0, 0, 0, 0) >= 0: print("LEAK", number)"""),
    Hostile("fifo_artifact", "blocks whoever reads its files", "stdio", """
import os
os.remove("program.py"); os.mkfifo("program.py"); os.mkdir("closed"); os.chmod("closed", 0)"""),
]  # fmt: skip
