from collections.abc import Callable
from pathlib import Path

import pytest

type Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files, given as a mapping of name to text, into one project folder; returns the folder."""
    root = (tmp_path / "project").resolve()

    def write_files(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    return write_files
