"""The stages of an app: `[tool.packager.stages.<name>]` of `pyproject.toml` and the `.env.<name>` files.

The table `default` holds for every stage, one of its own is laid over it, key by key. A stage without a table, such as
one that is named after a git branch, is a preview with the defaults.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from infra.names import slug
from infra.regions import REGIONS
from infra.stage import EDGE_REGION, Alarms, ApiDomain, Canary, Domain, Permission, Stage, Throttle
from packager.environment import FILE, fault_of, stage_values
from packager.errors import DiagnosticsError, UsageError
from packager.model import Project
from packager.project import Document

DEFAULT = "default"
"""The table that holds for every stage; no stage can be called so."""

LOCAL = "local"
"""The stage of this machine: it has no settings of its own and cannot be deployed."""

TABLE = "tool.packager.stages"

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""Where the region comes from if the settings have none, as for the AWS SDK and CLI."""

_LOG_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""CloudWatch Logs, PutRetentionPolicy, `retentionInDays`."""

_MINUTES = 2880
"""CodeDeploy, "Quotas": how long shifting the requests may take."""

_KEYS = (
    *("region", "environment", "cdn", "domain", "api_domain", "waf", "waf_rate", "log_days", "retain"),
    *("concurrency", "throttle", "alarms", "canary", "tracing", "termination_protection", "permissions"),
    *("permissions_boundary", "tags", "code_bucket", "edge_regions", "account", "keep_releases"),
)
_FLAGS = ("cdn", "waf", "retain", "tracing", "termination_protection")
_DOMAIN_KEYS = ("name", "certificate", "zone_id")
_HOST = re.compile(r"(?=.{1,253}\Z)(\*\.)?([a-z0-9{}]([a-z0-9{}-]{0,61}[a-z0-9{}])?\.)+[a-z]{2,63}")
_CERTIFICATE = re.compile(r"arn:aws[\w-]*:acm:([a-z0-9-]+):\d{12}:certificate/[\w-]+")
_BOUNDARY = re.compile(r"arn:aws[\w-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+")
_ACCOUNT = re.compile(r"\d{12}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ZONE = re.compile(r"Z[A-Z0-9]{1,31}")
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+")
_CANARY = re.compile(r"(\d+)%\s*,\s*(\d+)m")
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TAG_LENGTH = 256


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of a stage, with its dotted name for faults."""

    document: Document
    name: str
    values: Mapping[str, Any]

    def inner(self, key: str, known: tuple[str, ...]) -> "_Table":
        value = self.values.get(key, {})
        name = f"{self.name}.{key}"
        if not isinstance(value, dict):
            self.fail(key, f"[{name}] must be a table", f"Write it as [{name}].")
        self.document.check_keys(name, value, known)
        return _Table(self.document, name, value)

    def text(self, key: str, pattern: re.Pattern[str], hint: str) -> str | None:
        value = self.document.text(self.name, self.values, key)
        if value is not None and not pattern.fullmatch(value):
            self.fail(key, f"{key} = {value!r} is not one", hint)
        return value

    def number(self, key: str, low: float, high: float, *, whole: bool = True) -> float | None:
        value = self.values.get(key)
        kinds = int if whole else int | float
        if value is not None and (
            not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high
        ):
            what = "a whole number" if whole else "a number"
            self.fail(key, f"{key} = {value!r} is no value for it", f"Give {what} from {low} to {high}.")
        return value

    def fail(self, key: str, message: str, hint: str) -> NoReturn:
        self.document.fail(self.name, key, message, hint)


def check(document: Document) -> None:
    """Raise `ProjectError`, with file and line, for what is wrong in the tables of the stages."""
    names: dict[str, str] = {}
    for name in document.table(TABLE):
        other = names.setdefault(slug(name), name)
        if other != name:
            message = f"the stages {other!r} and {name!r} are one: both are deployed as {slug(name)!r}"
            document.fail(TABLE, name, message, "Keep one of the two tables.")
        _stage(document, name, "")


