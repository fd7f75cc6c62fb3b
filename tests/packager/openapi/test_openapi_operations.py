import pytest

from packager.errors import DiagnosticsError
from packager.openapi import operations
from packager.project import load


def read(folder):
    return operations.read(load(folder))


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("def GET(): ...", False),
        ("def GET(request, params: dict[str, str]): ...", False),
        ("async def GET(request: Request) -> Response: ...", False),
        ("def GET(query): ...", True),
        ("def GET(*, body: int): ...", True),
        ("def GET(params: Params): ...", True),
        ("def GET(*, params): ...", True),
        ("def GET() -> list[int]: ...", True),
        ("from lib.handlers import GET", True),
        ("GET = made()", True),
        ("def GET(): ...\nGET = wrapped(GET)", True),
    ],
)
def test_only_files_that_may_have_typed_handlers_are_to_be_imported(write, text, typed):
    folder = write({"app/api/x/route.py": text + "\n"})
    assert read(folder).typed == (("app/api/x/route.py",) if typed else ())


def test_ids_are_unique_and_stable(write):
    get = "def GET(): ...\n"
    folder = write({"app/a/b/route.py": get, "app/a-b/route.py": get, "app/a/[b]/route.py": get})
    rows = read(folder).rows
    assert [(row.path, row.id) for row in rows] == [
        ("/a-b", "get_a_b"),
        ("/a/b", "get_a_b_2"),
        ("/a/{b}", "get_a_b_3"),
    ]


def test_what_ends_a_request_is_found_by_the_name_it_has_in_the_module(write):
    text = """
from runtimes import not_found as gone, redirect
from lib import forbidden

def GET():
    gone() if 1 else forbidden()

def POST():
    redirect("/")
"""
    rows = {row.method: row for row in read(write({"app/x/route.py": text})).rows}
    assert (rows["GET"].ends, rows["POST"].ends) == ((404,), (307,))


def test_cookies_that_are_set_by_name_are_told(write):
    text = """
from runtimes import cookies

def GET(request):
    cookies().set("b", "1")
    response.cookies.set("a", "1")
    response.cookies.set(name, "1")
"""
    assert read(write({"app/x/route.py": text})).rows[0].cookies == ("a", "b")


def test_an_error_in_the_tree_is_told_as_check_tells_it(write):
    with pytest.raises(DiagnosticsError) as raised:
        read(write({"app/x/route.py": "def GET(:\n"}))
    assert raised.value.diagnostics[0].rule == "syntax-error"
