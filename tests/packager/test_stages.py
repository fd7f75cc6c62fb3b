import pytest

from infra.stage import Alarms, ApiDomain, Canary, Domain, Permission, Stage, Throttle
from packager.errors import DiagnosticsError, ProjectError, UsageError
from packager.project import load
from packager.stages import local, names, read

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1f-2e"
LOCAL_CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/1f-2e"


@pytest.fixture(autouse=True)
def no_region(monkeypatch):
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)


@pytest.fixture
def stage(write):
    def read_stage(text, name="prod", **files):
        return read(load(write({"app/route.py": "", "pyproject.toml": text, **files})), name)

    return read_stage


def test_a_stage_that_no_settings_name_is_a_preview_with_defaults(stage):
    assert stage("", "feature/x-1") == Stage("feature-x-1")


def test_all_settings_of_a_stage(stage):
    found = stage(f"""
[tool.packager.stages.prod]
region = "eu-central-1"
cdn = true
waf = true
waf_rate = 500
log_days = 90
retain = true
concurrency = 20
keep_releases = 25
tracing = false
termination_protection = true
canary = "10%,15m"
permissions_boundary = "arn:aws:iam::123456789012:policy/team"
account = "123456789012"
tags = {{ team = "shop" }}
domain = {{ name = "shop.example.com", certificate = "{CERTIFICATE}", zone_id = "Z123" }}
api_domain = {{ name = "api.example.com", certificate = "{LOCAL_CERTIFICATE}" }}
[tool.packager.stages.prod.environment]
variables = {{ API = "https://prod.example" }}
[tool.packager.stages.prod.throttle]
rate = 50
burst = 100
[tool.packager.stages.prod.alarms]
email = "ops@example.com"
errors = 5
p95 = 0.5
[[tool.packager.stages.prod.permissions]]
actions = ["dynamodb:GetItem"]
resources = ["arn:aws:dynamodb:*:*:table/shop-{{stage}}"]
functions = ["api"]
""")
    assert found == Stage(
        name="prod",
        region="eu-central-1",
        variables={"API": "https://prod.example"},
        domain=Domain("shop.example.com", CERTIFICATE, "Z123"),
        api_domain=ApiDomain("api.example.com", LOCAL_CERTIFICATE),
        waf=True,
        waf_rate=500,
        log_days=90,
        retain=True,
        concurrency=20,
        keep_releases=25,
        throttle=Throttle(50, 100),
        alarms=Alarms("ops@example.com", errors=5, p95=0.5),
        canary=Canary(10, 15),
        tracing=False,
        termination_protection=True,
        permissions=(Permission(("dynamodb:GetItem",), ("arn:aws:dynamodb:*:*:table/shop-prod",), ("api",)),),
        permissions_boundary="arn:aws:iam::123456789012:policy/team",
        account="123456789012",
        tags={"team": "shop"},
    )


def test_the_default_table_holds_for_every_stage_and_its_own_lies_over_it(stage):
    found = stage("""
[tool.packager.stages.default]
region = "eu-central-1"
log_days = 7
canary = "10%,5m"
tags = { team = "shop", tier = "low" }
throttle = { rate = 5, burst = 6 }
permissions = [{ actions = ["s3:GetObject"], resources = ["*"] }]
[tool.packager.stages.prod]
log_days = 365
canary = false
tags = { tier = "high" }
throttle = { rate = 100 }
permissions = [{ actions = ["s3:PutObject"], resources = ["*"] }]
""")
    assert (found.region, found.log_days, found.canary) == ("eu-central-1", 365, None)
    assert found.tags == {"team": "shop", "tier": "high"}
    assert found.throttle == Throttle(100, 6)
    assert [row.actions for row in found.permissions] == [("s3:GetObject",), ("s3:PutObject",)]


def test_a_stage_named_after_a_branch_has_settings_and_a_file_by_its_deployed_name(stage):
    text = '[tool.packager.stages."feature/x"]\nlog_days = 3\n'
    files = {".env.feature-x": "A1=branch\n"}
    assert stage(text, "feature/x", **files) == stage(text, "feature-x", **files)
    assert stage(text, "feature/x", **files).variables == {"A1": "branch"}


