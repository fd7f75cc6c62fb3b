import pytest

from packager.environment import local_values, read
from packager.errors import ProjectError
from packager.project import load


def environment(write, files):
    return read(load(write({"app/route.py": "", **files})))


def test_variables_of_the_file_win_over_the_settings(write):
    found, diagnostics = environment(
        write,
        {
            "pyproject.toml": "[tool.packager.environment]\nvariables = { API = 'settings', OTHER = 'x' }\n",
            ".env": "API=file\nexport NAME='two words'\nEMPTY=\n",
        },
    )
    assert diagnostics == ()
    assert found.values == {"API": "file", "EMPTY": "", "NAME": "two words", "OTHER": "x"}
    assert found.variables == ("API", "EMPTY", "NAME", "OTHER")


def test_values_do_not_depend_on_the_builders_environment(write, monkeypatch):
    monkeypatch.setenv("FROM_OUTSIDE", "outside")
    found, _ = environment(write, {".env": "VALUE=${FROM_OUTSIDE}-$HOME\n"})
    assert found.values == {"VALUE": "${FROM_OUTSIDE}-$HOME"}


def test_the_local_file_is_no_part_of_the_build(write):
    found, _ = environment(write, {".env.local": "SECRET_KEY=local\n"})
    assert found.values == {}


def test_the_local_file_is_read_for_emulation(write):
    root = write({".env.local": "# local\nKEY=value\n"})
    assert local_values(root) == {"KEY": "value"}
    assert local_values(root / "nowhere") == {}


def test_secrets_are_names_and_references(write):
    found, _ = environment(
        write, {"pyproject.toml": "[tool.packager.environment]\nsecrets = { KEY = 'ssm:/k' }\n"}
    )
    assert (found.secrets, found.references, found.values) == (("KEY",), {"KEY": "ssm:/k"}, {})


@pytest.mark.parametrize(
    "name", ["AWS_REGION", "LAMBDA_TASK_ROOT", "_HANDLER", "_PRIVATE", "X", "WITH-DASH", "É1"]
)
def test_names_that_lambda_refuses(write, name):
    _, diagnostics = environment(write, {".env": f"GOOD=1\n\n{name}=1\n"})
    assert [(item.rule, item.file, item.line) for item in diagnostics] == [("env-name", ".env", 3)]


def test_a_refused_name_in_the_settings_has_its_line(write):
    _, diagnostics = environment(
        write, {"pyproject.toml": "[tool.packager.environment]\nsecrets = {}\nvariables = { AWS_X = 'x' }\n"}
    )
    assert [(item.rule, item.file, item.line) for item in diagnostics] == [("env-name", "pyproject.toml", 3)]


def test_a_secret_that_is_a_plain_variable_too(write):
    text = "[tool.packager.environment]\nvariables = { KEY = 'x' }\nsecrets = { KEY = 'ssm:/k' }\n"
    _, diagnostics = environment(write, {"pyproject.toml": text, ".env": "KEY=plain\n"})
    assert {(item.rule, item.file) for item in diagnostics} == {
        ("env-name", ".env"),
        ("env-name", "pyproject.toml"),
    }
    assert all(".env.local" in item.hint for item in diagnostics)


@pytest.mark.parametrize("line", ["NAME", "not a line = ", "'x"])
def test_a_line_that_is_no_assignment(write, line):
    _, diagnostics = environment(write, {".env": f"GOOD=1\n{line}\n"})
    assert ("invalid-config", ".env", 2) in [(item.rule, item.file, item.line) for item in diagnostics]


def test_a_file_that_is_not_utf8(write):
    root = write({"app/route.py": ""})
    (root / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(ProjectError, match="cannot be read"):
        read(load(root))
