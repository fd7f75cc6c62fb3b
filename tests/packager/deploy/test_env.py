import json
import subprocess

import pytest

from infra.stage import Stage
from packager.deploy import env
from packager.errors import ProjectError, ToolError, UsageError
from packager.project import load

STAGE = Stage("prod", region="eu-central-1")
SECRETS = """\
[tool.packager.environment.secrets]
TOKEN = "ssm:/shop/{stage}/token"
OTHER = "ssm:/shop/{stage}/other"
DB_URL = "secretsmanager:prod/db#url"
PORT = "secretsmanager:prod/db#port"
"""


@pytest.fixture
def project(write):
    return load(write({"app/route.py": "", "pyproject.toml": SECRETS}))


@pytest.fixture
def ssm(ministack):
    return ministack.client("ssm", "eu-central-1")


def parameter(ssm, name):
    return ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]


def states(moves):
    return {row.name: row.state for row in moves}


def push(aws, project, text):
    moves = env.pushing(aws, env.references(project, STAGE), text)
    done = []
    env.push(aws, moves, lambda row: done.append(row.name))
    return states(moves), done


def test_pushed_secrets_are_encrypted_parameters_under_the_names_of_the_stage(aws, ssm, project):
    found, done = push(aws, project, "TOKEN='a b'\nPLAIN=1\n")
    assert found == {"TOKEN": "new", "OTHER": "absent", "DB_URL": "elsewhere", "PORT": "elsewhere"}
    assert done == ["TOKEN"]
    made = parameter(ssm, "/shop/prod/token")
    assert (made["Value"], made["Type"]) == ("a b", "SecureString")


def test_what_has_not_changed_is_not_written_again(aws, ssm, project):
    push(aws, project, "TOKEN=1\nOTHER=1\n")
    found, done = push(aws, project, "TOKEN=1\nOTHER=2\n")
    assert found == {"TOKEN": "same", "OTHER": "changed", "DB_URL": "elsewhere", "PORT": "elsewhere"}
    assert done == ["OTHER"]
    assert parameter(ssm, "/shop/prod/token")["Version"] == 1
    assert parameter(ssm, "/shop/prod/other")["Value"] == "2"


def test_a_parameter_keeps_the_key_it_is_encrypted_with(aws, ssm, project):
    ssm.put_parameter(Name="/shop/prod/token", Value="old", Type="SecureString", KeyId="alias/team")
    push(aws, project, "TOKEN=new\n")
    (row,) = ssm.describe_parameters()["Parameters"]
    assert row["KeyId"] == "alias/team"


def test_a_parameter_that_is_not_encrypted_is_not_written_over(aws, ssm, project):
    ssm.put_parameter(Name="/shop/prod/token", Value="old", Type="String")
    with pytest.raises(ToolError, match="not encrypted") as raised:
        push(aws, project, "TOKEN=new\nOTHER=x\n")
    assert "delete-parameter" in raised.value.hint
    assert [row["Name"] for row in ssm.describe_parameters()["Parameters"]] == ["/shop/prod/token"]


def test_a_parameter_that_appears_meanwhile_is_not_written_over(aws, ssm, project):
    moves = env.pushing(aws, env.references(project, STAGE), "TOKEN=mine\n")
    ssm.put_parameter(Name="/shop/prod/token", Value="theirs", Type="SecureString")
    with pytest.raises(ToolError, match="TOKEN") as raised:
        env.push(aws, moves, lambda _: None)
    assert "mine" not in str(raised.value)
    assert parameter(ssm, "/shop/prod/token")["Value"] == "theirs"


@pytest.mark.parametrize("value", ["", "x" * 9000])
def test_values_that_a_parameter_cannot_hold_are_refused_before_anything_is_written(aws, ssm, project, value):
    with pytest.raises(ToolError, match="OTHER"):
        push(aws, project, f"TOKEN=1\nOTHER='{value}'\n")
    assert ssm.describe_parameters()["Parameters"] == []


def test_pulled_secrets_join_what_is_in_the_file(aws, ssm, ministack, project):
    push(aws, project, 'TOKEN="two\\nlines $HOME #\'"\n')
    document = json.dumps({"url": "postgres://db", "port": 5432})
    ministack.client("secretsmanager", "eu-central-1").create_secret(Name="prod/db", SecretString=document)
    path = env.file_of(project, STAGE)
    path.write_text("# mine\nDB_URL=old # local\nDEBUG=1\n")
    moves = env.pulling(aws, env.references(project, STAGE), path.read_text())
    assert states(moves) == {"TOKEN": "new", "OTHER": "absent", "DB_URL": "changed", "PORT": "new"}
    env.pull(moves, path)
    assert path.name == ".env.prod.local"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert text.startswith("# mine\nDB_URL=postgres://db # local\nDEBUG=1\n")
    assert env.env_file.values(text)["TOKEN"] == "two\nlines $HOME #'"
    assert set(states(env.pulling(aws, env.references(project, STAGE), text)).values()) == {"same", "absent"}


def test_nothing_is_written_where_nothing_changes(aws, project):
    path = env.file_of(project, STAGE)
    env.pull(env.pulling(aws, env.references(project, STAGE), ""), path)
    assert not path.exists()


@pytest.mark.parametrize("secret", ["not json", '["a list"]', '{"other": 1}'])
def test_a_secret_without_the_key_is_absent(aws, ministack, project, secret):
    ministack.client("secretsmanager", "eu-central-1").create_secret(Name="prod/db", SecretString=secret)
    assert states(env.pulling(aws, env.references(project, STAGE), ""))["DB_URL"] == "absent"


def test_more_secrets_than_one_call_gives(aws, ssm, write):
    names = [f"KEY_{number}" for number in range(23)]
    rows = "\n".join(f'{name} = "ssm:/many/{name}"' for name in names)
    text = f"[tool.packager.environment.secrets]\n{rows}\n"
    many = load(write({"app/route.py": "", "pyproject.toml": text}))
    for value in ("1", "2"):
        assert len(push(aws, many, "\n".join(f"{name}={value}" for name in names))[1]) == 23
    moves = env.pulling(aws, env.references(many, STAGE), "")
    assert {row.value for row in moves} == {"2"}


@pytest.mark.parametrize("name", [".env", ".env.prod"])
def test_files_that_are_built_are_refused(project, name):
    with pytest.raises(UsageError, match="built"):
        env.file_of(project, STAGE, name)


def test_another_file_may_be_named(project):
    assert env.file_of(project, STAGE, ".env.local") == project.root / ".env.local"


def test_a_reference_that_is_none_is_told_with_its_line(write):
    text = '[tool.packager.environment.secrets]\nTOKEN = "ssm:/a//b"\n'
    with pytest.raises(ProjectError, match="TOKEN") as raised:
        env.references(load(write({"app/route.py": "", "pyproject.toml": text})), STAGE)
    assert raised.value.place == "pyproject.toml:2"


def test_values_are_never_shown(aws, project):
    moves = env.pushing(aws, env.references(project, STAGE), "TOKEN=hidden-value\n")
    assert "hidden-value" not in repr(moves)


def test_a_file_that_git_would_take_is_noticed(tmp_path):
    path = tmp_path / ".env.prod.local"
    assert env.is_ignored(path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert not env.is_ignored(path)
    (tmp_path / ".gitignore").write_text(".env*.local\n")
    assert env.is_ignored(path)
