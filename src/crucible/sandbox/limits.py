"""What a program may use."""

from __future__ import annotations

from dataclasses import dataclass, fields

from crucible.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one test, unless it says otherwise. All are enforced from outside the program.

    The kernel bounds each process in memory, file size, open files, and the sandbox in processes and scratch; the
    memory and CPU time of all processes together, wall time and output are looked at 50 times a second.
    """

    wall_seconds: float = 5.0  # 5 s a test as in open-r1
    cpu_seconds: float = 5.0  # of all its processes; of a program that answers calls, times the number of calls
    memory_mb: float = 512.0  # of each process (address space), and resident of all together
    processes: int = 32  # processes and threads at once
    file_mb: float = 16.0  # largest file
    scratch_mb: float = 64.0  # all files together
    open_files: int = 64  # of each process
    output_kb: float = 1024.0  # stdout and stderr together; also the largest value a call may return
    compile_seconds: float = 30.0  # wall and CPU time of a compiler
    suite_seconds: float = 120.0  # wall time of all tests of one check

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise UserError(f"sandbox limits: {field.name}={value} must be above 0")
        if self.memory_mb < 32:
            raise UserError(f"sandbox limits: memory_mb={self.memory_mb} is less than an interpreter needs (32)")
