from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.manifest import Function
from packager.archive import Entry, write_zip
from packager.budget import judge
from packager.diagnostics import Diagnostic
from packager.errors import ProjectError
from packager.model import Budget, Distribution, Limits, Wheel
from packager.project import load

if TYPE_CHECKING:
    from conftest import Write


@dataclass(frozen=True)
class Artifacts:
    """Built functions, and what each carries."""

    out: Path
    functions: tuple[Function, ...]
    carried: Mapping[str, Sequence[Distribution]]


GET = "def GET():\n    return {}\n"
PROJECT = '[project]\nname = "x"\ndependencies = []\n'


@pytest.fixture
def root(write: "Write") -> Path:
    return write({"pyproject.toml": PROJECT, "app/api/a/route.py": GET})


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    """The functions `api` and `api-own`, whose zips hold two distributions."""
    carried = []
    for name, size in (("light", 10), ("heavy", 4000)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.py").write_text("".join(f"x = {index * 7919 % 10007}\n" for index in range(size)))
        wheel = Wheel(name, "1.0", f"{name}-1.0-py3-none-any.whl", "file:///x", "0" * 64)
        carried.append(Distribution(wheel, folder, (name,), ()))
    entries = [Entry(f"{row.wheel.name}.py", row.folder / f"{row.wheel.name}.py") for row in carried]
    rows = []
    for name in ("api", "api-own"):
        written = write_zip(tmp_path / f"{name}.zip", entries)
        sizes = (written.sha256, written.size, written.unpacked)
        rows.append(Function(name, "nodejs", "lambda", f"{name}.zip", *sizes, "handler", (), 30, 512))
    return Artifacts(tmp_path, tuple(rows), {"api": carried, "api-own": carried})


def limit(root: Path, text: str) -> None:
    (root / "pyproject.toml").write_text(PROJECT + text)


def findings(root: Path, made: Artifacts) -> tuple[Diagnostic, ...]:
    return judge(load(root), made.out, made.functions, made.carried)


def test_budgets_are_bytes_or_texts_and_a_function_may_have_its_own(root: Path) -> None:
    limit(
        root,
        '[tool.packager.limits]\nzip = "10mb"\nunpacked = 5000\n'
        '[tool.packager.limits.functions.api]\nzip = "1kb"\n',
    )
    assert load(root).settings.limits == Limits(Budget(10 * 2**20, 5000), {"api": Budget(1024)})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[tool.packager.limits]\nzip = "much"\n', 5),
        ("[tool.packager.limits]\nunpacked = -1\n", 5),
        ("[tool.packager.limits]\nzip = true\n", 5),
        ("[tool.packager.limits]\nsize = 7\n", 5),
        ("[tool.packager.limits.functions.api]\nzipped = 7\n", 5),
        ("[tool.packager.limits.functions]\napi = 7\n", 5),
    ],
)
def test_a_wrong_setting_is_an_error_at_its_line(root: Path, text: str, line: int) -> None:
    limit(root, text)
    with pytest.raises(ProjectError) as caught:
        load(root)
    assert caught.value.place == f"pyproject.toml:{line}"


@pytest.mark.parametrize("measure", ["zip", "unpacked"])
def test_an_artifact_over_its_budget_is_an_error_that_lists_the_largest(
    root: Path, artifacts: Artifacts, measure: str
) -> None:
    limit(root, f'[tool.packager.limits]\n{measure} = "1kb"\n')
    first = findings(root, artifacts)[0]
    assert (first.rule, first.severity, first.file, first.line) == (
        "size-limit",
        "error",
        "pyproject.toml",
        5,
    )
    assert first.message.startswith("api.zip is ")
    assert first.message.partition("the largest in it: ")[2].startswith("heavy ")
    assert "light" in first.message


def test_each_artifact_and_each_measure_is_judged(root: Path, artifacts: Artifacts) -> None:
    limit(root, "[tool.packager.limits]\nzip = 1\nunpacked = 1\n")
    found = [(item.message.partition(" is ")[0], item.line) for item in findings(root, artifacts)]
    assert found == [("api.zip", 5), ("api.zip", 6), ("api-own.zip", 5), ("api-own.zip", 6)]


def test_a_function_with_its_own_budget_is_judged_by_that(root: Path, artifacts: Artifacts) -> None:
    limit(
        root,
        '[tool.packager.limits]\nzip = 1\n[tool.packager.limits.functions.api]\nzip = "9mb"\n'
        "[tool.packager.limits.functions.api-own]\nzip = 2\n",
    )
    [finding] = findings(root, artifacts)
    assert (finding.message.partition(" is ")[0], finding.line) == ("api-own.zip", 9)


@pytest.mark.parametrize("text", ["", '[tool.packager.limits]\nzip = "9mb"\nunpacked = "9mb"\n'])
def test_within_the_budget_or_without_one_nothing_is_found(
    root: Path, artifacts: Artifacts, text: str
) -> None:
    limit(root, text)
    assert findings(root, artifacts) == ()


def test_a_budget_for_a_function_that_is_not_there_is_an_error(root: Path, artifacts: Artifacts) -> None:
    limit(root, "[tool.packager.limits.functions.apo]\nzip = 1\n")
    with pytest.raises(ProjectError, match="no function 'apo'") as caught:
        findings(root, artifacts)
    assert caught.value.place == "pyproject.toml:4"
    assert "api, api-own" in caught.value.hint
