"""The first thing that runs inside a runtime process: ties it to the tool's life and shuts the door behind it.

    python -I -S -B child.py PARENT lambda WRITABLE HANDLER CLIENT FOLDER…   runs HANDLER under awslambdaric
    python -I -S -B child.py PARENT script WRITABLE SCRIPT ARGUMENT…         runs SCRIPT in the same place
    python -I -S -B child.py PARENT exec PROGRAM ARGUMENT…                   becomes PROGRAM

Run as a file by the interpreter of the function, which may be another than the tool's: it imports the standard
library alone. With `-I -S` no site-packages is on `sys.path`; `lambda` puts the FOLDERs before the standard
library and CLIENT, which holds awslambdaric, behind it, as Lambda does.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_WRITE_FILE = 1 << 1
# Everything in linux/landlock.h that changes files: write, remove, make (bits 1 and 4 to 12), refer, truncate.
_CHANGES_BY_VERSION = {1: 0x1FF2, 2: 0x3FF2, 3: 0x7FF2}
_COERCED_LOCALES = ("C.UTF-8", "C.utf8", "UTF-8")


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def die_with(parent: int, libc: ctypes.CDLL) -> None:
    """Let the kernel end this process with the tool's, however that one ends (Linux)."""
    if sys.platform == "linux":
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def obey_file_modes(libc: ctypes.CDLL) -> None:
    """Root may write what is read-only; give that up, so that the artifact is read-only for root too."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    libc.prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) == 0:
        for index in (0, 1, 2):
            sets[index] &= ~(1 << _CAP_DAC_OVERRIDE)
        libc.capset(header, sets)


def write_only_below(folder: str, libc: ctypes.CDLL) -> None:
    """Refuse every change of a file outside `folder`, by Landlock where the kernel has it (Linux 5.13)."""
    if sys.platform != "linux":
        return
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return
    changes = _CHANGES_BY_VERSION[min(version, 3)]
    attributes = _Ruleset(changes)
    ruleset = libc.syscall(
        _LANDLOCK_CREATE, ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes)), 0
    )
    if ruleset < 0:
        return
    for path, access in ((folder, changes), ("/dev", _WRITE_FILE)):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        libc.syscall(_LANDLOCK_ADD, ruleset, 1, ctypes.byref(_PathRule(access, descriptor)), 0)
        os.close(descriptor)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


def run_lambda(handler: str, client: str, folders: list[str]) -> None:
    """Hand over to the real runtime client."""
    sys.path[:0] = folders
    sys.path.append(client)
    sys.argv[:] = ["bootstrap", handler]
    from awslambdaric.__main__ import main as serve  # noqa: PLC0415 - found only on the path just set

    serve(sys.argv)


def main(arguments: list[str]) -> None:
    """Read the command line described above."""
    parent, mode, *rest = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    die_with(int(parent), libc)
    # Python adds this one itself where it finds no locale (PEP 538); Lambda and the edge do not.
    if os.environ.get("LC_CTYPE") in _COERCED_LOCALES:
        del os.environ["LC_CTYPE"]
    if mode == "exec":
        os.execve(rest[0], rest, os.environ)  # noqa: S606 - the tool's own command line
    writable, *rest = rest
    obey_file_modes(libc)
    write_only_below(writable, libc)
    if mode == "script":
        sys.argv[:] = rest
        runpy.run_path(rest[0], run_name="__main__")
    else:
        handler, client, *folders = rest
        run_lambda(handler, client, folders)


if __name__ == "__main__":
    main(sys.argv[1:])
