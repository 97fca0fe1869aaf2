"""What stands between a program and this machine, as found by trying."""

from __future__ import annotations

from dataclasses import dataclass

NOT = "NOT ISOLATED: "


@dataclass(frozen=True, slots=True)
class Isolation:
    """`namespaces` False: `why` says what the machine refused. `landlock` is its version, 0 where there is none."""

    namespaces: bool
    seccomp: bool
    landlock: int
    proc: bool  # whether all processes of a program can be seen, and so their memory and CPU time added up
    root: bool  # whether Crucible runs as root
    why: str = ""

    @property
    def complete(self) -> bool:
        return self.namespaces and self.seccomp and self.proc

    def table(self) -> dict[str, str]:
        """What is in force, thing by thing."""
        shown = "system folders and the interpreter, read-only; one scratch folder"
        files = {
            True: f"own file tree: {shown} in memory",
            False: f"Landlock {self.landlock}: {shown} on disk" if self.landlock else f"{NOT}every file of this user",
        }
        sockets = "sockets refused"
        signals = "signals to others refused" if self.seccomp or self.root else f"{NOT}may signal this user's processes"
        return {
            "level": "namespaces" if self.namespaces else f"process ({self.why})",
            "files": files[self.namespaces],
            "network": "own namespace without a way out" + (f"; {sockets}" if self.seccomp else "")
            if self.namespaces else (sockets if self.seccomp else f"{NOT}sockets work"),
            "processes": "own process-id namespace, killed as a whole" if self.namespaces
            else f"a subreaper finds and kills every descendant; {signals}",
            "user": "own user namespace, no capabilities" if self.namespaces
            else "a user id of its own for each program" if self.root else f"{NOT}the user Crucible runs as",
            "system calls": "filtered (seccomp)" if self.seccomp else f"{NOT}not filtered",
            "memory together": "added up 50 times a second" if self.proc else f"{NOT}only each process is limited",
            "scratch": "a file system of scratch_mb" if self.namespaces else "added up 50 times a second",
        }  # fmt: skip
