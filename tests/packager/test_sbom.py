import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.manifest import Function, Snapshot
from packager import pyodide, sbom
from packager.model import Distribution, Wheel

if TYPE_CHECKING:
    from collections.abc import Callable

type Make = Callable[..., Distribution]

API = Function(
    "api", "nodejs", "lambda", "functions/api.zip", "ab" * 32, 10, 20, "handler", (), 30, 512, "3.13", "arm64"
)
EDGE = replace(
    API, name="edge", runtime="edge", artifact="edge/edge.zip", snapshot=Snapshot(("heap.bin",), "cd" * 32)
)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a distribution of that name with lines of METADATA."""

    def distribution(name: str, *lines: str, requires: tuple[str, ...] = ()) -> Distribution:
        folder = tmp_path / name
        (folder / f"{name}-1.0.dist-info").mkdir(parents=True)
        text = "\n".join(("Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines))
        (folder / f"{name}-1.0.dist-info/METADATA").write_text(
            f"{text}\n\nThe description.\n", encoding="utf-8"
        )
        wheel = Wheel(name, "1.0", f"{name}-1.0-py3-none-any.whl", "file:///x", "0" * 64)
        return Distribution(wheel, folder, (name,), requires)

    return distribution


def component(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in document["components"] if row["name"] == name)


@pytest.mark.parametrize("function", [API, EDGE])
def test_the_document_is_valid_cyclonedx(function: Function, make: Make) -> None:
    rows = [
        make(
            "one", "License-Expression: MIT OR Apache-2.0", "Summary: Größe & Co", requires=("two", "absent")
        ),
        make("two", "License: BSD-3-Clause"),
        make(
            "three",
            "Classifier: License :: OSI Approved :: MIT License",
            "Classifier: License :: Public Domain",
        ),
        make("four"),
    ]
    # here, not above: four seconds, of every process that collects this file
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    text = json.dumps(sbom.document("shop", function, rows))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_each_wheel_is_a_component_with_purl_and_hash(make: Make) -> None:
    one = component(sbom.document("shop", API, [make("one", "Summary: A thing")]), "one")
    assert (one["type"], one["version"], one["description"]) == ("library", "1.0", "A thing")
    assert one["purl"] == "pkg:pypi/one@1.0?file_name=one-1.0-py3-none-any.whl"
    assert one["hashes"] == [{"alg": "SHA-256", "content": "0" * 64}]


@pytest.mark.parametrize(
    ("lines", "licences"),
    [
        (("License-Expression: MIT OR Apache-2.0", "License: BSD"), [{"expression": "MIT OR Apache-2.0"}]),
        (("License: MIT",), [{"license": {"id": "MIT"}}]),
        (("License: Some House Licence",), [{"license": {"name": "Some House Licence"}}]),
        (
            (f"License: {'a long text ' * 20}", "Classifier: License :: OSI Approved :: MIT License"),
            [{"license": {"name": "MIT License"}}],
        ),
        (
            ("Classifier: License :: OSI Approved :: MIT License", "Classifier: License :: Public Domain"),
            [{"license": {"name": "MIT License"}}, {"license": {"name": "Public Domain"}}],
        ),
        (("License: UNKNOWN",), None),
        ((), None),
    ],
)
def test_the_licence_is_what_the_metadata_say(
    lines: tuple[str, ...], licences: list[dict[str, Any]] | None, make: Make
) -> None:
    assert component(sbom.document("shop", API, [make("one", *lines)]), "one").get("licenses") == licences


def test_who_requires_whom_is_a_graph_from_the_artifact_down(make: Make) -> None:
    document = sbom.document("shop", API, [make("three", requires=("four",)), make("four")])
    graph = {row["ref"]: row.get("dependsOn", []) for row in document["dependencies"]}
    own = component(document, "packager")["bom-ref"]
    assert sorted(graph["functions/api.zip"]) == sorted([own, "three@1.0"])
    assert graph["three@1.0"] == ["four@1.0"]


def test_an_edge_artifact_names_the_python_it_brings(make: Make) -> None:
    document = sbom.document("shop", EDGE, [])
    found = component(document, "pyodide")
    assert found["purl"] == f"pkg:npm/pyodide@{pyodide.VERSION}"
    assert "pyodide" not in json.dumps(sbom.document("shop", API, []))


def test_the_same_artifact_gives_the_same_document_without_a_time(make: Make) -> None:
    rows = [make("one"), make("two")]
    document = sbom.document("shop", API, rows)
    assert document == sbom.document("shop", API, rows[::-1])
    assert "timestamp" not in document["metadata"]
    assert document["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": API.sha256}]


def test_the_serial_number_follows_from_the_artifact(make: Make) -> None:
    def serial(function: Function) -> str:
        return str(sbom.document("shop", function, [])["serialNumber"])

    assert serial(API).startswith("urn:uuid:")
    assert serial(API) != serial(replace(API, sha256="00" * 32))
    # a snapshot differs from build to build; what it was made of does not
    assert serial(EDGE) == serial(replace(EDGE, sha256="00" * 32))
    assert serial(EDGE) != serial(replace(EDGE, snapshot=Snapshot(("heap.bin",), "00" * 32)))
