import pytest

from packager.diagnostics import Diagnostic
from packager.plain_secrets import of_project, of_stage, suspicion
from packager.project import load


def found(write, files, *, on_edge=True):
    return of_project(load(write({"app/route.py": "", **files})), on_edge=on_edge)


def places(diagnostics: tuple[Diagnostic, ...]):
    return [(item.file, item.line) for item in diagnostics]


@pytest.mark.parametrize(
    "name",
    [
        "SESSION_KEY",
        "API_KEY",
        "STRIPE_APIKEY",
        "DB_PASSWORD",
        "auth_token",
        "AWS_CREDENTIALS",
        "CLIENT_SECRET",
    ],
)
def test_a_name_of_a_secret(name):
    assert suspicion(name, "hunter2") == "its name is that of a secret"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKEN_URL", "https://login.example/token"),
        ("SECRET_NAME", "shop/database"),
        ("DB_SECRET", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop"),
        ("PASSWORD_MIN_LENGTH", "12"),
        ("STRIPE_PUBLISHABLE_KEY", "pk_live_" + "0" * 24),
        ("VAPID_PUBLIC_KEY", "BPxyz"),
        ("REQUIRE_TOKEN", "true"),
        ("SESSION_KEY", ""),
        ("CACHE_KEY", "prefix"),
        ("API_BASE", "https://user@example.com/a:b@c"),
        ("GREETING", "Hello from Python!"),
    ],
)
def test_what_only_resembles_one(name, value):
    assert suspicion(name, value) is None


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("postgres://shop:pw@db.example/shop", "a URL with a password"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII", "a private key"),
        ("AKIA" + "A" * 16, "an access key of AWS"),
        ("ghp_" + "a" * 36, "a token of GitHub"),
        ("sk_live_" + "a" * 24, "a key of Stripe"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "a signed token (JWT)"),
    ],
)
def test_a_value_like_a_secret_whatever_its_name(value, what):
    assert suspicion("ADDRESS", value) == f"its value looks like {what}"


def test_an_error_on_edge_and_a_warning_elsewhere(write):
    files = {".env": "GREETING=hello\nSESSION_KEY=not-for-everybody\n"}
    [error] = found(write, files, on_edge=True)
    [warning] = found(write, files, on_edge=False)
    assert (error.rule, error.file, error.line, error.severity) == ("env-secret-on-edge", ".env", 2, "error")
    assert warning.severity == "warning"
    assert ".env.local" in error.hint


def test_no_message_has_the_value(write):
    [item] = found(write, {".env": "DATABASE=postgres://shop:hunter22@db.example/shop\n"})
    assert "hunter22" not in item.message + item.hint


def test_a_variable_of_the_settings_has_its_line(write):
    text = '[tool.packager.environment]\nvariables = { API_TOKEN = "abcdef" }\n'
    assert places(found(write, {"pyproject.toml": text})) == [("pyproject.toml", 2)]


def test_a_comment_with_a_reason_allows_it(write):
    allowed = "# packager: allow[env-secret-on-edge] every visitor gets it\n"
    assert found(write, {".env": f"{allowed}MAP_TOKEN=abcdef\n"}) == ()
    assert found(write, {".env": f"MAP_TOKEN=abcdef {allowed}"}) == ()
    text = f'[tool.packager.environment]\nvariables = {{ MAP_TOKEN = "abcdef" }} {allowed}'
    assert found(write, {"pyproject.toml": text, ".env": ""}) == ()


def test_a_comment_without_a_reason_or_of_another_line_does_not(write):
    bare = "# packager: allow[env-secret-on-edge]\nMAP_TOKEN=abcdef\n"
    assert places(found(write, {".env": bare})) == [(".env", 2)]
    other = "A=1 # packager: allow[env-secret-on-edge] another\nMAP_TOKEN=abcdef\n"
    assert places(found(write, {".env": other})) == [(".env", 2)]


def test_a_secret_that_is_a_variable_too_is_told_as_that(write):
    text = "[tool.packager.environment]\nsecrets = { API_TOKEN = 'ssm:/t' }\n"
    assert found(write, {"pyproject.toml": text, ".env": "API_TOKEN=abcdef\n"}) == ()


def test_a_stage_has_variables_of_its_own(write):
    text = (
        "[tool.packager.stages.default.environment]\nvariables = { API_TOKEN = 'abcdef' }\n"
        "[tool.packager.stages.prod.environment]\nvariables = { DB_PASSWORD = 'abcdef' }\n"
    )
    project = load(
        write({"app/route.py": "", "pyproject.toml": text, ".env.prod": "\nCLIENT_SECRET=abcdef\n"})
    )
    assert places(of_stage(project, "prod", on_edge=True)) == [
        (".env.prod", 2),
        ("pyproject.toml", 2),
        ("pyproject.toml", 4),
    ]
    assert places(of_stage(project, "dev", on_edge=True)) == [("pyproject.toml", 2)]
