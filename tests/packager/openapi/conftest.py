"""A project with every kind of typed handler, described once: it is imported with pydantic by a real child process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from packager.openapi import generate
from packager.openapi.generate import Generated

SHOP = Path(__file__).parents[2] / "fixtures" / "typed_shop"


@dataclass(frozen=True)
class Shop:
    """What `packager types` makes of the project."""

    document: dict[str, Any]
    generated: Generated
    left_out: tuple[str, ...]

    def operation(self, method: str, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.document["paths"][path][method]
        return found


@pytest.fixture(scope="session")
def shop() -> Shop:
    described = generate.describe_project(SHOP, print)
    return Shop(described.document, generate.generate(SHOP, None, print), described.left_out)
