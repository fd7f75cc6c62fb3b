"""What AWS does not take, found before CDK is started: each fault with the limit and what to do, all at once."""

import difflib
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from infra import behaviours, environment, names, routes
from infra.errors import Fault, StackError
from infra.manifest import Function, Manifest, Route
from infra.patterns import MAX_LENGTH
from infra.regions import REGIONS
from infra.stage import EDGE_REGION, Stage

MAX_INTEGRATIONS = 300
"""Of an HTTP API (API Gateway quotas): one for each function behind it."""

_MB = 2**20
_TARGETS = ("lambda-edge", "regional", "web-function")
_PYTHONS = ("3.12", "3.13", "3.14")
_ARCHITECTURES = ("arm64", "x86_64")
_GATEWAY_SECONDS = 30
_EDGE_SECONDS = 30
_WEB_SECONDS = (3, 900)
_MEMORY = (128, 10240)
_WEB_MEMORY = 2048
_ZIP = {"lambda-edge": 50 * _MB, "web-function": 512 * _MB}
_UNPACKED = 250 * _MB
_VARIABLES = {"lambda": 4096, "regional": 4096, "web-function": 32768}
_ORIGIN_KEY = len("PACKAGER_ORIGIN_KEY") + 64
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_RESERVED = re.compile(r"(AWS|LAMBDA)_.*|_HANDLER|_X_AMZN_TRACE_ID")
_OWN = (environment.SECRETS, environment.SECRETS_REGION, environment.BEHIND_CDN, "PACKAGER_ORIGIN_KEY")
_CERTIFICATE = re.compile(r"arn:aws[a-z-]*:acm:(?P<region>[a-z0-9-]+):\d{12}:certificate/[A-Za-z0-9-]+")


def check(manifest: Manifest, stage: Stage, build: Path) -> None:
    """Raise `StackError` with everything that keeps the build output `build` from being this stage's stacks."""
    faults = [
        *_of_settings(manifest, stage),
        *_of_names(manifest, stage),
        *_of_functions(manifest),
        *_of_artifacts(manifest.functions, build),
        *_of_routing(manifest, stage),
        *_of_variables(manifest, stage),
    ]
    if faults:
        raise StackError(faults)


def _table(stage: Stage, key: str) -> str:
    return f"tool.packager.stages.{stage.name}.{key}"


def _of_settings(manifest: Manifest, stage: Stage) -> Iterator[Fault]:
    if stage.region not in REGIONS:
        near = difflib.get_close_matches(stage.region, sorted(REGIONS), 1)
        hint = f"Did you mean {near[0]}?" if near else "Choose a region such as us-east-1 or eu-central-1."
        yield Fault(f"there is no region {stage.region!r} with HTTP APIs", hint, _table(stage, "region"))
    target = routes.edge_target(manifest)
    if not stage.cdn and target not in (None, "regional"):
        yield Fault(
            f"edge functions of the target {target} are reached through CloudFront, and cdn = false leaves it out",
            'Remove cdn = false, or set target = "regional" in [tool.packager.edge].',
            _table(stage, "cdn"),
        )
    for key, wanted in (("domain", stage.domain is not None), ("waf", stage.waf)):
        if wanted and not stage.cdn:
            yield Fault(
                f"{key} belongs to the CloudFront distribution, and cdn = false leaves it out",
                f"Remove cdn = false or {key}; api_domain is the name of the API itself.",
                _table(stage, key),
            )
    if stage.domain:
        yield from _of_certificate(
            stage.domain.certificate, EDGE_REGION, "CloudFront", _table(stage, "domain.certificate")
        )
    if stage.api_domain:
        yield from _of_certificate(
            stage.api_domain.certificate,
            stage.region,
            "the HTTP API",
            _table(stage, "api_domain.certificate"),
        )