def names(project: Project) -> tuple[str, ...]:
    """The stages that the settings name."""
    return tuple(name for name in Document.read(project.root).table(TABLE) if name != DEFAULT)


def named(project: Project, name: str | None) -> Stage:
    """As `read`, for the name that a command was given. Raises `UsageError` too if it was given none."""
    if name is None:
        known = names(project)
        listed = f"; the settings have {', '.join(known)}" if known else ""
        hint = f"Add --stage NAME, such as --stage {known[0] if known else 'dev'}{listed}."
        raise UsageError("which stage is not said", hint=hint)
    return read(project, name)


def local(project: Project) -> Stage:
    """The stage that is emulated on this machine: what the table `default` says of how requests are answered.

    Raises `ProjectError` for faults in that table.
    """
    fields = _stage(Document.read(project.root), DEFAULT, "")
    taken = {key: fields[key] for key in ("cdn", "concurrency", "variables") if key in fields}
    # No bucket is ever asked; a web function cannot be without one.
    return Stage(name=LOCAL, region=EDGE_REGION, code_bucket="packager-local", **taken)


def read(project: Project, name: str) -> Stage:
    """The stage of that name: its settings, its region and the values of its `.env` file.

    A table of the settings is found by the name as it is deployed, so that `feature/x` and `feature-x` are one. The
    region is that of the settings, else of `REGION_VARIABLES`, else us-east-1. Raises `UsageError` for a name that no
    stage can have or an unknown region in the environment, `DiagnosticsError` for faults in `.env.<stage>`,
    `ProjectError` for faults in the settings.
    """
    short = slug(name)
    if not short or short in {DEFAULT, LOCAL}:
        raise UsageError(
            f"a stage cannot be called {name!r}",
            hint=f"Choose a name with letters or digits; {DEFAULT!r} is the table that holds for every stage, and "
            "'.env.local' the file of this machine.",
        )
    document = Document.read(project.root)
    own = _own_table(document, name)
    variables, found = stage_values(project, file_of(name))
    if any(item.severity == "error" for item in found):
        raise DiagnosticsError(found)
    fields = _stage(document, own, short)
    region = fields.get("region") or _region_of_environment()
    return Stage(**{**fields, "region": region, "variables": {**fields.get("variables", {}), **variables}})


def file_of(name: str) -> str:
    """The `.env` file of a stage: by its name as written, unless that is a path or could be `.env.<stage>.local`."""
    return f"{FILE}.{name if _FILE_NAME.fullmatch(name) else slug(name)}"


def tables_of(document: Document, name: str) -> tuple[str, ...]:
    """The tables of the settings that hold for a stage, its own last."""
    known = document.table(TABLE)
    return tuple(f"{TABLE}.{key}" for key in (DEFAULT, _own_table(document, name)) if key in known)


def _own_table(document: Document, name: str) -> str:
    return next((key for key in document.table(TABLE) if slug(key) == slug(name)), name)


def _fail(document: Document, name: str, key: str, message: str, hint: str) -> NoReturn:
    """Raise for a setting of a stage, in whichever table it is written: the stage's own or the default one."""
    own = key in document.table(TABLE).get(name, {})
    document.fail(f"{TABLE}.{name if own else DEFAULT}", key, message, hint)


def _region_of_environment() -> str:
    for variable in REGION_VARIABLES:
        if region := os.environ.get(variable):
            if region not in REGIONS:
                raise UsageError(f"{variable} names an unknown region: {region!r}", hint=_region_hint(region))
            return region
    return EDGE_REGION


def _region_hint(region: str) -> str:
    import difflib  # noqa: PLC0415 - only a fault needs it

    near = difflib.get_close_matches(region, sorted(REGIONS), 1, 0.5)
    return f"Did you mean {near[0]!r}?" if near else "Give the name of a region, such as eu-central-1."