def test_a_domain_may_hold_the_name_of_the_stage(stage):
    text = f"""
[tool.packager.stages.default]
domain = {{ name = "{{stage}}.example.com", certificate = "{CERTIFICATE}" }}
"""
    domain = stage(text, "feature/x").domain
    assert domain is not None
    assert domain.name == "feature-x.example.com"


def test_the_stages_own_file_wins_over_the_settings_and_local_files_never_count(stage):
    found = stage(
        "[tool.packager.stages.prod.environment]\nvariables = { A1 = 'settings', B1 = 'settings' }\n",
        **{".env.prod": "A1=file\n", ".env.prod.local": "A1=local\n", ".env.local": "A1=local\n"},
    )
    assert found.variables == {"A1": "file", "B1": "settings"}


def test_an_underscore_stays_in_the_name_of_the_file(stage):
    assert stage("", "my_stage", **{".env.my_stage": "A1=x\n"}).variables == {"A1": "x"}


def test_faults_in_the_stages_file_are_diagnostics(stage):
    with pytest.raises(DiagnosticsError) as caught:
        stage(
            "[tool.packager.environment]\nsecrets = { KEY = 'ssm:/k' }\n",
            **{".env.prod": "A1=x\nAWS_REGION=x\nno line\nKEY=plain\n"},
        )
    found = [(item.rule, item.file, item.line) for item in caught.value.diagnostics]
    assert found == [
        ("env-name", ".env.prod", 2),
        ("invalid-config", ".env.prod", 3),
        ("env-name", ".env.prod", 4),
    ]


def test_the_region_is_that_of_the_settings_then_of_the_environment(stage, monkeypatch):
    assert stage("").region == "us-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert stage("").region == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert stage("").region == "eu-west-2"
    assert stage("[tool.packager.stages.prod]\nregion = 'eu-west-3'\n").region == "eu-west-3"