def _of_certificate(arn: str, region: str, user: str, place: str) -> Iterator[Fault]:
    found = _CERTIFICATE.fullmatch(arn)
    if found is None:
        hint = f"Write the ARN as ACM shows it: arn:aws:acm:{region}:123456789012:certificate/…."
        yield Fault(f"{arn!r} is no ARN of a certificate", hint, place)
    elif found["region"] != region:
        yield Fault(
            f"the certificate is in {found['region']}, and {user} takes only those in {region}",
            f"Request or import one for the same name in {region}.",
            place,
        )


def _of_names(manifest: Manifest, stage: Stage) -> Iterator[Fault]:
    for kind, name, place in (
        ("app", manifest.app.name, "project.name"),
        ("stage", stage.name, f"tool.packager.stages.{stage.name}"),
    ):
        if not names.slug(name):
            yield Fault(
                f"nothing of the {kind}'s name {name!r} can be in the name of a stack",
                "Names at AWS are made of letters, digits and hyphens: use some.",
                place,
            )
    taken: dict[str, str] = {}
    for row in manifest.functions:
        name = names.function_name(manifest.app.name, stage.name, row.name).lower()
        if (other := taken.setdefault(name, row.name)) != row.name:
            yield Fault(
                f"the functions {other} and {row.name} would both be called {name}",
                "Rename the folder of one, or take its isolate away.",
                _file(manifest, row),
            )


def _of_functions(manifest: Manifest) -> Iterator[Fault]:
    behind = routes.on_api(manifest)
    if len(behind) > MAX_INTEGRATIONS:
        yield Fault(
            f"{len(behind)} functions are behind the HTTP API, which takes {MAX_INTEGRATIONS}",
            "Let routes share functions: equal memory and max_duration, and isolate only where it is needed.",
        )
    for row in manifest.functions:
        if row.runtime == "edge":
            if row.target not in _TARGETS:
                yield Fault(
                    f"there are no stacks for the edge target {row.target!r}",
                    f"Set target in [tool.packager.edge] to one of {', '.join(_TARGETS)}.",
                    "tool.packager.edge.target",
                )
        else:
            yield from _of_runtime(row)
        yield from _of_size(manifest, row, behind)


def _of_runtime(row: Function) -> Iterator[Fault]:
    if row.python not in _PYTHONS:
        yield Fault(
            f"Lambda has no runtime python{row.python} for the function {row.name}",
            f"Set python to one of {', '.join(_PYTHONS)}.",
            "tool.packager.lambda.python",
        )
    if row.architecture not in _ARCHITECTURES:
        yield Fault(
            f"Lambda has no architecture {row.architecture!r} for the function {row.name}",
            f"Set architecture to one of {', '.join(_ARCHITECTURES)}.",
            "tool.packager.lambda.architecture",
        )


def _of_size(manifest: Manifest, row: Function, behind: frozenset[str]) -> Iterator[Fault]:
    """Seconds and MB of a function."""
    web = row.target == "web-function"
    least, most = _WEB_SECONDS if web else (1, _GATEWAY_SECONDS if row.name in behind else _EDGE_SECONDS)
    if not least <= row.max_duration <= most:
        by = "a web function" if web else "the HTTP API" if row.name in behind else "Lambda@Edge"
        yield Fault(
            f"the function {row.name} may take {row.max_duration} s, and {by} waits between {least} and {most}",
            f"Set max_duration of its routes to {least} to {most} seconds.",
            _file(manifest, row, lambda route: route.max_duration == row.max_duration),
        )
    least, most = (_MEMORY[0], _WEB_MEMORY) if web else _MEMORY
    if not least <= row.memory <= most:
        yield Fault(
            f"the function {row.name} has {row.memory} MB of memory, and {row.target} takes {least} to {most}",
            f"Set memory of its routes to {least} to {most} MB.",
            _file(manifest, row, lambda route: route.memory == row.memory),
        )


