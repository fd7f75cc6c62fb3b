"""Turns the sources in a zip of modules into bytecode. Runs inside Pyodide, whose bytecode it must be.

Pyodide's standard library comes as sources; to compile it anew at every start costs 1.6 s of 2.7 s.
"""

import importlib.util
import marshal
import zipfile
from pathlib import Path

_UNCHECKED_HASH = (1).to_bytes(4, "little")


def precompile(source: str, target: str) -> None:
    """Write to `target` the archive `source` with each `.py` as a `.pyc`, entries stored, not deflated.

    Equal archives give equal bytes if PYTHONHASHSEED is fixed. The bytecode is never compared with a source
    (PEP 552, unchecked), since none is beside it. `source` is where the modules will be imported from: it is
    what tracebacks show.
    """
    with zipfile.ZipFile(source) as sources, zipfile.ZipFile(target, "w") as compiled:
        for entry in sources.infolist():
            name, content = entry.filename, sources.read(entry)
            if entry.is_dir():
                continue
            if name.endswith(".py"):
                code = compile(content, str(Path(source) / name), "exec", dont_inherit=True)
                head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(content)
                content = head + marshal.dumps(code)
                name += "c"
            compiled.writestr(zipfile.ZipInfo(name), content)
