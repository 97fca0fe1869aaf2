"""A system-call filter in classic BPF: what no test program needs and every escape begins with is refused.

Not an allow-list: interpreters and compilers of any language must still run. x86-64 and arm64.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct

from kernel import PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, X86, prctl

# name: (x86-64, arm64); from Linux' unistd tables. 0 where the architecture has none
REFUSED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "syslog": (103, 116), "acct": (163, 89), "quotactl": (179, 60), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180), "fanotify_init": (300, 262),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "sethostname": (170, 161),
    "setdomainname": (171, 162), "iopl": (172, 0), "ioperm": (173, 0), "vhangup": (153, 58),
}  # fmt: skip
# signals: refused to others where there is no process-id namespace to hide them
SIGNALS = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)}
SIGNALS_ALWAYS = {"pidfd_send_signal": (424, 424), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)}
# and, there too, changes by path to modes, owners, times and attributes, which Landlock leaves to the file's owner
BY_PATH = {
    "chmod": (90, 0), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, 0), "lchown": (94, 0),
    "fchownat": (260, 54), "utime": (132, 0), "utimes": (235, 0), "futimesat": (261, 0), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "removexattr": (197, 14), "lremovexattr": (198, 15),
}  # fmt: skip
SOCKET, CLONE, CLONE3 = (41, 198), (56, 220), (435, 435)
AUDIT_ARCH = 0xC000003E if X86 else 0xC00000B7
NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW* flag
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, JEQ, JGE, JSET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCH, FIRST = 0, 4, 16  # offsets in struct seccomp_data; FIRST: low half of argument 0


@functools.lru_cache(maxsize=1)
def in_namespaces() -> bytes:
    """The filter of all programs with namespaces, made once."""
    return instructions(True, 0)


def instructions(own_namespaces: bool, pid: int) -> bytes:
    """The filter. Without namespaces also signals to other processes and changes to files by path are refused."""
    column = 0 if X86 else 1
    tables = [REFUSED] if own_namespaces else [REFUSED, SIGNALS_ALWAYS, BY_PATH]
    refused = [numbers[column] for table in tables for numbers in table.values() if numbers[column]]
    deny = _op(RETURN, ERRNO | errno.EPERM)
    code = [_op(LOAD, ARCH), _op(JEQ, AUDIT_ARCH, 1, 0), _op(RETURN, KILL), _op(LOAD, NUMBER)]
    if X86:  # the x32 numbers
        code += [_op(JGE, 0x40000000, 0, 1), deny]
    for number in refused:
        code += [_op(JEQ, number, 0, 1), deny]
    code += [_op(JEQ, CLONE3[column], 0, 1), _op(RETURN, ERRNO | errno.ENOSYS)]  # its flags are out of sight: use clone
    code += [_op(JEQ, CLONE[column], 0, 4), _op(LOAD, FIRST), _op(JSET, NEW_NAMESPACES, 0, 1), deny, _op(RETURN, ALLOW)]
    code += [_op(JEQ, SOCKET[column], 0, 1), deny]  # socketpair() is left
    if not own_namespaces:
        for numbers in SIGNALS.values():
            code += [_op(JEQ, numbers[column], 0, 4), _op(LOAD, FIRST), _op(JEQ, pid, 1, 0), deny, _op(RETURN, ALLOW)]
    return b"".join([*code, _op(RETURN, ALLOW)])


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def install(own_namespaces: bool) -> None:
    """For this process and its children. Needs no_new_privs. Errors: OSError where the kernel has none."""
    code = in_namespaces() if own_namespaces else instructions(False, os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(program))


def supported() -> bool:
    """Tried in a child, which then ends."""
    in_namespaces()  # once for all who are forked later
    child = os.fork()
    if not child:
        try:
            prctl(PR_SET_NO_NEW_PRIVS, 1)
            install(True)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0
