"""A bill of materials for each artifact: CycloneDX 1.6 as JSON, the same for the same artifact."""

import json
from collections.abc import Iterator, Mapping, Sequence
from email.parser import HeaderParser
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from infra import manifest
from packager import pyodide
from packager.model import Distribution
from packager.wheels import dist_info

if TYPE_CHECKING:
    from email.message import Message

    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

FOLDER = "sbom"

_NAMESPACE = UUID("6f6c2a3e-0c53-5a0e-9d0e-3f1f0f6f7a51")
_LICENSE_LENGTH = 100
"""Characters. A longer `License` field is the licence's own text."""


def path(function: str) -> str:
    """Where the document of a function is, relative to the build output."""
    return f"{FOLDER}/{function}.cdx.json"


def write(out: Path, built: manifest.Manifest, carried: Mapping[str, Sequence[Distribution]]) -> None:
    """Write a document for each artifact into the build output `out`.

    `carried` are the distributions of each function. Raises `ToolError` if one of them has no metadata.
    """
    (out / FOLDER).mkdir(exist_ok=True)
    for row in built.functions:
        text = json.dumps(document(built.app.name, row, carried[row.name]), indent=1, sort_keys=True)
        (out / path(row.name)).write_text(text + "\n", encoding="utf-8")


def document(app: str, function: manifest.Function, distributions: Sequence[Distribution]) -> dict[str, Any]:
    """The bill of materials of one artifact of the app called `app`.

    It has no time stamp, and its serial number follows from the artifact's hash, or from what its snapshot was made
    of: two builds of the same inputs give the same document (https://cyclonedx.org/docs/1.6/json/).
    """
    from cyclonedx.model import HashAlgorithm, HashType  # noqa: PLC0415 - 100 ms that only a build needs
    from cyclonedx.model.bom import Bom  # noqa: PLC0415
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415

    snapshot = function.snapshot
    identity = snapshot.identity if snapshot else function.sha256
    root = Component(
        type=ComponentType.APPLICATION,
        name=f"{app}/{function.name}",
        bom_ref=function.artifact,
        hashes=[] if snapshot else [HashType(alg=HashAlgorithm.SHA_256, content=function.sha256)],
    )
    bom = Bom(serial_number=uuid5(_NAMESPACE, f"{app}/{function.name}/{identity}"))
    bom.metadata.component = root
    components = {row.wheel.name: _of_wheel(row) for row in distributions}
    own = [*_runtime(function)]
    bom.components.update(components.values())
    bom.components.update(own)
    required = {name for row in distributions for name in row.requires}
    bom.register_dependency(
        root, [*own, *(item for name, item in components.items() if name not in required)]
    )
    for row in distributions:
        needed = (components[name] for name in row.requires if name in components)
        bom.register_dependency(components[row.wheel.name], needed)
    made: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    # the library always puts the time in
    del made["metadata"]["timestamp"]
    return made


def _runtime(function: manifest.Function) -> Iterator["Component"]:
    """What is in the artifact besides the project and its distributions."""
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    kinds = {("pypi", "packager", version("packager")): ComponentType.FRAMEWORK}
    if function.runtime == "edge":
        kinds["npm", "pyodide", pyodide.VERSION] = ComponentType.PLATFORM
    for (registry, name, number), kind in kinds.items():
        url = PackageURL(registry, None, name, number)
        yield Component(type=kind, name=name, version=number, purl=url, bom_ref=str(url))


def _of_wheel(row: Distribution) -> "Component":
    from cyclonedx.model import HashAlgorithm, HashType  # noqa: PLC0415
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    wheel = row.wheel
    url = PackageURL("pypi", None, wheel.name, wheel.version, {"file_name": wheel.filename})
    metadata = HeaderParser().parsestr(
        (dist_info(row.folder) / "METADATA").read_text(encoding="utf-8", errors="replace")
    )
    return Component(
        type=ComponentType.LIBRARY,
        name=wheel.name,
        version=wheel.version,
        description=_text(metadata, "Summary") or None,
        purl=url,
        bom_ref=f"{wheel.name}@{wheel.version}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
        licenses=_licenses(metadata),
    )


def _licenses(metadata: "Message[str, str]") -> list["License"]:
    """`License-Expression` (PEP 639), else `License` if it is a name, else the classifiers of that kind."""
    from cyclonedx.contrib.license.factories import LicenseFactory  # noqa: PLC0415

    factory = LicenseFactory()
    name = _text(metadata, "License-Expression") or _text(metadata, "License")
    if name and len(name) <= _LICENSE_LENGTH and "\n" not in name and name != "UNKNOWN":
        return [factory.make_from_string(name)]
    prefix = "License :: "
    rows = (str(row).strip() for row in metadata.get_all("Classifier", []))
    names = sorted({row.rpartition(" :: ")[2] for row in rows if row.startswith(prefix)})
    return [factory.make_with_name(name) for name in names]


def _text(metadata: "Message[str, str]", key: str) -> str:
    return str(metadata.get(key, "")).strip()
