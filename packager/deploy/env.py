"""The secrets of a stage, between AWS and a file on this machine.

Secrets are kept where `[tool.packager.environment] secrets` says, and functions fetch them from there. On this machine
they are in `.env.<stage>.local`, which no build reads: `.env.<stage>` is a part of the stacks, and what it has would
be written into templates. Plain variables travel with a deployment and are not pushed.

Parameters of Systems Manager are pulled and pushed. Secrets Manager is pulled alone: its secrets may hold more than
this app's keys, and something else may change them in turn.
"""

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any, Literal

from infra.environment import Reference, parse
from infra.errors import Fault
from infra.stage import Stage
from packager import env_file
from packager.deploy.aws import Aws, error_code, explained
from packager.environment import FILE, LOCAL_FILE
from packager.errors import ProjectError, ToolError, UsageError
from packager.model import Project
from packager.project import PYPROJECT, Document, line_of

_TABLE = "tool.packager.environment"
_BATCH = 10
"""Parameters that one call gives (Systems Manager API Reference, GetParameters)."""

_LONGEST = 8192
"""Bytes of a parameter's value, of the advanced tier, which costs something (Systems Manager, "Parameter tiers")."""

_MISSING_SECRET = {"ResourceNotFoundException"}

type State = Literal["new", "changed", "same", "absent", "elsewhere"]
"""What moving a secret does to where it goes. `absent`: it is not where it comes from; `elsewhere`: it cannot go."""


@dataclass(frozen=True, slots=True)
class Move:
    """A secret that goes to AWS or comes from there. `value` is never shown."""

    name: str
    reference: Reference
    state: State
    value: str = ""

    def __repr__(self) -> str:
        return f"Move({self.name!r}, {str(self.reference)!r}, {self.state!r})"


def references(project: Project, stage: Stage) -> tuple[Reference, ...]:
    """Where the secrets of the project are kept for the stage, by name. Raises `ProjectError` for one that is wrong."""
    return tuple(_reference(project, stage, *row) for row in sorted(project.settings.secrets.items()))


def file_of(project: Project, stage: Stage, name: str | None = None) -> Path:
    """The file with the secrets of this machine; `name` is another one than `.env.<stage>.local`.

    Raises `UsageError` for a file that is a part of the build or the stacks.
    """
    path = (project.root / (name or f"{FILE}.{stage.name}.local")).resolve()
    if path.name == FILE or (path.name.startswith(f"{FILE}.") and not path.name.endswith(".local")):
        raise UsageError(
            f"{path.name} is part of what is built, and a secret would end in a template",
            hint=f"Choose a file that is called {FILE}.….local, such as {LOCAL_FILE}, which preview and dev read.",
        )
    return path


def pulling(aws: Aws, wanted: Iterable[Reference], text: str) -> tuple[Move, ...]:
    """What pulling does to a file with that text. Raises `ToolError`."""
    wanted = tuple(wanted)
    here, there = env_file.values(text), _stored(aws, wanted)
    return tuple(
        Move(row.name, row, _state(there.get(row.name), here.get(row.name)), there.get(row.name, ""))
        for row in wanted
    )


def pull(moves: Iterable[Move], path: Path) -> None:
    """Write what is new or has changed into the file, which only its owner may read afterwards.

    Raises `ProjectError` if it cannot be read, `ToolError` for a value that it cannot hold, `OSError`.
    """
    changes = {row.name: row.value for row in moves if row.state in ("new", "changed")}
    if changes:
        env_file.write(path, env_file.replaced(env_file.read(path), changes))


def pushing(aws: Aws, wanted: Iterable[Reference], text: str) -> tuple[Move, ...]:
    """What pushing a file with that text does to the parameters. Raises `ToolError`."""
    wanted = tuple(wanted)
    here = env_file.values(text)
    there = _stored(aws, [row for row in wanted if _is_pushed(row) and row.name in here])
    return tuple(_push_of(row, here.get(row.name), there.get(row.name)) for row in wanted)


def push(aws: Aws, moves: Iterable[Move], report: Callable[[Move], None]) -> None:
    """Put what is new or has changed into its parameters; `report` is called after each.

    A parameter keeps the key that it is encrypted with. Raises `ToolError`; those before it are written by then.
    """
    changes = [row for row in moves if row.state in ("new", "changed")]
    for row in changes:
        if not row.value or len(row.value.encode()) > _LONGEST:
            size = f"has more than {_LONGEST:,} bytes" if row.value else "is empty"
            raise ToolError(
                f"the value of {row.name} {size}, which a parameter cannot hold",
                hint="Keep it in Secrets Manager: secretsmanager:NAME." if row.value else "Give it a value.",
            )
    keys = _keys(aws, [row.reference for row in changes if row.state == "changed"])
    for row in changes:
        with explained(f"putting {row.name} into {row.reference}"):
            _put(aws, row, keys.get(row.reference.id))
        report(row)


