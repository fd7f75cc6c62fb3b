import socket
from pathlib import Path

from click.testing import CliRunner

from packager.cli.preview import preview
from packager.errors import ToolError


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