def _of_artifacts(functions: Iterable[Function], build: Path) -> Iterator[Fault]:
    again = "Run `packager build` again."
    for row in functions:
        path = build / row.artifact
        if not path.is_file():
            yield Fault(
                f"the artifact of the function {row.name} is missing: {row.artifact}", again, row.artifact
            )
            continue
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != row.sha256:
            yield Fault(f"the artifact {row.artifact} is not the one that was built", again, row.artifact)
        size, most = path.stat().st_size, _ZIP.get(row.target)
        if most is not None and size > most:
            yield _too_large(row, "as a zip", size, most)
        if row.target in ("lambda", "regional", "lambda-edge") and row.unpacked_bytes > _UNPACKED:
            yield _too_large(row, "unpacked", row.unpacked_bytes, _UNPACKED)


def _too_large(row: Function, how: str, size: int, most: int) -> Fault:
    larger = "web-function" if row.target == "lambda-edge" else None
    return Fault(
        f"the artifact {row.artifact} has {size / _MB:.1f} MB {how}, and {row.target} takes {most // _MB} MB",
        "`packager analyze` shows what is in it: leave out what is not needed"
        + (f', or set target = "{larger}" in [tool.packager.edge].' if larger else "."),
        row.artifact,
    )


def _of_routing(manifest: Manifest, stage: Stage) -> Iterator[Fault]:
    planned = routes.api_routes(manifest)
    if len(planned) > routes.MAX_ROUTES:
        yield Fault(
            f"the routes need {len(planned)} routes of the HTTP API, which takes {routes.MAX_ROUTES}",
            "Keep the routes of one function in folders of their own: a folder of one function is one route.",
        )
    if not stage.cdn:
        return
    try:
        found = behaviours.behaviours(manifest)
    except StackError as error:
        yield from error.faults
        return
    for row in found:
        if len(row.pattern) > MAX_LENGTH:
            yield Fault(
                f"the CloudFront pattern of {row.pattern} has {len(row.pattern)} characters, and CloudFront takes "
                f"{MAX_LENGTH}",
                "Shorten the names of the folders.",
            )


def _of_variables(manifest: Manifest, stage: Stage) -> Iterator[Fault]:
    for name in sorted({*manifest.environment.values, *stage.variables}):
        place = _place(stage, name)
        if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name) or name in _OWN:
            yield Fault(
                f"AWS or the tool keeps or refuses the variable {name!r}",
                "Choose another name: a letter, then letters, digits and _, at least two, not AWS_… or LAMBDA_….",
                place,
            )
        if name in manifest.environment.references:
            yield Fault(
                f"{name} is a secret and a plain variable at once", "Remove the plain variable.", place
            )
    try:
        environment.references(manifest, stage)
    except StackError as error:
        yield from error.faults
        return
    for row in manifest.functions:
        yield from _of_function_variables(row, manifest, stage)


def _of_function_variables(row: Function, manifest: Manifest, stage: Stage) -> Iterator[Fault]:
    found = environment.variables(row, manifest, stage)
    most = _VARIABLES.get(row.target)
    weights = {name: len(name.encode()) + len(value.encode()) for name, value in found.items()}
    size = sum(weights.values()) + (_ORIGIN_KEY if stage.cdn else 0)
    if most is not None and size > most:
        largest = max(weights, key=lambda name: weights[name])
        yield Fault(
            f"the variables of the function {row.name} have {size} bytes, and {row.target} takes {most}; the largest "
            f"is {largest} with {weights[largest]}",
            f"Keep {largest} in a parameter or a secret, or as a file of the project."
            if largest not in _OWN
            else "Keep several secrets as the keys of one in JSON, or give them shorter names.",
            _place(stage, largest),
        )
    if row.target == "web-function":
        for name in (name for name, value in found.items() if not value):
            yield Fault(
                f"the variable {name} is empty, which web functions do not take",
                "Leave it out, or give it a value.",
                _place(stage, name),
            )


def _place(stage: Stage, name: str) -> str:
    if name in stage.variables:
        return _table(stage, f"variables.{name}")
    return f"tool.packager.environment.variables.{name}"


def _file(
    manifest: Manifest, row: Function, suits: Callable[[Route], bool] = lambda _route: True
) -> str | None:
    """The file of a function's route, the first that suits."""
    own = [route for route in manifest.routes if route.function == row.name]
    return next((route.file for route in own if suits(route)), own[0].file if own else None)