def is_ignored(path: Path) -> bool:
    """Whether git leaves the file alone, or there is no git at all that could take it along."""
    command = ("git", "-C", str(path.parent), "check-ignore", "--quiet", "--", str(path))
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=10)  # noqa: S603 - git itself
    except (OSError, subprocess.TimeoutExpired):
        return True
    return done.returncode != 1


def _reference(project: Project, stage: Stage, name: str, text: str) -> Reference:
    found = parse(name, text.replace("{stage}", stage.name))
    if isinstance(found, Fault):
        lines = Document.read(project.root).text_lines
        raise ProjectError(
            found.message, place=f"{PYPROJECT}:{line_of(lines, _TABLE, name)}", hint=found.hint
        )
    return found


def _state(source: str | None, target: str | None) -> State:
    if source is None:
        return "absent"
    if target is None:
        return "new"
    return "same" if source == target else "changed"


def _push_of(row: Reference, here: str | None, there: str | None) -> Move:
    if not _is_pushed(row):
        return Move(row.name, row, "elsewhere")
    return Move(row.name, row, _state(here, there), here or "")


def _is_pushed(row: Reference) -> bool:
    """A parameter with an ARN may be another account's, and is that one's to change."""
    return row.store == "ssm" and not row.id.startswith("arn:")


def _stored(aws: Aws, wanted: Iterable[Reference]) -> dict[str, str]:
    """The values of those secrets that there are, by name."""
    wanted = tuple(wanted)
    parameters: dict[str, list[Reference]] = {}
    for row in wanted:
        if row.store == "ssm":
            parameters.setdefault(_region(aws, row), []).append(row)
    found: dict[str, str] = {}
    with explained("reading the secrets of the stage"):
        for region, rows in parameters.items():
            for batch in batched(rows, _BATCH):
                found.update(_parameters(aws, region, batch))
        secrets: dict[str, Any] = {}
        for row in wanted:
            if row.store == "secretsmanager":
                if row.id not in secrets:
                    secrets[row.id] = _secret(aws, row)
                value = _picked(row, secrets[row.id])
                found.update({} if value is None else {row.name: value})
    return found


def _region(aws: Aws, row: Reference) -> str:
    return row.id.split(":")[3] if row.id.startswith("arn:") else aws.region


def _parameters(aws: Aws, region: str, rows: tuple[Reference, ...]) -> Iterator[tuple[str, str]]:
    ids = list(dict.fromkeys(row.id for row in rows))
    answer = aws.client("ssm", region).get_parameters(Names=ids, WithDecryption=True)
    values: dict[str, str] = {}
    for item in answer["Parameters"]:
        values[item["Name"]] = values[item.get("ARN", "")] = item["Value"]
    return ((row.name, values[row.id]) for row in rows if row.id in values)


def _secret(aws: Aws, row: Reference) -> str | None:
    client = aws.client("secretsmanager", _region(aws, row))
    try:
        text: str | None = client.get_secret_value(SecretId=row.id).get("SecretString")
    except client.exceptions.ClientError as error:
        if error_code(error) in _MISSING_SECRET:
            return None
        raise
    return text


def _picked(row: Reference, text: str | None) -> str | None:
    """The value of one key of a secret in JSON, or the whole of it, as the functions read it."""
    if text is None or row.key is None:
        return text
    try:
        document = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict) or row.key not in document:
        return None
    value = document[row.key]
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _keys(aws: Aws, rows: Iterable[Reference]) -> Mapping[str, str]:
    """The keys that the parameters are encrypted with; without it, a new value would go back to the account's own.

    Raises `ToolError` for one that is not encrypted, since AWS does not change what kind a parameter is.
    """
    found: dict[str, str] = {}
    with explained("looking at the parameters"):
        for batch in batched((row.id for row in rows), _BATCH):
            asked = [{"Key": "Name", "Option": "Equals", "Values": list(batch)}]
            pages = aws.client("ssm").get_paginator("describe_parameters").paginate(ParameterFilters=asked)
            for item in (item for page in pages for item in page["Parameters"]):
                if item["Type"] != "SecureString":
                    raise ToolError(
                        f"the parameter {item['Name']} is not encrypted: it is a {item['Type']}, and AWS cannot "
                        "change that",
                        hint=f"Delete it, aws ssm delete-parameter --name {item['Name']}, and push again.",
                    )
                if item.get("KeyId"):
                    found[item["Name"]] = item["KeyId"]
    return found


def _put(aws: Aws, row: Move, key: str | None) -> None:
    aws.client("ssm").put_parameter(
        Name=row.reference.id,
        Value=row.value,
        Type="SecureString",
        # a parameter that somebody else has made since it was looked at is not written over
        Overwrite=row.state == "changed",
        Tier="Intelligent-Tiering",
        **({"KeyId": key} if key else {}),
    )