def _stage(document: Document, name: str, short: str) -> dict[str, Any]:
    """The fields of a stage: its table over the default one. `short` takes the place of `{stage}`."""
    tables = document.table(TABLE)
    fields: dict[str, Any] = {}
    for key in dict.fromkeys((DEFAULT, name)):
        if key in tables:
            outer = _Table(document, TABLE, tables)
            fields = _merged(fields, _fields(outer.inner(key, _KEYS), document))
    for key, kind in (("domain", Domain), ("api_domain", ApiDomain)):
        given = fields.pop(key, None)
        if given and (short or name != DEFAULT):
            for needed in ("name", "certificate"):
                if needed not in given:
                    hint = f'Write {key} = {{ name = "…", certificate = "arn:…" }}'
                    _fail(document, name, key, f"{key} has no {needed}", hint)
            fields[key] = kind(**{**given, "name": given["name"].replace("{stage}", short)})
    canary = fields.pop("canary", ())
    return {
        **fields,
        "name": short,
        "throttle": Throttle(**fields.get("throttle", {})),
        "alarms": Alarms(**fields.get("alarms", {})),
        "canary": Canary(*canary) if canary else None,
        "permissions": tuple(
            Permission(actions, tuple(item.replace("{stage}", short) for item in resources), functions)
            for actions, resources, functions in fields.get("permissions", ())
        ),
    }


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key, lists of permissions joined, all else of `above` wins."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict):
            merged[key] = {**below[key], **above[key]}
        elif key == "permissions":
            merged[key] = (*below[key], *above[key])
    return merged


def _fields(table: _Table, document: Document) -> dict[str, Any]:
    """What one table says, checked, with those keys alone that it has."""
    given: dict[str, Any] = {
        "region": _region(table),
        **{key: document.flag(table.name, table.values, key) for key in _FLAGS},
        "waf_rate": table.number("waf_rate", 10, 2_000_000_000),
        "concurrency": table.number("concurrency", 1, 100_000),
        "keep_releases": table.number("keep_releases", 1, 50),
        "log_days": _log_days(table),
        "permissions_boundary": table.text(
            "permissions_boundary",
            _BOUNDARY,
            'Give the ARN of a policy, "arn:aws:iam::123456789012:policy/name".',
        ),
        "account": table.text("account", _ACCOUNT, "Give the account's twelve digits, in quotes."),
        "code_bucket": table.text("code_bucket", _BUCKET, "Give the name of an S3 bucket of us-east-1."),
        "canary": _canary(table),
    }
    for key, value in (
        ("domain", _domain(table, "domain")),
        ("api_domain", _domain(table, "api_domain")),
        ("throttle", _throttle(table)),
        ("alarms", _alarms(table)),
        ("tags", _tags(table)),
        ("variables", _variables(table, document)),
        ("permissions", _permissions(table)),
        ("edge_regions", _edge_regions(table)),
    ):
        given[key] = value or None
    return {key: value for key, value in given.items() if value is not None}


def _region(table: _Table) -> str | None:
    region = table.document.text(table.name, table.values, "region")
    if region is not None and region not in REGIONS:
        table.fail("region", f"region = {region!r} is not known", _region_hint(region))
    return region


def _edge_regions(table: _Table) -> tuple[str, ...]:
    found = table.document.texts(table.name, table.values, "edge_regions")
    for region in found:
        if region not in REGIONS:
            table.fail(
                "edge_regions", f"edge_regions names an unknown region: {region!r}", _region_hint(region)
            )
    return found


def _log_days(table: _Table) -> float | None:
    days = table.values.get("log_days")
    if days is not None and (isinstance(days, bool) or days not in _LOG_DAYS):
        hint = f"CloudWatch knows {', '.join(map(str, _LOG_DAYS))}."
        table.fail("log_days", f"log_days = {days!r} is no retention period", hint)
    return days


def _canary(table: _Table) -> tuple[int, ...] | None:
    """Percent and minutes; empty for `false`, which a stage may lay over a default."""
    value = table.values.get("canary")
    if value is None or value is False:
        return None if value is None else ()
    found = _CANARY.fullmatch(value) if isinstance(value, str) else None
    percent, minutes = map(int, found.groups()) if found else (0, 0)
    if not (0 < percent < 100 and 0 < minutes <= _MINUTES):
        hint = f'Write it as "10%,5m": 1 to 99 % of the requests for 1 to {_MINUTES} minutes; or false.'
        table.fail("canary", f"CodeDeploy has no canary {value!r}", hint)
    return percent, minutes


