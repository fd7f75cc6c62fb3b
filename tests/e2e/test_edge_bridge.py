"""What the bridge must get right in a real worker: growing memory, large bodies, requests side by side."""

import json
import threading
from collections.abc import Iterator

import pytest
from serving import Answer, Server, serving

pytestmark = pytest.mark.e2e

ROUTES = {
    "grow": """
from runtimes import Request, Response

runtime = "edge"
kept = []

async def POST(request: Request):
    kept.append(bytearray(24 * 2**20))
    return Response(await request.body(), headers={"x-kept": str(len(kept))})
""",
    "echo": """
from runtimes import Request, Response

runtime = "edge"

async def POST(request: Request):
    return Response(await request.body())
""",
    "together": """
import asyncio
from runtimes import Request, after, cookies, headers

runtime = "edge"
done = []

async def GET(request: Request):
    name = request.query_params["name"]
    cookies().set("name", name)
    after(lambda: done.append((name, headers()["x-name"])))
    for _ in range(5):
        await asyncio.sleep(0)
        if headers()["x-name"] != name or cookies().get("name").value != name:
            return {"mixed": name}
    return {"name": name}

async def DELETE():
    return done
""",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = tmp_path_factory.mktemp("bridge") / "project"
    files = {
        "pyproject.toml": '[project]\nname = "bridge"\nversion = "1"\nrequires-python = ">=3.12"\n',
        **{f"app/api/{name}/route.py": source for name, source in ROUTES.items()},
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    with serving(project) as running:
        yield running


def test_answers_survive_the_growth_of_pythons_memory(server: Server) -> None:
    for turn in range(1, 4):
        body = str(turn).encode() * 100
        answer = server.ask("POST", "/api/grow", {}, body)
        assert (answer.body, answer.header("x-kept")) == (body, str(turn))


@pytest.mark.parametrize("size", [0, 1, 60_000, 65_536, 70_000, 1_000_000])
def test_bodies_of_every_size_cross_unchanged(server: Server, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert server.ask("POST", "/api/echo", {"content-type": "x/y"}, body).body == body


def test_requests_that_wait_side_by_side_keep_what_is_theirs(server: Server) -> None:
    answers: dict[str, Answer] = {}

    def ask(name: str) -> None:
        answers[name] = server.ask("GET", f"/api/together?name={name}", {"x-name": name})

    threads = [threading.Thread(target=ask, args=(str(number),)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, answer in answers.items():
        assert (json.loads(answer.body), answer.header("set-cookie")) == (
            {"name": name},
            f"name={name}; Path=/",
        )
    done = json.loads(server.ask("DELETE", "/api/together").body)
    assert sorted(done) == sorted([name, name] for name in answers)
