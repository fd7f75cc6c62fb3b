import json
import os
import signal
import subprocess

from serving import PACKAGER

GET = "def GET(request):\n    ...\n"


def project(write):
    return write({"pyproject.toml": '[project]\nname = "x"\n', "app/api/x/route.py": GET})


def test_types_writes_the_document_and_two_modules_and_check_tells_what_is_stale(packager, write):
    folder = project(write)
    missing = packager("types", folder, "--check")
    assert missing.status == 1
    assert "openapi.json is missing" in missing.err
    done = packager("types", folder)
    assert done.status == 0
    assert sorted(path.name for path in (folder / "types").iterdir()) == [
        "client.ts",
        "openapi.json",
        "schema.ts",
    ]
    assert packager("types", folder, "--check").status == 0
    (folder / "app" / "api" / "x" / "route.py").write_text(f"{GET}\n\ndef QUERY(): ...\n\n\ndef PUT(): ...\n")
    stale = packager("types", folder, "--check", "--json")
    assert stale.status == 1
    assert {row["file"].rpartition("/")[2] for row in json.loads(stale.out)["stale"]} == {
        "openapi.json",
        "schema.ts",
    }
    again = packager("types", folder, "--out", folder / "elsewhere", "--json")
    assert json.loads(again.out)["left_out"] == ["QUERY /api/x"]
    assert "OpenAPI 3.1 has no operation for QUERY /api/x" in again.err


def test_watch_is_not_for_scripts(packager, write):
    assert packager("types", project(write), "--watch", "--check").status == 2


def test_watch_writes_again_with_every_save_and_survives_faults(write):
    folder = project(write)
    route = folder / "app" / "api" / "x" / "route.py"
    process = subprocess.Popen(
        [*PACKAGER, "types", str(folder), "--watch"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert next(line for line in lines if "client.ts" in line).startswith("wrote ")
        route.write_text("def GET(:\n")
        assert next(line for line in lines if "syntax-error" in line)
        route.write_text(f"{GET}\n\ndef PUT(): ...\n")
        assert next(line for line in lines if "openapi.json" in line).startswith("wrote ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        process.stderr.close()
    finally:
        process.kill()
        process.wait()