def _domain(table: _Table, key: str) -> dict[str, str]:
    inner = table.inner(key, _DOMAIN_KEYS)
    found = {
        "name": inner.text("name", _HOST, 'Give the host alone, in lower case: "api.example.com".'),
        "certificate": inner.text(
            "certificate",
            _CERTIFICATE,
            'Give the ARN of an ACM certificate: "arn:aws:acm:us-east-1:123456789012:certificate/…".',
        ),
        "zone_id": inner.text("zone_id", _ZONE, 'Give the id of a Route 53 hosted zone, "Z0123456789ABC".'),
    }
    return {name: value for name, value in found.items() if value is not None}


def _throttle(table: _Table) -> dict[str, float]:
    inner = table.inner("throttle", ("rate", "burst"))
    return _present({key: inner.number(key, 1, 1_000_000) for key in ("rate", "burst")})


def _alarms(table: _Table) -> dict[str, Any]:
    inner = table.inner("alarms", ("email", "errors", "throttles", "p95", "server_errors"))
    email = inner.text(
        "email", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), 'Give an address: "ops@example.com".'
    )
    numbers = {
        "errors": inner.number("errors", 1, 1_000_000),
        "throttles": inner.number("throttles", 1, 1_000_000),
        "p95": inner.number("p95", 0.01, 1, whole=False),
        "server_errors": inner.number("server_errors", 0.01, 100, whole=False),
    }
    return _present({"email": email, **numbers})


def _present[T](values: Mapping[str, T | None]) -> dict[str, T]:
    return {key: value for key, value in values.items() if value is not None}


def _tags(table: _Table) -> dict[str, str]:
    tags = table.document.mapping(table.name, table.values, "tags")
    for key, value in tags.items():
        if not key or len(key) > _TAG_LENGTH // 2 or len(value) > _TAG_LENGTH:
            hint = "A key has 1 to 128 characters, a value at most 256."
            table.document.fail(f"{table.name}.tags", key, f"{key!r} is no tag for AWS", hint)
        if key.lower().startswith(("aws:", "packager:")):
            message = f"tags that begin with {key.partition(':')[0]}: are reserved"
            table.document.fail(f"{table.name}.tags", key, message, "Choose another name.")
    return tags


def _variables(table: _Table, document: Document) -> dict[str, str]:
    inner = table.inner("environment", ("variables",))
    variables = document.mapping(inner.name, inner.values, "variables")
    secrets = document.mapping(
        "tool.packager.environment", document.table("tool.packager.environment"), "secrets"
    )
    for name in variables:
        if fault := fault_of(name, secrets):
            document.fail(inner.name, name, *fault)
    return variables


def _permissions(table: _Table) -> tuple[tuple[tuple[str, ...], ...], ...]:
    rows = table.values.get("permissions", [])
    shape = 'permissions = [{ actions = ["dynamodb:GetItem"], resources = ["arn:…"] }]'
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        table.fail("permissions", "permissions must be a list of statements", f"Write it as {shape}")
    return tuple(_permission(_Table(table.document, f"{table.name}.permissions", row), shape) for row in rows)


def _permission(row: _Table, shape: str) -> tuple[tuple[str, ...], ...]:
    row.document.check_keys(row.name, row.values, ("actions", "resources", "functions"))
    actions, resources, functions = (
        row.document.texts(row.name, row.values, key) for key in ("actions", "resources", "functions")
    )
    if not actions or not resources:
        row.fail("permissions", "a statement needs actions and resources", f"Write it as {shape}")
    for action in actions:
        if not _ACTION.fullmatch(action):
            row.fail("actions", f"{action!r} is no action of IAM", 'Write "service:Action": "s3:GetObject".')
    for resource in resources:
        if resource != "*" and not resource.startswith("arn:"):
            row.fail("resources", f"{resource!r} is no resource", 'Give an ARN, or "*" for every one.')
    return actions, resources, functions
