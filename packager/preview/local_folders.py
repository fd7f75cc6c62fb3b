"""Folders of this machine's `/tmp` that the values of `.env.local` name, such as that of a database."""

import re
from collections.abc import Mapping
from pathlib import Path

_TMP = Path("/tmp")  # noqa: S108 - functions have another one
_NAMED = re.compile(r"/tmp/[^?#&;:,\s\"']+")  # noqa: S108 - as above


def local_folders(local: Mapping[str, str]) -> tuple[str, ...]:
    """The folders, which a function sees beside a `/tmp` of its own; sorted. A file stands for the folder it is in.

    Who names one here means what is there: a server's socket, a file that all processes are to share.
    """
    found = set()
    for value in local.values():
        for name in _NAMED.findall(value):
            path = Path(name)
            folder = path if path.is_dir() else path.parent
            if folder.is_dir() and folder != _TMP and _TMP in folder.parents and ".." not in folder.parts:
                found.add(str(folder))
    return tuple(sorted(found))
