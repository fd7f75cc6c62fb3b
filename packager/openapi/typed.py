"""What an import tells of the handlers: the types of what they take and answer, as JSON Schema 2020-12."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

type Schema = Mapping[str, Any]

SCHEMAS = "#/components/schemas/"
"""What a schema refers to others by."""


@dataclass(frozen=True, slots=True)
class Input:
    """A part of the request that a handler has validated: its schema, and whether it has to be there.

    `content_types` are those of a body, none for other parts.
    """

    schema: Schema
    required: bool
    content_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler may answer.

    `status` None: a response of its own making, of any success. `content_type` None: without a body; `schema`
    None: anything of that type.
    """

    status: int | None
    content_type: str | None
    schema: Schema | None = None


@dataclass(frozen=True, slots=True)
class Typed:
    """A typed handler: what it takes, by `runtimes.signature.SOURCES`, and all that it says to answer."""

    inputs: Mapping[str, Input]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Types:
    """The typed handlers by file and method, and the schemas that theirs refer to, by name."""

    handlers: Mapping[tuple[str, str], Typed] = field(default_factory=dict)
    schemas: Mapping[str, Schema] = field(default_factory=dict)
