"""Compiles modules for `packager.bytecode`, in the interpreter whose bytecode it must be; it imports nothing else.

It reads a JSON list of jobs from standard input: the path that tracebacks show, the source in base64, and the file
to write. What cannot be compiled, such as a template, gives an empty file.
"""

import base64
import importlib.util
import json
import marshal
import os
import sys

_UNCHECKED_HASH = (1).to_bytes(4, "little")


def bytecode(source: bytes, filename: str) -> bytes:
    """The contents of a `.pyc` that is never compared with its source (PEP 552); empty if there is no such."""
    try:
        code = compile(source, filename, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, OverflowError):
        return b""
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
    return head + marshal.dumps(code)


def main() -> None:
    """Do all jobs; each file appears whole, by one rename."""
    for filename, source, target in json.load(sys.stdin):
        temporary = f"{target}.{os.getpid()}"
        with open(temporary, "wb") as file:  # noqa: PTH123 - pathlib costs more than compiling a small project
            file.write(bytecode(base64.b64decode(source), filename))
        os.replace(temporary, target)  # noqa: PTH105 - as above


if __name__ == "__main__":
    main()
