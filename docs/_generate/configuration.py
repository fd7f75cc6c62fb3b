"""The tables of settings: every key that the reader of `pyproject.toml` knows, its default, what it means.

A key without a text here, or a text without a key, ends the build of the site.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import mkdocs_gen_files

from infra.stage import Alarms, Stage, Throttle
from packager import project, stages
from packager.model import EdgeSettings, LambdaSettings

SOURCE = Path(__file__).parents[1] / "reference" / "configuration.md"

TEXTS: Mapping[str, Mapping[str, str]] = {
    "tool.packager": {
        "include": "patterns of data files for every artifact, from the project's folder",
        "keep": "modules and packages of distributions that stay though nothing seems to import them",
        "build_from_source": "dependencies whose wheels may be built on this machine",
        "public_url": "scheme and host under which the app is known; `request.url` has it",
        "base_path": "a prefix of every URL, such as `/shop`",
        "trailing_slash": "whether URLs end with a slash; the other spelling is redirected",
        "headers": "rows of `source` and `headers`: response headers by path",
        "redirects": "rows of `source`, `destination`, and `permanent` or `status_code`",
        "rewrites": "rows of `source` and `destination`, or a table of `before_files`, `after_files`, `fallback`",
    },
    "tool.packager.lambda": {
        "python": f"one of {', '.join(project.PYTHONS)}",
        "architecture": "`arm64` or `x86_64`",
        "snap_start": "freeze the process once, at deployment, and start every other one from that memory",
        "provided": "distributions that Lambda or a layer brings",
    },
    "tool.packager.edge": {
        "target": "`lambda-edge`, `regional` or `web-function`",
        "loader": "`distilled`, or `stock` for Pyodide as it is published",
    },
    "tool.packager.environment": {
        "variables": "plain variables, the same on both runtimes; a value in `.env` wins",
        "secrets": "names and where their values are kept: `ssm:/path` or `secretsmanager:name#key`",
    },
    "tool.packager.limits": {
        "zip": "the most bytes that any artifact may have, packed, such as `10mb`",
        "unpacked": "the same, unpacked",
        "functions": "tables with `zip` and `unpacked` for single functions, by their names",
    },
    "tool.packager.deploy": {"smoke": "paths that are requested after a deployment"},
    "tool.packager.types": {
        "out": "the folder of what `packager types` writes",
        "security": "security schemes of OpenAPI by name, each with the `paths` that need it",
    },
    "tool.packager.stages.NAME": {
        "region": "where the API and its functions are; default `AWS_REGION`, else us-east-1",
        "environment": "`environment.variables`: values of this stage alone; `.env.<stage>` wins",
        "cdn": "CloudFront before the API",
        "domain": "a name of your own: `name` (may hold `{stage}`), `certificate`, `zone_id`",
        "api_domain": "the same for the API itself, whose own URL is off then",
        "waf": "AWS's managed rules in front of CloudFront",
        "waf_rate": "requests from one address in five minutes",
        "log_days": "how long logs are kept",
        "retain": "whether logs outlive the stage",
        "concurrency": "reserved for each function",
        "throttle": "`rate`, requests a second, and `burst`",
        "alarms": "`email`, `errors`, `throttles`, `p95` (share of the timeout), `server_errors` (percent)",
        "canary": 'shift requests step by step: `"10%,5m"`; `false` turns a default off',
        "tracing": "X-Ray",
        "termination_protection": "CloudFormation refuses to delete the stacks",
        "permissions": "statements for the roles: `actions`, `resources`, and `functions` if not for all",
        "permissions_boundary": "the ARN of a policy for every role",
        "tags": "tags of every resource",
        "code_bucket": "for the target `web-function`: a versioned bucket of us-east-1",
        "edge_regions": "for the target `web-function`: where it runs besides us-east-1",
        "account": "the only account that the stage may be deployed to",
        "keep_releases": "how many releases `packager rollback` can go back to, 1 to 50",
    },
}


TABLES = ("lambda", "edge", "environment", "limits", "stages", "deploy", "types")
"""Keys of `[tool.packager]` that are tables of their own."""


def known() -> dict[str, tuple[str, ...]]:
    """Every table and its keys, as the readers have them."""
    tables = {name: keys for name, keys in project._KEYS.items() if name in TEXTS}
    own = tuple(key for key in tables["tool.packager"] if key not in TABLES)
    return {
        **tables,
        "tool.packager": own,
        "tool.packager.types": ("out", "security"),
        "tool.packager.stages.NAME": stages._KEYS,
    }


def defaults(table: str) -> dict[str, Any]:
    """The defaults of a table that are values."""
    values = {"tool.packager.lambda": LambdaSettings, "tool.packager.edge": EdgeSettings}
    kind = Stage if table.endswith("NAME") else values.get(table)
    found = {} if kind is None else {row.name: row.default for row in fields(kind)}
    if kind is Stage:
        found |= {"throttle": _shown(Throttle()), "alarms": _shown(Alarms())}
    return found


def _shown(value: Any) -> str:
    rows = [(row.name, getattr(value, row.name)) for row in fields(value)]
    return "{ " + ", ".join(f"{name} = {item}" for name, item in rows if item is not None) + " }"


def default(value: Any) -> str:
    """A default as TOML has it; nothing for none."""
    if value in (MISSING, None, ()) or callable(value):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def table_of(name: str, keys: tuple[str, ...]) -> list[str]:
    """One table of settings."""
    texts, found = TEXTS[name], {key: default(value) for key, value in defaults(name).items()}
    assert set(texts) == set(keys), f"[{name}]: {set(texts) ^ set(keys)}"
    rows = [f"| `{key}` | {found.get(key, '')} | {text} |" for key, text in texts.items()]
    head = ["| key | default | |", "|---|---|---|"]
    if not any(found.get(key) for key in texts):
        head = ["| key | |", "|---|---|"]
        rows = [f"| `{key}` | {text} |" for key, text in texts.items()]
    return ["", f"## `[{name}]`", "", *head, *rows, ""]


text = "\n".join(line for name, keys in known().items() for line in table_of(name, keys))
with mkdocs_gen_files.open("reference/configuration.md", "w") as stream:
    stream.write(SOURCE.read_text(encoding="utf-8").replace("<!-- settings -->", text))
