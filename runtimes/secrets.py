"""The values of the app's secrets, fetched once in each process and put among its environment variables.

The deployment gives `PACKAGER_SECRETS`: JSON, names of variables and where their values are kept, `ssm:/path` (a
parameter of Systems Manager) or `secretsmanager:name#key` (with a key of the secret's JSON, or the whole text without
one). A value that changes there is read by the processes that start later. On edge, runtimes/edge_worker/secrets.mjs
does the same.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from itertools import batched
from typing import Any, Literal, NamedTuple

from runtimes.sockets import over_sockets
from runtimes.transport import Incoming, Outgoing, TransportError, destination

VARIABLE = "PACKAGER_SECRETS"
REGION_VARIABLE = "PACKAGER_SECRETS_REGION"
"""The region of the stores, where the function may run in another."""

BATCH = 10
"""Parameters that one call gives (AWS, GetParameters)."""
TIMEOUT = 4
"""Seconds for each of the two attempts that a call has: Lambda gives a start ten seconds."""
MAX_ANSWER = 2**20

type Store = Literal["ssm", "secretsmanager"]

_TARGETS: dict[Store, str] = {
    "ssm": "AmazonSSM.GetParameters",
    "secretsmanager": "secretsmanager.GetSecretValue",
}
_ENDPOINTS: dict[Store, str] = {
    "ssm": "AWS_ENDPOINT_URL_SSM",
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
}


class SecretError(Exception):
    """Secrets could not be had: the variables, where they are kept, and why; never a value."""


class _Credentials(NamedTuple):
    access_key: str
    secret_key: str
    token: str | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    reference: str
    store: Store
    id: str
    key: str | None
    region: str


class _RefusedError(Exception):
    """The service has answered, with an error."""


type _Found = dict[_Wanted, str | SecretError]
type _Call = Callable[[Store, str, dict[str, Any]], Awaitable[Any]]


def load(environment: MutableMapping[str, str] = os.environ) -> None:
    """Fetch the secrets that `environment` names and put their values into it.

    All calls go out at once. Raises `SecretError` with everything that failed. Not to be called inside an event loop.
    """
    region = environment.get(REGION_VARIABLE) or environment.get("AWS_REGION") or "us-east-1"
    references = json.loads(environment.get(VARIABLE) or "{}")
    wanted = [_wanted(name, reference, region) for name, reference in references.items()]
    if not wanted:
        return
    # A loop of its own, which leaves that of the thread as it is.
    found = asyncio.run(_fetched(wanted, _caller(environment)), loop_factory=asyncio.new_event_loop)
    failures = [(row, found[row]) for row in wanted if isinstance(found[row], SecretError)]
    if failures:
        reasons = "; ".join(f"{row.name} ({row.reference}): {failure}" for row, failure in failures)
        raise SecretError(f"secrets could not be fetched: {reasons}")
    environment.update({row.name: str(value) for row, value in found.items()})


def prepare() -> None:
    """Import what `load` is going to need."""
    _signing()


def _wanted(name: str, reference: str, region: str) -> _Wanted:
    store, _, rest = reference.partition(":")
    if store not in _TARGETS or not rest:
        raise SecretError(f"{name}: {reference} names no secret: ssm:… or secretsmanager:…")
    ident, mark, key = rest.partition("#") if store == "secretsmanager" else (rest, "", "")
    own = ident.split(":")[3] if ident.startswith("arn:") else region
    return _Wanted(name, reference, store, ident, key if mark else None, own)


async def _fetched(wanted: Iterable[_Wanted], call: _Call) -> _Found:
    parameters: dict[str, list[_Wanted]] = {}
    secrets: dict[tuple[str, str], list[_Wanted]] = {}
    for row in wanted:
        if row.store == "ssm":
            parameters.setdefault(row.region, []).append(row)
        else:
            secrets.setdefault((row.region, row.id), []).append(row)
    work = [_from_parameters(batch, call) for rows in parameters.values() for batch in batched(rows, BATCH)]
    work += [_from_secret(rows, call) for rows in secrets.values()]
    return {row: value for found in await asyncio.gather(*work) for row, value in found.items()}


async def _from_parameters(rows: tuple[_Wanted, ...], call: _Call) -> _Found:
    names = list(dict.fromkeys(row.id for row in rows))
    try:
        answer = await call("ssm", rows[0].region, {"Names": names, "WithDecryption": True})
    except (TransportError, _RefusedError) as error:
        return dict.fromkeys(rows, SecretError(str(error)))
    values: dict[str, str] = {}
    for item in answer["Parameters"]:
        values[item["Name"] + item.get("Selector", "")] = values[item.get("ARN", "")] = item["Value"]
    return {row: values.get(row.id, SecretError("there is no such parameter")) for row in rows}


async def _from_secret(rows: list[_Wanted], call: _Call) -> _Found:
    try:
        answer = await call("secretsmanager", rows[0].region, {"SecretId": rows[0].id})
    except (TransportError, _RefusedError) as error:
        return dict.fromkeys(rows, SecretError(str(error)))
    return {row: _picked(row, answer.get("SecretString")) for row in rows}


def _picked(row: _Wanted, text: str | None) -> str | SecretError:
    if text is None:
        return SecretError("it is binary, not text")
    if row.key is None:
        return text
    try:
        document = json.loads(text)
    except ValueError:
        return SecretError("it is not JSON")
    if not isinstance(document, dict) or row.key not in document:
        return SecretError(f"it has no key {row.key}")
    value = document[row.key]
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _caller(environment: Mapping[str, str]) -> _Call:
    """What calls a store's service: signed, with a second attempt after a failure that may pass."""
    signer, request = _signing()
    credentials = _credentials(environment)

    async def call(store: Store, region: str, body: dict[str, Any]) -> Any:
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        own = environment.get(_ENDPOINTS[store]) or environment.get("AWS_ENDPOINT_URL")
        to = destination(own or f"https://{store}.{region}.{domain}/")
        content = json.dumps(body).encode()
        for last in (False, True):
            headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": _TARGETS[store]}
            signed = request("POST", to.url, data=content, headers=headers)
            signer(credentials, store, region).add_auth(signed)
            rows = [(name.lower().encode(), value.encode()) for name, value in signed.headers.items()]
            try:
                answer = await over_sockets(Outgoing("POST", to, rows, content, TIMEOUT, MAX_ANSWER))
            except TransportError:
                if last:
                    raise
                continue
            if answer.status == 200:
                return json.loads(answer.body)
            if last or (answer.status < 500 and answer.status != 429):
                raise _RefusedError(_reason(answer))
        raise AssertionError

    return call


def _signing() -> tuple[Any, Any]:
    """botocore's signer and its request: Lambda's Python has them; a client of boto3 takes thrice as long to load."""
    try:
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - only with secrets
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    except ImportError as error:
        raise SecretError(
            f"secrets could not be fetched: {error}. Lambda's Python runtime brings botocore; elsewhere it has to be "
            "one of the project's dependencies"
        ) from error
    return SigV4Auth, AWSRequest


def _credentials(environment: Mapping[str, str]) -> _Credentials:
    """The role's: in the environment, or with SnapStart from the address that is named there."""
    try:
        token = environment.get("AWS_SESSION_TOKEN") or None
        return _Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], token)
    except KeyError:
        from botocore.credentials import ContainerProvider  # noqa: PLC0415

        if found := ContainerProvider(environ=environment).load():
            frozen = found.get_frozen_credentials()
            return _Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        raise SecretError(
            "secrets could not be fetched: the function has no credentials in its environment"
        ) from None


def _reason(answer: Incoming) -> str:
    try:
        document = json.loads(answer.body)
        kind = str(document["__type"]).rpartition("#")[2]
        text = document.get("message") or document.get("Message")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"it answered {answer.status}"
    return f"{kind}: {text}" if text else kind
