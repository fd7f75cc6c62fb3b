import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from packager.cli.preview import preview
from packager.errors import ToolError, UsageError


def test_busy_port_is_told_before_anything_is_built(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(preview, [str(tmp_path), "--port", port])
    assert isinstance(result.exception, ToolError)
    assert f"port {port} is in use" in result.exception.message
    assert "--port 0" in result.exception.hint
    assert list(tmp_path.iterdir()) == []


def test_port_that_is_none_is_wrong_usage() -> None:
    result = CliRunner().invoke(preview, [".", "--port", "70000"])
    assert result.exit_code == 2
    assert "0<=x<=65535" in result.output


@pytest.mark.parametrize("options", [("--stage", "dev"), ("--assembly", ".")])
def test_the_builds_own_routes_and_stacks_exclude_each_other(options: tuple[str, ...]) -> None:
    result = CliRunner().invoke(preview, [".", "--from", "manifest", *options])
    assert isinstance(result.exception, UsageError)
    assert "--from manifest" in result.exception.message


def test_what_cloudfront_does_not_know_of_viewers_is_wrong_usage() -> None:
    result = CliRunner().invoke(preview, [".", "--viewer", "planet=Mars"])
    assert isinstance(result.exception, UsageError)
