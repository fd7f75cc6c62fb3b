import json
import subprocess
from dataclasses import replace

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from packager import node
from packager.errors import DiagnosticsError, ProjectError
from packager.openapi import generate
from packager.openapi.generate import stale, write

PYDANTIC = '[project]\nname = "x"\nversion = "1"\ndependencies = ["pydantic>=2.9"]\n'

ASK = """
import { createApi } from "./client.ts";
const asked = [];
const fetch = (request) => {
  asked.push(request.url);
  return Promise.resolve(Response.json({}));
};
const api = createApi({ fetch });
await api.GET("/api/files/{path}", { params: { path: { path: "a b/c?d/é" } } });
await api.GET("/api/docs/{slug}", { params: { path: { slug: "{path}/$&" } } });
await api.GET("/api/orders/{id}", { params: { path: { id: "1/2" } } });
await api.GET("/api/orders", { params: { query: { page: 2, tag: ["x", "y"] } } });
console.log(JSON.stringify(asked));
"""


def test_files_are_written_once_and_are_stale_when_the_routes_say_something_else(shop, tmp_path):
    generated = replace(shop.generated, out=tmp_path / "web" / "api")
    assert [item.missing for item in stale(generated)] == [True, True, True]
    assert write(generated) == ("openapi.json", "schema.ts", "client.ts")
    assert write(generated) == ()
    text = generated.files["client.ts"]
    changed = replace(generated, files={**generated.files, "client.ts": text.replace("/v1", "/v2")})
    (found,) = stale(changed)
    assert (found.name, found.missing) == ("client.ts", False)
    assert any(line.startswith("+") and "/v2" in line for line in found.diff)


def test_the_schema_module_exports_paths_and_files_are_blobs(shop):
    schema = shop.generated.files["schema.ts"]
    assert "export interface paths {" in schema
    assert '"image/png": Blob;' in schema
    # what has a default may be left out of a request, and is in every answer
    assert "tags?: string[];" in schema
    assert "tags: string[];" in schema


def test_the_client_reaches_the_url_that_the_route_wants(shop, tmp_path):
    write(replace(shop.generated, out=tmp_path))
    # stands for openapi-fetch, whose own way with paths and queries the front end's test has
    module = tmp_path / "node_modules" / "openapi-fetch"
    module.mkdir(parents=True)
    (module / "package.json").write_text('{"type": "module", "exports": "./index.js"}')
    (module / "index.js").write_text(
        "export const defaultPathSerializer = (path, params) =>\n"
        "  path.replace(/{(\\w+)}/g, (_, name) => encodeURIComponent(params[name]));\n"
        "export default ({ baseUrl, pathSerializer, fetch }) => ({ GET: (path, { params }) =>\n"
        "  fetch({ url: params.path ? pathSerializer(baseUrl + path, params.path) : baseUrl + path }) });\n"
    )
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "ask.ts").write_text(ASK)
    done = subprocess.run(
        [str(node.node()), "ask.ts"], cwd=tmp_path, env={}, capture_output=True, text=True, check=True
    )
    base = "https://api.example.com/v1/api"
    assert json.loads(done.stdout) == [
        f"{base}/files/a%20b/c%3Fd/%C3%A9",
        f"{base}/docs/%7Bpath%7D/%24%26",
        f"{base}/orders/1%2F2",
        f"{base}/orders",
    ]


def test_a_route_that_cannot_be_imported_is_told_with_file_line_and_steps(write):
    folder = write(
        {
            "pyproject.toml": PYDANTIC,
            "app/api/x/route.py": "from lib.a import Body\n\ndef POST(body: Body): ...\n",
            "app/api/y/route.py": "def GET(*, query: Later): ...\n",
            "lib/a.py": "import os\nBody = os.environ['SECRET']\n",
        }
    )
    with pytest.raises(DiagnosticsError) as raised:
        generate.describe_project(folder, print)
    first, second = raised.value.diagnostics
    assert (first.rule, first.file, first.line) == ("import-failed", "lib/a.py", 2)
    assert first.chain == (
        "app/api/x/route.py:1 from lib.a import Body",
        "lib/a.py:2 Body = os.environ['SECRET']",
    )
    assert "KeyError: 'SECRET'" in first.message
    assert (second.file, second.line) == ("app/api/y/route.py", 1)
    assert "Later" in second.message


def test_a_route_whose_import_ends_the_process_is_named(write):
    folder = write(
        {
            "pyproject.toml": PYDANTIC,
            "app/api/x/route.py": "def POST(*, body: int): ...\n",
            "app/api/y/route.py": "import os\nos._exit(7)\ndef POST(*, body: int): ...\n",
        }
    )
    with pytest.raises(ProjectError, match="ended with status 7") as raised:
        generate.describe_project(folder, print)
    assert raised.value.place == "app/api/y/route.py"


def test_what_cannot_be_described_is_told_where_the_handler_is(write):
    folder = write(
        {
            "pyproject.toml": PYDANTIC,
            "app/api/x/route.py": "from typing import Callable\n\ndef POST(*, body: Callable[[], int]): ...\n",
            "app/api/y/route.py": "class E(Exception):\n    __str__ = None\n\nraise E\ndef POST(*, body: int): ...\n",
        }
    )
    with pytest.raises(DiagnosticsError) as raised:
        generate.describe_project(folder, print)
    first, second = raised.value.diagnostics
    assert (first.file, first.line) == ("app/api/x/route.py", 3)
    assert first.chain == ("app/api/x/route.py:3 def POST(*, body: Callable[[], int]): ...",)
    assert "CallableSchema" in first.message
    assert (second.file, second.line, second.message) == (
        "app/api/y/route.py",
        4,
        "the types cannot be read: E",
    )


def test_a_project_without_typed_handlers_is_described_without_an_import(write):
    folder = write(
        {
            "pyproject.toml": '[project]\nname = "x"\n[tool.packager]\ntrailing_slash = true\n',
            "app/api/x/[id]/route.py": "raise SystemExit\ndef GET(request, params): ...\n",
        }
    )
    document = generate.describe_project(folder, print).document
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert list(document["paths"]) == ["/api/x/{id}/"]
    assert document["servers"] == [{"url": "/"}]
