from pathlib import Path

import pytest

from packager.errors import ProjectError
from packager.include import included


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for file in (
        "data/a.json",
        "data/deep/b.json",
        "data/.hidden",
        ".env",
        ".env.local",
        ".git/config",
        "x.txt",
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(file)
    return root.resolve()


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("data/*.json", ("data/a.json",)),
        ("data/**/*.json", ("data/a.json", "data/deep/b.json")),
        ("data", ("data/a.json", "data/deep/b.json")),
        ("**/*", ("data/a.json", "data/deep/b.json", "x.txt")),
        ("data/.hidden", ("data/.hidden",)),
        ("./x.txt", ("x.txt",)),
    ],
)
def test_patterns_match_as_in_a_shell(root: Path, pattern: str, files: tuple[str, ...]) -> None:
    assert included(root, [pattern]) == files


@pytest.mark.parametrize("pattern", ["../*", "/etc/passwd", "data/../../x", ""])
def test_a_pattern_may_not_leave_the_project(root: Path, pattern: str) -> None:
    with pytest.raises(ProjectError, match="leaves the project"):
        included(root, [pattern])


@pytest.mark.parametrize(
    "pattern", [".env", ".env.local", ".git/*", "**/.env", ".ENV", "home/.aws/credentials"]
)
def test_secrets_are_refused_by_name(root: Path, pattern: str) -> None:
    with pytest.raises(ProjectError, match="would put"):
        included(root, [pattern])


@pytest.mark.parametrize("pattern", [".*", ".e*", ".[e]nv", "**/.*"])
def test_no_wildcard_reaches_a_secret(root: Path, pattern: str) -> None:
    with pytest.raises(ProjectError, match="matches no file"):
        included(root, [pattern])


def test_a_pattern_without_a_match_is_an_error(root: Path) -> None:
    with pytest.raises(ProjectError, match=r"'\*\.csv' matches no file"):
        included(root, ["*.csv"])


def test_a_link_out_of_the_project_is_refused(root: Path) -> None:
    (root / "data/link.txt").symlink_to("/etc/hostname")
    with pytest.raises(ProjectError, match="is a link to /etc"):
        included(root, ["data/*.txt"])


def test_a_link_to_a_secret_is_refused(root: Path) -> None:
    (root / "data/link.txt").symlink_to(root / ".env")
    with pytest.raises(ProjectError, match="link"):
        included(root, ["data/*.txt"])
