from pathlib import Path

import pytest

from packager.branches import Platform
from packager.imports import reach
from packager.model import Project, Settings
from packager.traced_files import Traced, traced

LAMBDA = Platform("linux", (3, 13))
ROUTE = "app/api/a/route.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        *("data/x.json", "data/deep/y.txt", "lib/__init__.py", "lib/q.sql", "lib/inner/z.txt"),
        *(
            "app/api/a/near.txt",
            ".env",
            "data/.env.local",
            "data/.hidden",
            "templates/a.html",
            "templates/b.py",
        ),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path.resolve()


def read_by(root: Path, text: str, file: str = ROUTE) -> Traced:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text)
    project = Project(root, "x", "app", "", (), Settings())
    return traced(project, reach(project, [file], LAMBDA), LAMBDA)


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ('open("data/x.json")', "data/x.json"),
        ('open(file="./data/x.json", mode="rb")', "data/x.json"),
        ('open("/var/task/data/x.json")', "data/x.json"),
        ('def GET():\n    with open("data/x.json") as file: pass', "data/x.json"),
        ('from pathlib import Path\nPath("data/deep/y.txt").read_text()', "data/deep/y.txt"),
        ('from pathlib import Path\nX = Path("data") / "deep" / "y.txt"', "data/deep/y.txt"),
        ('from pathlib import Path\nPath.cwd().joinpath("data", "x.json")', "data/x.json"),
        ('from pathlib import Path\nPath(__file__).parent / "near.txt"', "app/api/a/near.txt"),
        ('from pathlib import Path\nHERE = Path(__file__).parent\nHERE / "near.txt"', "app/api/a/near.txt"),
        ('import pathlib\n(pathlib.Path(__file__).with_name("near.txt"))', "app/api/a/near.txt"),
        ('import pathlib\npathlib.Path(__file__).resolve().parents[3] / "data/x.json"', "data/x.json"),
        ('import os\nopen(os.path.join(os.path.dirname(__file__), "near.txt"))', "app/api/a/near.txt"),
        (
            'import os\nHERE = os.path.dirname(os.path.abspath(__file__))\nopen(HERE + "/near.txt")',
            "app/api/a/near.txt",
        ),
        ('import os\nHERE = os.path.dirname(__file__)\nopen(f"{HERE}/near.txt")', "app/api/a/near.txt"),
        ('from importlib.resources import files\nfiles("lib") / "q.sql"', "lib/q.sql"),
        ('from importlib import resources\nimport lib\nresources.files(lib).joinpath("q.sql")', "lib/q.sql"),
        ('from importlib import resources\nresources.files("lib.inner") / "z.txt"', "lib/inner/z.txt"),
        ('import importlib.resources\nimportlib.resources.files() / "near.txt"', "app/api/a/near.txt"),
        ('import pkgutil\npkgutil.get_data("lib", "q.sql")', "lib/q.sql"),
        ('import sqlite3\nsqlite3.connect(database="data/x.json")', "data/x.json"),
        ('import io\nio.FileIO("data/x.json")', "data/x.json"),
        ('from zipfile import ZipFile\nZipFile("data/x.json")', "data/x.json"),
        ('import fileinput\nfileinput.input("data/x.json")', "data/x.json"),
        ('import os\nos.stat("data/x.json")', "data/x.json"),
        ('from logging.config import fileConfig\nfileConfig("data/x.json")', "data/x.json"),
        ('import shutil\nshutil.copytree("data/deep", "/tmp/copy")', "data/deep/y.txt"),
    ],
)  # fmt: skip
def test_a_file_that_is_read_by_a_literal_path_is_found(root: Path, source: str, file: str) -> None:
    assert read_by(root, source).files == (file,)


@pytest.mark.parametrize(
    "source",
    [
        'open("data/none.json")',
        'open("/etc/hostname")',
        'open("../outside.txt")',
        'open("data/x.json", "w")',
        'open("data")',
        'open(name)\nopen(f"data/{name}")',
        'print("data/x.json")',
        'import sys\nif sys.platform == "win32":\n    open("data/x.json")',
        'from pathlib import Path\nPath(".").rglob("*")',
        "from pathlib import Path\nPath(__file__)",
        'open = print\nopen("data/x.json")',
    ],
)
def test_what_is_not_there_not_read_or_not_known_is_left_out(root: Path, source: str) -> None:
    assert read_by(root, source).files == ()


def test_modules_that_are_reached_by_imports_are_looked_into(root: Path) -> None:
    (root / "lib/words.py").write_text('open("data/x.json")')
    (root / "lib/other.py").write_text('open("data/deep/y.txt")')
    assert read_by(root, "from lib.words import x").files == ("data/x.json",)


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ('from pathlib import Path\nPath("data").glob("*.json")', ("data/deep/y.txt", "data/x.json")),
        (
            'from starlette.templating import Jinja2Templates\nJinja2Templates(directory="templates")',
            ("templates/a.html",),
        ),
        ("from pathlib import Path\nPath(__file__).parent.iterdir()", ("app/api/a/near.txt",)),
        ('import os\nos.listdir("lib")', ("lib/inner/z.txt", "lib/q.sql")),
    ],
)
def test_a_folder_that_is_listed_brings_its_data_files_and_no_code(
    root: Path, source: str, files: tuple[str, ...]
) -> None:
    assert read_by(root, source).files == files


@pytest.mark.parametrize("path", [".env", "data/.env.local", ".git/config"])
def test_a_secret_is_refused_with_the_place_that_reads_it(root: Path, path: str) -> None:
    found = read_by(root, f'\nopen("{path}")')
    assert found.files == ()
    assert found.watched == ()
    assert [(item.rule, item.severity, item.file, item.line) for item in found.refused] == [
        ("secret-file", "warning", ROUTE, 2)
    ]


def test_a_link_to_a_secret_or_out_of_the_project_is_left_out(root: Path) -> None:
    (root / "data/link.txt").symlink_to(root / ".env")
    (root / "data/far.txt").symlink_to("/etc/hostname")
    assert read_by(root, 'open("data/link.txt")\nopen("data/far.txt")').files == ()


def test_a_file_that_is_not_there_yet_is_watched(root: Path) -> None:
    found = read_by(root, 'open("data/x.json")\nopen("data/new.json")')
    assert found.watched == ("data/new.json", "data/x.json")


def test_names_that_are_bound_to_each_other_in_a_circle_mean_nothing(root: Path) -> None:
    assert read_by(root, "a = b\nb = a\nopen(a)").files == ()
