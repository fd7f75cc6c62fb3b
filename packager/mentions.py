"""Which modules a distribution's code may import by a name: the words after `import` or `from`, and in quotes.

Drivers and plug-ins are imported by a name that no import statement of the project spells out. Reading a large
distribution takes a second; its folder in the store never changes, so the words are kept.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from packager.cache import cache_dir, derived_dir

# A module's name ends the look-ahead and not the match: one quote may close a word and open the next.
_WORD = re.compile(rb"""\b(?:import|from)(?=\s+([\w\x80-\xff]+))|["'](?=([\w\x80-\xff]+)["'])""")


def mentioned(folder: Path) -> frozenset[str]:
    """The words in all Python files below `folder`, an unpacked wheel."""
    if folder.parent != cache_dir() / "wheels":
        return mentioned_in(folder.rglob("*.py"))
    kept = derived_dir() / "words" / folder.name
    try:
        return frozenset(kept.read_text(encoding="utf-8").split("\n"))
    except FileNotFoundError:
        words = mentioned_in(folder.rglob("*.py"))
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        # by renaming: another process may read it at this moment
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.write_text("\n".join(sorted(words)), encoding="utf-8")
        fresh.replace(kept)
    return words


def mentioned_in(files: Iterable[Path]) -> frozenset[str]:
    """The words in Python files."""
    found: set[bytes] = set()
    for path in files:
        for pair in _WORD.findall(path.read_bytes()):
            found.update(pair)
    found.discard(b"")
    return frozenset(word.decode("utf-8", "replace") for word in found)