def test_an_unknown_region_in_the_environment_is_wrong_usage(stage, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-centrall-1")
    with pytest.raises(UsageError, match="AWS_REGION names an unknown region") as caught:
        stage("")
    assert "eu-central-1" in caught.value.hint


@pytest.mark.parametrize("name", ["default", "local", "", "/", "-", "日本"])
def test_names_that_no_stage_can_have(stage, name):
    with pytest.raises(UsageError, match="cannot be called"):
        stage("", name)


def test_the_stages_of_the_settings_are_named_without_the_default(write):
    text = "[tool.packager.stages.default]\n[tool.packager.stages.dev]\n[tool.packager.stages.prod]\n"
    assert names(load(write({"app/route.py": "", "pyproject.toml": text}))) == ("dev", "prod")


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("regoin = 'x'", 3, "no setting 'regoin'", "'region'"),
        ("region = 'eu-centrall-1'", 3, "'eu-centrall-1' is not known", "'eu-central-1'"),
        ("region = 3", 3, "region must be a text", "quotes"),
        ("cdn = 'no'", 3, "cdn must be true or false", "true"),
        ("log_days = 31", 3, "no retention period", "30"),
        ("keep_releases = 51", 3, "keep_releases", "50"),
        ("log_days = true", 3, "no retention period", "30"),
        ("concurrency = 0", 3, "concurrency = 0", "from 1"),
        ("concurrency = 1.5", 3, "concurrency = 1.5", "whole number"),
        ("waf_rate = 9", 3, "waf_rate = 9", "from 10"),
        ("canary = '100%,5m'", 3, "no canary '100%,5m'", '"10%,5m"'),
        ("canary = '10'", 3, "no canary '10'", "1 to 99 %"),
        ("canary = true", 3, "no canary True", "false"),
        ("throttle = 5", 3, "must be a table", "throttle]"),
        ("throttle = { rats = 5 }", 3, "no setting 'rats'", "'rate'"),
        ("throttle = { rate = '5' }", 3, "rate = '5'", "whole number"),
        ("alarms = { p95 = 2 }", 3, "p95 = 2", "to 1"),
        ("alarms = { email = 'ops' }", 3, "email = 'ops'", "ops@example.com"),
        ("domain = { name = 'https://x.example' }", 3, "name = 'https://x.example'", "host alone"),
        ("domain = { name = 'x.example' }", 3, "domain has no certificate", "arn:"),
        ("domain = { name = 'x.example', certificate = 'x' }", 3, "certificate = 'x'", "ACM"),
        ("account = '1234'", 3, "account = '1234'", "twelve digits"),
        ("permissions_boundary = 'x'", 3, "permissions_boundary = 'x'", "policy/"),
        ("tags = { 'aws:x' = 'y' }", 3, "reserved", "another name"),
        ("tags = { x = 1 }", 3, "x must be a text", "quotes"),
        ("permissions = {}", 3, "must be a list of statements", "actions"),
        ("permissions = [{ actions = ['s3:GetObject'] }]", 3, "needs actions and resources", "arn:"),
        ("permissions = [{ actions = ['*'], resources = ['*'] }]", 3, "'*' is no action", "s3:GetObject"),
        ("permissions = [{ actions = ['s3:*'], resources = ['bucket'] }]", 3, "no resource", "ARN"),
        ("permissions = [{ action = ['s3:*'], resources = ['*'] }]", 3, "no setting 'action'", "'actions'"),
        ("environment = { variables = { AWS_X = '1' } }", 3, "AWS Lambda reserves", "another name"),
        ("environment = { secrets = {} }", 3, "no setting 'secrets'", "variables"),
        ("environment = { variables = { A1 = 1 } }", 3, "A1 must be a text", "quotes"),
    ],
)
def test_a_bad_setting_is_named_with_its_line_whenever_the_project_is_read(write, text, line, message, hint):
    root = write({"app/route.py": "", "pyproject.toml": f"\n[tool.packager.stages.prod]\n{text}\n"})
    with pytest.raises(ProjectError) as caught:
        load(root)
    assert caught.value.place == f"pyproject.toml:{line}"
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_bad_statement_in_a_table_of_its_own_has_its_line(write):
    text = "\n\n[[tool.packager.stages.prod.permissions]]\nactions = ['x']\nresources = ['*']\n"
    with pytest.raises(ProjectError) as caught:
        load(write({"app/route.py": "", "pyproject.toml": text}))
    assert caught.value.place == "pyproject.toml:4"


def test_two_tables_that_are_deployed_under_one_name(write):
    text = '[tool.packager.stages."feature/x"]\n[tool.packager.stages.feature-x]\n'
    with pytest.raises(ProjectError, match="are one") as caught:
        load(write({"app/route.py": "", "pyproject.toml": text}))
    assert caught.value.place == "pyproject.toml:2"


def test_a_stage_that_is_no_table(write):
    with pytest.raises(ProjectError, match="must be a table"):
        load(write({"app/route.py": "", "pyproject.toml": "[tool.packager.stages]\nprod = 1\n"}))


def test_where_web_functions_have_their_code_and_run(stage):
    found = stage("[tool.packager.stages.prod]\ncode_bucket = 'shop-code'\nedge_regions = ['eu-west-1']\n")
    assert (found.code_bucket, found.edge_regions) == ("shop-code", ("eu-west-1",))


@pytest.mark.parametrize("line", ["code_bucket = 'Shop_Code'", "edge_regions = ['eu-west-9']"])
def test_a_bucket_or_region_that_cannot_be(stage, line):
    with pytest.raises(ProjectError) as caught:
        stage(f"[tool.packager.stages.prod]\n{line}\n")
    assert caught.value.place == "pyproject.toml:2"


def test_the_stage_of_this_machine_has_what_decides_how_requests_are_answered(write):
    text = """
[tool.packager.stages.default]
region = "eu-west-1"
concurrency = 7
waf = true
cdn = false
environment = { variables = { A1 = "x" } }
"""
    assert local(load(write({"app/route.py": "", "pyproject.toml": text}))) == Stage(
        "local", cdn=False, concurrency=7, variables={"A1": "x"}, code_bucket="packager-local"
    )
