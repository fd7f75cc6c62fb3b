"""The assembly that a preview starts from, made by the real CDK from a small build."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from golden_cloud import write
from manifests import manifest_of, route, written

from infra import manifest as manifests
from packager import build, project, stages, synth
from packager.errors import StacksError, UsageError
from packager.preview import source
from packager.preview.template import Place


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose build is there and current, with one route on each runtime."""
    root = tmp_path / "shop"
    (root / "app").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    out = root / ".packager"
    made = written(manifest_of([route("/api/a"), route("/api/b", "edge", "edge", revalidate=60)]), out)
    (out / manifests.FILE_NAME).write_text(manifests.to_json(made))
    monkeypatch.setattr(build, "is_current", lambda folder, out=None: True)
    return root


def here(root: Path, name: str | None, report: Callable[[str], None]) -> None:
    """Synthesize in this process, in which the build counts as current."""
    loaded = project.load(root)
    synth.synth(root, name or stages.local(loaded), report=report)


def test_the_stage_of_this_machine_needs_no_settings_and_is_made_once(shop: Path) -> None:
    lines: list[str] = []
    found = source.topology(shop, None, None, report=lines.append, synthesize=here)
    assert lines == ["synthesizing local for us-east-1"]
    assert found.api is not None
    assert [row.key for row in found.api.routes] == ["$default", "ANY /api/a"]
    assert found.distribution is not None
    (row,) = (row for row in found.distribution.behaviours if row.pattern == "/api/b")
    assert row.cache.default_ttl == 60
    assert row.origin_function is not None
    assert row.origin_function.function == Place("shop-local-edge", "EdgeFunction")
    assert source.topology(shop, None, None, report=lines.append, synthesize=here) == found
    assert len(lines) == 1
    out = synth.default_place(project.load(shop), stages.local(project.load(shop)))
    assert source.topology(shop, None, out, report=lines.append, synthesize=here) == found


def test_an_assembly_from_elsewhere_is_taken_as_it_is(shop: Path, tmp_path: Path) -> None:
    found = source.topology(shop, None, write(tmp_path / "given"), report=print, synthesize=here)
    assert {row.place.stack for row in found.functions} == {"sample-app-prod-api", "sample-app-prod-edge"}


def test_stacks_that_cannot_be_made_are_told_with_the_way_around_them(shop: Path) -> None:
    path = shop / ".packager" / manifests.FILE_NAME
    document = json.loads(path.read_text())
    document["environment"]["values"] = {"LARGE": "x" * 5000}
    document["environment"]["variables"] = ["LARGE"]
    path.write_text(json.dumps(document))
    with pytest.raises(StacksError) as caught:
        source.topology(shop, None, None, report=print, synthesize=here)
    assert "--from manifest" in caught.value.hint
    assert caught.value.faults


def test_a_stage_is_read_with_its_name(shop: Path) -> None:
    with pytest.raises(UsageError):
        source.topology(shop, "local", None, report=print, synthesize=here)
