"""The routes that a project names are asked of new versions themselves, before all requests go to these.

A version is invoked with the event that the HTTP API would send, and with the key of the CDN, which the version's own
configuration has. Nothing of it goes through the API, so that the old versions go on answering there.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra import names
from infra.manifest import Manifest
from packager.deploy.aws import Aws, explained
from packager.deploy.live_check import Checked
from packager.deploy.requested import matching
from packager.preview import events
from packager.preview.http import Arrival
from runtimes.origin_key import passport

_ORIGIN_KEY = "PACKAGER_ORIGIN_KEY"
_HERE = ("127.0.0.1", 0)
_SHOWN = 200


def check(
    aws: Aws, built: Manifest, stage: str, versions: Mapping[str, str], paths: Iterable[str]
) -> tuple[Checked, ...]:
    """Ask each path, spelled as in the route table, of the version that is to answer it.

    `versions` are those of functions by their deployed names; a path of another function is left out. Raises
    `ToolError` if AWS refuses; what a function does is in the results alone.
    """
    return tuple(_checks(aws, built, stage, versions, tuple(paths)))


def _checks(
    aws: Aws, built: Manifest, stage: str, versions: Mapping[str, str], paths: tuple[str, ...]
) -> Iterator[Checked]:
    keys: dict[str, str | None] = {}
    for path in paths:
        match = matching(built, path)
        name = names.function_name(built.app.name, stage, match.value.function) if match else ""
        if match is None or name not in versions:
            continue
        with explained(f"asking version {versions[name]} of {name}"):
            if name not in keys:
                keys[name] = _key(aws, name, versions[name])
            plain, _, query = f"{built.site.base_path}{path}".partition("?")
            headers = [(b"host", b"localhost"), (b"user-agent", b"packager")]
            if key := keys[name]:
                headers += passport(key, plain.encode(), "localhost")
            sent = (plain.encode(), query.encode(), tuple(headers))
            arrival = Arrival("GET", *sent, _HERE, "1.1", events.route_key(match.value.path), match.params)
            yield _asked(aws, name, versions[name], path, events.event(arrival, b""))


def _key(aws: Aws, name: str, version: str) -> str | None:
    found = aws.client("lambda").get_function_configuration(FunctionName=name, Qualifier=version)
    key: str | None = found.get("Environment", {}).get("Variables", {}).get(_ORIGIN_KEY)
    return key


def _asked(aws: Aws, name: str, version: str, path: str, event: dict[str, Any]) -> Checked:
    began = time.monotonic()
    answer = aws.client("lambda").invoke(
        FunctionName=name, Qualifier=version, Payload=json.dumps(event).encode()
    )
    payload = answer["Payload"].read()
    took = round((time.monotonic() - began) * 1000, 1)
    if "FunctionError" in answer:
        return Checked(path, None, took, said=_shortened(_error(payload)))
    try:
        response = events.answer(payload)
    except events.MalformedResultError as error:
        return Checked(path, None, took, said=str(error))
    found = Checked(path, response.status, took)
    said = "" if found.is_good else response.body.decode("utf-8", "replace")
    return Checked(path, response.status, took, said=_shortened(said))


def _error(payload: bytes) -> str:
    try:
        return str(json.loads(payload)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return payload.decode("utf-8", "replace")


def _shortened(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]
