"""A system-call filter for the process that runs learner code (Linux, x86-64 and 64-bit Arm).

Refused, with "Operation not permitted": new processes, other programs, sockets, signals to others,
tracing, namespaces, mounts, shared memory, kernel interfaces that no exercise needs. Threads stay
allowed. It works in every confinement, costs nothing to start, and holds for root as well, for whom the
kernel does not enforce limits on the number of processes.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

# name: (x86-64, 64-bit Arm); -1 where the architecture lacks it.
_DENIED = {
    "fork": (57, -1),
    "vfork": (58, -1),
    "execve": (59, 221),
    "execveat": (322, 281),
    "tkill": (200, 130),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "kcmp": (312, 272),
    "socket": (41, 198),
    # A datagram socket of a pair could still be given a name, or write to any other.
    "socketpair": (53, 199),
    "bind": (49, 200),
    "connect": (42, 203),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Memory that no limit counts.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "fallocate": (285, 47),
    # System V objects, made here or by others.
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    # The priority of others.
    "setpriority": (141, 140),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    # Owners, modes and times of files, which Landlock does not guard.
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, -1),
    "fchown": (93, 55),
    "lchown": (94, -1),
    "fchownat": (260, 54),
    "utime": (132, -1),
    "utimes": (235, -1),
    "futimesat": (261, -1),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    # What others do with files, which nothing guards.
    "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
}
# Calls newer than any that a library needs: nobody has looked at what they let through.
_NEWEST = 453
# 0 stands for oneself in some of them.
_TO_SELF_ONLY = {"kill": (62, 129), "tgkill": (234, 131)}
_TO_SELF_OR_0 = {"prlimit64": (302, 261), "sched_setaffinity": (203, 122)}
# Commands (the second argument) that reach others: signals, locks, terminals.
_COMMANDS_DENIED = {
    # fcntl: F_SETOWN, F_SETSIG, F_SETOWN_EX; F_SETLEASE, F_NOTIFY, which hold others up.
    (72, 25): (8, 10, 15, 1024, 1026),
    # ioctl: FIOSETOWN, SIOCSPGRP, TIOCSTI; FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR, as chmod above.
    (16, 29): (0x8901, 0x8902, 0x5412, 0x40086602, 0x401C5820),
}
# Shared memory stays when its addresses are given back, and counts for nobody.
_MMAP, _MAP_SHARED = (9, 222), 0x01
_PRCTL, _PR_SET_PDEATHSIG = (157, 167), 1
_CLONE, _CLONE3 = (56, 220), (435, 435)
_CLONE_THREAD = 0x00010000
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_FIRST_ARGUMENT, _OFFSET_SECOND_ARGUMENT = 0, 4, 16, 24
_OFFSET_FOURTH_ARGUMENT = 40


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _by_argument(
    number: int, offset: int, test: int, value: int, if_true: bytes, if_false: bytes
) -> list[bytes]:
    """Return the instructions that decide a call by one of its arguments, and leave other calls alone."""
    decide = [_step(_LOAD, offset), _step(test, value, 0, 1), if_true, if_false]
    return [_step(_EQUAL, number, 0, len(decide)), *decide]


def build_filter(machine: str, own_pid: int) -> list[bytes]:
    """Return the filter's instructions for a machine ("x86_64" or "aarch64"). KeyError for others."""
    column, architecture = _ARCHITECTURES[machine]
    refuse = _step(_RETURN, _ERRNO | _EPERM)
    allow = _step(_RETURN, _ALLOW)
    steps = [
        _step(_LOAD, _OFFSET_ARCH),
        _step(_EQUAL, architecture, 1, 0),
        refuse,
        _step(_LOAD, _OFFSET_NUMBER),
        _step(_AT_LEAST, 0x40000000, 0, 1),  # the x32 variants of system calls
        refuse,
        _step(_AT_LEAST, _NEWEST, 0, 1),
        _step(_RETURN, _ERRNO | _ENOSYS),
    ]
    for numbers in _DENIED.values():
        if numbers[column] >= 0:
            steps += [_step(_EQUAL, numbers[column], 0, 1), refuse]
    # glibc falls back from clone3, whose flags a filter cannot see, to clone.
    steps += [_step(_EQUAL, _CLONE3[column], 0, 1), _step(_RETURN, _ERRNO | _ENOSYS)]
    steps += _by_argument(_CLONE[column], _OFFSET_FIRST_ARGUMENT, _HAS_BITS, _CLONE_THREAD, allow, refuse)
    for numbers, other in [
        *((numbers, own_pid) for numbers in _TO_SELF_ONLY.values()),
        *((numbers, 0) for numbers in _TO_SELF_OR_0.values()),
    ]:
        steps += [
            _step(_EQUAL, numbers[column], 0, 5),
            _step(_LOAD, _OFFSET_FIRST_ARGUMENT),
            _step(_EQUAL, own_pid, 1, 0),
            _step(_EQUAL, other, 0, 1),
            allow,
            refuse,
        ]
    steps += _by_argument(_MMAP[column], _OFFSET_FOURTH_ARGUMENT, _HAS_BITS, _MAP_SHARED, refuse, allow)
    for numbers, commands in _COMMANDS_DENIED.items():
        steps += [_step(_EQUAL, numbers[column], 0, 2 * len(commands) + 2)]
        steps += [_step(_LOAD, _OFFSET_SECOND_ARGUMENT)]
        for command in commands:
            steps += [_step(_EQUAL, command, 0, 1), refuse]
        steps += [allow]
    steps += _by_argument(_PRCTL[column], _OFFSET_FIRST_ARGUMENT, _EQUAL, _PR_SET_PDEATHSIG, refuse, allow)
    return [*steps, allow]


def available() -> bool:
    """Whether this system has a filter for us."""
    return sys.platform == "linux" and platform.machine() in _ARCHITECTURES


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def install() -> None:
    """Install the filter in this process, for good. Raises OSError when the kernel refuses."""
    steps = build_filter(platform.machine(), os.getpid())
    libc = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(steps), b"".join(steps))
    no_new_privileges, set_seccomp, mode_filter = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(
        set_seccomp, mode_filter, ctypes.byref(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the system-call filter was refused")
