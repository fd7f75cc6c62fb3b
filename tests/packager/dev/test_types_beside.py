import asyncio

from packager.console.api import Api
from packager.dev.types import TypesBeside


def project(root, more=""):
    (root / "app" / "x").mkdir(parents=True)
    (root / "pyproject.toml").write_text(f'[project]\nname = "x"\n{more}')
    (root / "app" / "x" / "route.py").write_text("def GET(): ...\n")
    return root


def told(root, *, asked, saves=(), out=None):
    """What is noted when these texts of the route are saved, one after the other; what is left of the saved names."""
    lines, left = [], []

    async def story():
        api = Api(root, lines.append)
        types = TypesBeside(root, out, api, asked=asked, note=lines.append)
        types.restart()
        for text in saves:
            await types.follower.settled()
            (root / "app" / "x" / "route.py").write_text(text)
            api.saved({"app/x/route.py"})
            types.restart()
        await types.follower.settled()
        left.extend(sorted(types.of_others(frozenset({"types/schema.ts", "app/x/route.py"}))))
        await types.close()

    asyncio.run(story())
    return lines, left


def test_files_are_written_in_one_line_and_their_saves_are_not_those_of_others(tmp_path):
    root = project(tmp_path)
    lines, left = told(root, asked=True)
    assert lines == [f"wrote openapi.json, schema.ts, client.ts into {root / 'types'}"]
    assert left == ["app/x/route.py"]


def test_nothing_is_written_that_nobody_has_asked_for(tmp_path):
    root = project(tmp_path)
    assert told(root, asked=False, saves=["def PUT(): ...\n"])[0] == []
    assert not (root / "types").exists()


def test_a_fault_is_one_line_and_the_next_save_is_written(tmp_path):
    root = project(tmp_path, '[tool.packager.types]\nout = "web"\n')
    saves = ["def GET(:\n", "def GET(:\n\n", "def PUT(): ...\n"]
    lines, _ = told(root, asked=False, saves=saves)
    assert [line.partition(":")[0].partition(" into")[0] for line in lines] == [
        "wrote openapi.json, schema.ts, client.ts",
        "the types are not written",
        "wrote openapi.json, schema.ts",
    ]
    assert "app/x/route.py:1" in lines[1]
