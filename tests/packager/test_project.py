import pytest

from packager.errors import ProjectError, UsageError
from packager.project import load

ROUTE = {"app/route.py": ""}


def refused(write, text):
    with pytest.raises(ProjectError) as caught:
        load(write({**ROUTE, "pyproject.toml": text}))
    return caught.value


def test_a_project_without_pyproject_is_named_after_its_folder(write):
    root = write(ROUTE)
    project = load(root)
    assert (project.name, project.tree, project.import_root) == (root.name, "app", "")
    assert project.root == root
    assert project.dependencies == ()


def test_pyproject_without_a_project_table_is_allowed(write):
    assert load(write({**ROUTE, "pyproject.toml": "[tool.other]\nx = 1\n"})).name == "project"


def test_imports_of_src_app_start_in_src(write):
    project = load(write({"src/app/route.py": ""}))
    assert (project.tree, project.import_root) == ("src/app", "src")


def test_app_goes_before_src_app(write):
    assert load(write({**ROUTE, "src/app/route.py": ""})).tree == "app"


def test_all_settings(write):
    text = """
[project]
name = "shop"
dependencies = ["msgspec>=0.20"]
[tool.packager]
include = ["data/*.json"]
public_url = "https://shop.example/"
[tool.packager.lambda]
python = "3.12"
architecture = "x86_64"
snap_start = true
provided = ["Boto3", "aws_lambda.powertools"]
[tool.packager.edge]
target = "regional"
[tool.packager.environment]
variables = { API = "https://a.example" }
secrets = { KEY = "ssm:/shop/{stage}/key" }
"""
    project = load(write({**ROUTE, "pyproject.toml": text}))
    settings = project.settings
    assert (project.name, project.dependencies) == ("shop", ("msgspec>=0.20",))
    assert (settings.include, settings.public_url) == (("data/*.json",), "https://shop.example")
    assert (settings.nodejs.python, settings.nodejs.architecture) == ("3.12", "x86_64")
    assert settings.nodejs.snap_start
    # the AWS SDK goes as a whole: its parts fit each other in one version only
    assert settings.nodejs.provided == ("aws-lambda-powertools", "boto3", "botocore", "s3transfer")
    assert settings.edge.target == "regional"
    assert settings.variables == {"API": "https://a.example"}
    assert settings.secrets == {"KEY": "ssm:/shop/{stage}/key"}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="is not there"):
        load(tmp_path / "nowhere")


def test_a_file_instead_of_a_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not a folder"):
        load(tmp_path / "file")


def test_a_folder_without_a_tree_says_where_it_looked_and_how_to_begin(tmp_path):
    with pytest.raises(UsageError, match=r"neither app/ nor src/app/") as caught:
        load(tmp_path)
    assert "app/api/hello/route.py" in caught.value.hint
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [("[project]\nname = \n", 2), ("[project]\nname = 'x'\n[tool", 3), ("x = 1\nx = 2\n", 2), ('a = """', 1)],
)
def test_a_toml_error_has_its_line(write, text, line):
    error = refused(write, text)
    assert error.place == f"pyproject.toml:{line}"
    assert "at line" not in error.message
    assert error.exit_status == 1


def test_pyproject_that_is_not_utf8(write):
    root = write(ROUTE)
    (root / "pyproject.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ProjectError, match="not UTF-8"):
        load(root)


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("[tool.packager]\n\nincluse = []\n", 3, "no setting 'incluse'", "Did you mean 'include'?"),
        ("[tool.packager]\nzzzzzz = 1\n", 2, "no setting 'zzzzzz'", "Known settings: include"),
        ("[tool]\npackager.lambda.pyhton = '3.13'\n", 2, "no setting 'pyhton'", "'python'"),
        ("[tool.packager.lambda]\npython = 3.13\n", 2, "python must be a text", "quotes"),
        ("[tool.packager.lambda]\npython = '3.9'\n", 2, "python = '3.9' is not known", "3.12, 3.13, 3.14"),
        ("[tool.packager.lambda]\narchitecture = 'arm'\n", 2, "'arm' is not known", "arm64, x86_64"),
        ("[tool.packager.lambda]\nsnap_start = 'on'\n", 2, "snap_start must be true or false", "= true"),
        ("[tool.packager]\nlambda = 'x'\n", 2, "must be a table", "[tool.packager.lambda]"),
        ("[tool.packager]\ninclude = 'x'\n", 2, "include must be a list", "["),
        ("[tool.packager]\npublic_url = 'shop.example'\n", 2, "not an origin", "https://"),
        ("[tool.packager]\npublic_url = 'https://shop.example/api'\n", 2, "not an origin", "https://"),
        ("[tool.packager.environment]\nvariables = { A1 = 1 }\n", 2, "A1 must be a text", "quotes"),
        ("[tool.packager.environment.secrets]\nKEY = 'ssm:'\n", 2, "KEY is no reference", "ssm:/path"),
        ("[project]\nname = 1\n", 2, "name must be a text", "quotes"),
        ("[project]\ndependencies = 'starlette'\n", 2, "dependencies must be a list", "["),
    ],
)
def test_a_bad_setting_is_named_with_its_line_and_what_to_write(write, text, line, message, hint):
    error = refused(write, text)
    assert error.place == f"pyproject.toml:{line}"
    assert message in error.message
    assert hint in error.hint


def test_the_value_of_a_secret_written_by_mistake_is_not_repeated(write):
    error = refused(write, "[tool.packager.environment]\nsecrets = { KEY = 'hunter2' }\n")
    assert "hunter2" not in error.message + error.hint
