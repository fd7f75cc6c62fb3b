"""The types of the routes reach a front end, and the served app keeps what they promise.

`sample_app/web` is type-checked and built with what `packager types` writes, runs in a real browser on another origin
than the API behind `preview`, and schemathesis asks that API whatever the document allows, and forbids.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import chromium
import pytest
from front_end import packages, tsc
from serving import run, serving

from packager import node

pytestmark = pytest.mark.e2e

SAMPLE = Path(__file__).parents[2] / "sample_app"
ORIGIN = "http://localhost:5173"
SCHEMATHESIS = ("-m", "schemathesis.cli", "run", "--seed", "1", "--max-examples", "8", "--no-color")
BOUNDS = ("--phases", "coverage,fuzzing", "--generation-database", "none")

PROBE = """(async () => {
const shown = (selector) => document.querySelector(selector).textContent;
const until = async (holds) => {
  for (let tries = 0; tries < 200 && !holds(); tries++) await new Promise((done) => setTimeout(done, 50));
};
await until(() => shown("#shipping"));
document.querySelector("form button").click();
await until(() => shown("[role=status]"));
const written = shown("[role=status]");
const listed = shown("li");
document.querySelector("[name=tags]").value = "a,b,c,d,e,f";
document.querySelector("form button").click();
await until(() => shown("[role=status]") !== written);
const refused = shown("[role=status]");
document.querySelector("li button").click();
await until(() => !document.querySelector("li"));
return { written, listed, refused, gone: shown("[role=status]"), shipping: shown("#shipping") };
})()"""


def built(web):
    words = ["src/main.ts", "--bundle", "--format=esm", "--outfile=dist/main.js", "--log-level=error"]
    command = [str(node.node()), "node_modules/esbuild/bin/esbuild", *words]
    subprocess.run(command, cwd=web, env={}, check=True)
    return (web / "dist" / "main.js").read_bytes()


def refused(web, right, wrong):
    """What the compiler says to the front end with a mistake in it."""
    main = web / "src" / "main.ts"
    text = main.read_text()
    assert right in text
    main.write_text(text.replace(right, wrong))
    done = tsc(web)
    main.write_text(text)
    assert done.returncode != 0
    return done.stdout


def schemathesis(server, document, *options):
    command = [sys.executable, *SCHEMATHESIS, *BOUNDS, str(document), "--url", server.url, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_front_end_shares_the_types_of_the_routes_and_the_served_app_keeps_them(tmp_path):
    with chromium.site() as site:
        origin = f"http://localhost:{site.server_port}"
        project = copied(tmp_path, origin)
        web = project / "web"
        done = run("types", project)
        assert done.returncode == 0, done.stderr
        assert run("types", project, "--check").returncode == 0
        packages(web)
        checked = tsc(web)
        assert checked.returncode == 0, checked.stdout
        assert "'txt' does not exist in type" in refused(web, "{ text, tags }", "{ txt: text, tags }")
        assert "Property 'title' does not exist" in refused(web, "note.text", "note.title")
        assert "is not assignable to type 'number'" in refused(web, "path: { id }", 'path: { id: "7" }')
        site.files["/dist/main.js"] = built(web)
        with serving(project) as server:
            page = (web / "index.html").read_text().replace("http://127.0.0.1:3000", server.url)
            site.files["/"] = page.encode()
            if chromium.CHROMIUM:
                with chromium.chromium(tmp_path / "profile") as tab:
                    tab.open(f"{origin}/")
                    shows_what_the_api_answers(tab.run(PROBE))
            keeps_its_word(server, web / "src" / "api" / "openapi.json")


def copied(tmp_path, origin):
    """The sample, whose API lets pages of `origin` call it."""
    project = tmp_path / "sample_app"
    ignored = shutil.ignore_patterns(
        ".packager", ".env.local", "__pycache__", "node_modules", "dist", "src/api"
    )
    shutil.copytree(SAMPLE, project, ignore=ignored)
    shutil.rmtree(project / "web" / "src" / "api", ignore_errors=True)
    (project / ".env.local").write_text(f"DATABASE_URL=sqlite:///{tmp_path / 'sample.db'}\n")
    for route in (project / "app").rglob("route.py"):
        route.write_text(route.read_text().replace(ORIGIN, origin))
    return project


def shows_what_the_api_answers(found):
    assert found == {
        "written": "written down: note 1",
        "listed": "Buy strings (shop, violin) Delete",
        "refused": "body.tags: List should have at most 5 items after validation, not 6",
        "gone": "gone",
        "shipping": "10.25 EUR",
    }


def keeps_its_word(server, document):
    """Typed operations in full; the others as far as a document without their types can promise.

    TRACE is no method of Next's: it is answered with 400, where schemathesis wants 405.
    """
    assert server.ask("GET", "/_packager/api/openapi.json").status == 200
    typed = ("--include-tag", "notes", "--include-tag", "shipping")
    schemathesis(server, document, *typed, "--exclude-checks", "unsupported_method")
    checks = "not_a_server_error,status_code_conformance,response_schema_conformance"
    schemathesis(server, document, "--checks", checks)
