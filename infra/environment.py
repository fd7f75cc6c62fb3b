"""The one set of environment variables of an app, as each of its functions gets it."""

import json
import re
from dataclasses import dataclass
from typing import Literal

from infra.errors import Fault, StackError
from infra.manifest import Function, Manifest
from infra.stage import Stage

SECRETS = "PACKAGER_SECRETS"
"""A JSON object: the names of the secrets and where each is kept. Runtimes fetch them when they start."""

SECRETS_REGION = "PACKAGER_SECRETS_REGION"
"""Where the secrets are kept, for functions that run in more than one region."""

BEHIND_CDN = "PACKAGER_BEHIND_CDN"
"""`1` if requests come through CloudFront, which says what the client asked for."""

type Store = Literal["ssm", "secretsmanager"]

# Systems Manager, "About requirements and constraints for parameter names"; Secrets Manager, CreateSecret `Name`.
_PARAMETER = re.compile(r"/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")
_SECRET = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<service>ssm|secretsmanager):[a-z0-9-]+:\d{12}:(?P<kind>parameter/|secret:).+"
)
_PLACE = "tool.packager.environment.secrets"
_FORMS = (
    "Write ssm:/path/of/the/parameter, secretsmanager:name or secretsmanager:ARN, with #key behind it for one "
    "key of a secret in JSON; {stage} stands for the stage's name."
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is kept: `id` is the parameter's or secret's name, or its whole ARN.

    `key` is the key of the JSON object that the secret is; None: the secret itself is the value.
    """

    name: str
    store: Store
    id: str
    key: str | None = None

    def __str__(self) -> str:
        return f"{self.store}:{self.id}{'' if self.key is None else f'#{self.key}'}"


def variables(function: Function, manifest: Manifest, stage: Stage) -> dict[str, str]:
    """The environment of a function, sorted by name: the app's values, under the stage's, and the tool's own.

    What only the deployment knows, such as the key between CloudFront and the API, is not in it. Raises
    `StackError` for references that cannot be read.
    """
    own = dict(function.environment)
    if found := references(manifest, stage):
        places = {reference.name: str(reference) for reference in found}
        own[SECRETS] = json.dumps(places, separators=(",", ":"), sort_keys=True)
        if runs_anywhere(function):
            own[SECRETS_REGION] = stage.region
    if stage.cdn:
        own[BEHIND_CDN] = "1"
    return dict(sorted({**manifest.environment.values, **stage.variables, **own}.items()))


def runs_anywhere(function: Function) -> bool:
    """True if the function may run in another region than the stage's."""
    return function.target in ("lambda-edge", "web-function")


def references(manifest: Manifest, stage: Stage) -> tuple[Reference, ...]:
    """Where the app's secrets are kept for this stage, sorted by name. Raises `StackError` with all bad ones."""
    faults: list[Fault] = []
    found: list[Reference] = []
    for name, text in sorted(manifest.environment.references.items()):
        reference = parse(name, text.replace("{stage}", stage.name))
        if isinstance(reference, Fault):
            faults.append(reference)
        else:
            found.append(reference)
    if faults:
        raise StackError(faults)
    return tuple(found)


def parse(name: str, text: str) -> Reference | Fault:
    """What `ssm:/path` or `secretsmanager:NAME#key` says, or what is wrong with it."""
    store, colon, rest = text.partition(":")
    if not colon or store not in ("ssm", "secretsmanager"):
        return Fault(f"the secret {name} is kept in no known place: {text!r}", _FORMS, f"{_PLACE}.{name}")
    # a parameter's name has no "#", a secret's has none either
    id_, mark, key = rest.partition("#")
    if mark and not key:
        return Fault(f"the secret {name} names no key after #: {text!r}", _FORMS, f"{_PLACE}.{name}")
    arn = _ARN.fullmatch(id_)
    pattern = _PARAMETER if store == "ssm" else _SECRET
    known = arn["service"] == store if arn else not id_.startswith("arn:") and pattern.fullmatch(id_)
    if not known:
        kind = "parameter" if store == "ssm" else "secret"
        return Fault(f"the secret {name}: {id_!r} is no name or ARN of a {kind}", _FORMS, f"{_PLACE}.{name}")
    return Reference(name, "ssm" if store == "ssm" else "secretsmanager", id_, key or None)
