"""The code blocks of a page, with the file that each one is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

_TITLE = re.compile(r'title="(?P<title>[^"]+)"')
_FILE = re.compile(r"[\w.()@\[\]/-]+\.\w+|\.env[\w.]*")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `section` is the heading above it, `label` the first word of the paragraph above it."""

    page: Path
    line: int
    end: int
    language: str
    title: str | None
    text: str
    section: str
    label: str

    @property
    def file(self) -> str | None:
        """The file of the project that the block is, by its title."""
        return self.title if self.title and _FILE.fullmatch(self.title) else None


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page in their order."""
    section = label = ""
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "inline" and before:
            if before.type == "heading_open":
                section = token.content.strip("`").partition(" ")[0].strip("`")
            elif before.type == "paragraph_open":
                label = token.content.partition(" ")[0].rstrip(":.")
        if token.type == "fence" and token.map:
            language, _, rest = token.info.partition(" ")
            title = _TITLE.search(rest)
            first, end = token.map
            yield Block(
                page, first + 1, end, language, title and title["title"], token.content, section, label
            )


def write(found: Block, folder: Path) -> None:
    """Put the file that a block is into the project `folder`."""
    assert found.file
    path = folder / found.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(found.text, encoding="utf-8")
