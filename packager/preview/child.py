"""The first thing that runs inside a runtime process: ties it to the tool's life and shuts the door behind it.

    python -I -S -B child.py PARENT lambda GROUP STORAGE SHARED HANDLER CLIENT FOLDER…  HANDLER under awslambdaric
    python -I -S -B child.py PARENT script GROUP SCRIPT ARGUMENT…              SCRIPT in much the same place
    python -I -S -B child.py PARENT exec PROGRAM ARGUMENT…                     becomes PROGRAM

Run as a file by the interpreter of the function, which may be another than the tool's: it imports the standard
library alone. With `-I -S` no site-packages is on `sys.path`; `lambda` puts the FOLDERs before the standard
library and CLIENT, which holds awslambdaric, behind it, as Lambda does. GROUP is the file of a control group that
takes this process in, or empty. Only `/tmp` can be written: with `lambda` it is a file system of its own, empty and
of STORAGE MB, where the system lets this user make one; folders of SHARED, parted as in PATH, are seen in it.
"""

import contextlib
import ctypes
import errno
import os
import resource
import runpy
import signal
import sys

TMP = "/tmp"  # noqa: S108 - Lambda's own writable folder
NOT_PRIVATE = "warning: /tmp is this machine's own here, and its size is not limited to {size} MB: {reason}"
"""What a process writes, which knows it alone, where it cannot have a `/tmp` of its own."""

_OPEN_FILES = 1024
"""Files that a function may hold open (Lambda quotas)."""
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND = 1, 2, 4, 32, 4096
_MS_REC, _MS_PRIVATE = 16384, 1 << 18
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


def join(group: str) -> None:
    """Be counted in a control group, and hold no more files open than a function may."""
    # Less than this system allows already, or as much as it does.
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    if group:
        # A group that has gone is one protection less; the tool looks at the memory too.
        with contextlib.suppress(OSError):
            _write(group, str(os.getpid()))


def own_tmp(megabytes: int, kept: list[str], libc: ctypes.CDLL) -> None:
    """Mount an empty `/tmp`, in which of the folders before only those `kept` are seen; the working folder becomes
    read-only. In a namespace of this process's own, so that nothing is to be undone.

    Raises `OSError` where that cannot be had.
    """
    root = os.getcwd()  # noqa: PTH109 - pathlib takes longer to import than all of this
    _enter_namespace(libc)
    below = [path for path in sorted({*kept, root}) if path.startswith(TMP + "/")]
    outermost = [path for path in below if not any(path.startswith(other + "/") for other in below)]
    # Held open, since they are to be had by no path once `/tmp` is another one.
    handles = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in {*outermost, root}}
    _mount(libc, "none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount(libc, "tmpfs", TMP, "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={megabytes}m,mode=0700")
    for path, handle in handles.items():
        os.makedirs(path, exist_ok=True)  # noqa: PTH103 - as above
        _mount(libc, f"/proc/self/fd/{handle}", path, None, _MS_BIND | _MS_REC)
        os.close(handle)
    with contextlib.suppress(OSError):
        _mount(libc, "none", root, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
    os.chdir(root)


def _enter_namespace(libc: ctypes.CDLL) -> None:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWNS) == 0:
        return
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        _write(f"/proc/self/{name}", text)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)


def _mount(
    libc: ctypes.CDLL, source: str, target: str, kind: str | None, flags: int, data: str | None = None
) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    if libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


def obey_file_modes(libc: ctypes.CDLL) -> None:
    """Root, also that of a namespace, may write what is read-only; give that up: the artifact is read-only."""
    if sys.platform != "linux":
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


def confine(libc: ctypes.CDLL) -> None:
    """Shut the door: from here on only `/tmp` can be written."""
    obey_file_modes(libc)
    write_only_below(TMP, libc)


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
    group, *rest = rest
    join(group)
    if mode == "script":
        confine(libc)
        sys.argv[:] = rest
        runpy.run_path(rest[0], run_name="__main__")
        return
    storage, shared, handler, client, *folders = rest
    kept = [
        *filter(None, shared.split(os.pathsep)),
        client,
        *folders,
        # a virtual environment's, which `sys.prefix` does not name without `site`
        os.path.dirname(sys.executable),  # noqa: PTH120 - pathlib takes longer to import than all of this
        sys.prefix,
        sys.base_prefix,
        sys.base_exec_prefix,
    ]
    try:
        own_tmp(int(storage), kept, libc)
    except OSError as error:
        print(NOT_PRIVATE.format(size=storage, reason=error.strerror), flush=True)
    # A namespace may have taken it back.
    die_with(int(parent), libc)
    confine(libc)
    run_lambda(handler, client, folders)


if __name__ == "__main__":
    main(sys.argv[1:])
