import errno
import os
from pathlib import PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.manifest import Param
from packager.discover import SKIPPED, discover
from packager.project import load


def found(write, *files):
    root = write(dict.fromkeys(files, ""))
    return discover(load(root))


def rules(diagnostics):
    return [(item.rule, item.file) for item in diagnostics]


def test_routes_are_sorted_by_path_with_their_parameters(write):
    tree, diagnostics = found(
        write, "app/b/[[...rest]]/route.py", "app/a/[user-id]/x/[...way]/route.py", "app/route.py"
    )
    assert diagnostics == ()
    assert [(route.path, route.params) for route in tree.routes] == [
        ("/", ()),
        ("/a/[user-id]/x/[...way]", (Param("user-id", "single"), Param("way", "catch-all"))),
        ("/b/[[...rest]]", (Param("rest", "optional-catch-all"),)),
    ]


def test_groups_and_slots_are_not_in_the_url_and_private_folders_have_none(write):
    tree, diagnostics = found(
        write,
        "app/(shop)/cart/route.py",
        "app/@panel/x/route.py",
        "app/_lib/route.py",
        "app/%5Fx/a%5Fb/route.py",
        "app/(.)photo/route.py",
    )
    assert diagnostics == ()
    assert [route.path for route in tree.routes] == ["/(.)photo", "/_x/a_b", "/cart", "/x"]


def test_folders_of_tools_are_not_read(write):
    tree, _ = found(write, "app/node_modules/x/route.py", "app/.venv/route.py", "app/__pycache__/route.py")
    assert tree.routes == ()


@pytest.mark.parametrize(
    "folder",
    [
        *("a b", "é", "a?b", "a#b", "a\\b", "a\nb", "[id", "id]", "pre[id]", "[a][b]", "[[[a]]]"),
        *(
            "[é]",
            "[a b]",
            "[a.b]",
            "[[a]]",
            "[.x]",
            "[..a]",
            "[....a]",
            "[]",
            "[...]",
            "[[...]]",
            "[…a]",
            "[[…a]]",
        ),
    ],
)
def test_a_folder_that_no_url_can_mean(write, folder):
    tree, diagnostics = found(write, f"app/x/{folder}/route.py", "app/good/route.py")
    assert rules(diagnostics) == [("invalid-segment", f"app/x/{folder}/route.py")]
    assert [route.path for route in tree.routes] == ["/good"]


def test_the_three_dot_character_is_named_in_the_hint(write):
    _, diagnostics = found(write, "app/[…a]/route.py")
    assert "[...a]" in diagnostics[0].hint


def test_a_bad_folder_without_a_route_is_no_fault(write):
    assert found(write, "app/a b/notes.txt", "app/route.py")[1] == ()


@pytest.mark.parametrize("path", ["[a]/[a]", "[id]/x/[...id]", "[id]/(g)/[id]", "[a-b]/[ab]"])
def test_a_parameter_named_twice(write, path):
    tree, diagnostics = found(write, f"app/{path}/route.py")
    assert rules(diagnostics) == [("duplicate-param", f"app/{path}/route.py")]
    assert tree.routes == ()


@pytest.mark.parametrize("path", ["[...a]/b", "[[...a]]/b", "[...a]/[b]", "[...a]/(g)/b", "[...a]/[...b]"])
def test_something_after_a_catch_all(write, path):
    _, diagnostics = found(write, f"app/{path}/route.py")
    assert rules(diagnostics) == [("catch-all-not-last", f"app/{path}/route.py")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("(g1)/a", "(g2)/a"),
        ("@s/a", "a"),
        ("u/[id]", "u/[slug]/x"),
        ("u/[id]", "u/[slug]"),
        ("(x)/[id]", "(y)/[slug]/z"),
        ("c/[...a]", "c/[[...b]]"),
        ("c/[...a]", "c/[[...a]]"),
        ("c/[...a]", "c/[...b]"),
        ("u", "u/[[...a]]"),
        ("[x]", "[x]/[[...a]]"),
        ("[x]/a/[y]", "[z]/b"),
    ],
)
def test_two_routes_that_one_url_cannot_tell_apart_name_each_other(write, first, second):
    one, two = f"app/{first}/route.py", f"app/{second}/route.py"
    tree, diagnostics = found(write, one, two)
    assert [item.rule for item in diagnostics] == ["ambiguous-route"]
    assert diagnostics[0].file in (one, two)
    assert ({one, two} - {diagnostics[0].file}).pop() in diagnostics[0].message
    assert len(tree.routes) == 2


def test_the_root_and_its_optional_catch_all(write):
    _, diagnostics = found(write, "app/route.py", "app/[[...a]]/route.py")
    assert rules(diagnostics) == [("ambiguous-route", "app/[[...a]]/route.py")]


def test_what_priorities_decide_is_not_ambiguous(write):
    files = [
        "a/b",
        "a/[id]",
        "a/[id]/c",
        "a/[...rest]",
        "a/b/[...rest]",
        "c/[[...p]]",
        "c/d",
        "e/[id]/[x]",
        "e/f/[y]",
    ]
    assert found(write, *(f"app/{file}/route.py" for file in files))[1] == ()


def test_middleware_is_sorted_from_the_outermost_inwards(write):
    tree, _ = found(
        write,
        "app/route.py",
        "app/a/(g)/b/middleware.py",
        "app/a/middleware.py",
        "app/middleware.py",
        "app/_private/middleware.py",
        "middleware.py",
    )
    assert [(item.file, item.scope) for item in tree.middleware] == [
        ("middleware.py", "/"),
        ("app/middleware.py", "/"),
        ("app/a/middleware.py", "/a"),
        ("app/a/(g)/b/middleware.py", "/a/b"),
    ]


def test_middleware_lies_beside_the_tree_in_src(write):
    tree, diagnostics = found(write, "src/app/route.py", "src/middleware.py")
    assert [item.file for item in tree.middleware] == ["src/middleware.py"]
    assert diagnostics == ()


def test_middleware_that_guards_nothing_is_a_warning(write):
    tree, diagnostics = found(write, "src/app/route.py", "middleware.py")
    assert tree.middleware == ()
    assert [(item.rule, item.severity) for item in diagnostics] == [("invalid-config", "warning")]


def test_a_link_that_goes_in_a_circle_ends(write):
    root = write({"app/a/route.py": ""})
    (root / "app/a/again").symlink_to(root / "app")
    tree, diagnostics = discover(load(root))
    assert [route.path for route in tree.routes] == ["/a"]
    assert rules(diagnostics) == [("invalid-segment", "app/a/again")]


def test_links_between_two_folders_end(write):
    root = write({"app/a/route.py": "", "app/b/route.py": ""})
    (root / "app/a/to").symlink_to(root / "app/b")
    (root / "app/b/to").symlink_to(root / "app/a")
    tree, diagnostics = discover(load(root))
    assert [route.path for route in tree.routes] == ["/a", "/a/to", "/b", "/b/to"]
    assert {item.rule for item in diagnostics} == {"invalid-segment"}


def test_a_linked_folder_is_read_under_both_names(write):
    root = write({"app/v1/x/route.py": ""})
    (root / "app/v2").symlink_to(root / "app/v1")
    assert [route.path for route in discover(load(root))[0].routes] == ["/v1/x", "/v2/x"]


def test_links_that_lead_nowhere_or_to_themselves_are_passed_over(write):
    root = write({"app/route.py": ""})
    (root / "app/gone").symlink_to(root / "nowhere")
    (root / "app/self").symlink_to("self")
    tree, _ = discover(load(root))
    assert [route.path for route in tree.routes] == ["/"]


def test_a_folder_that_cannot_be_read(write, monkeypatch):
    root = write({"app/closed/route.py": "", "app/open/route.py": ""})
    project = load(root)
    scan = os.scandir

    def refuse(folder):
        if folder == root / "app/closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return scan(folder)

    monkeypatch.setattr("os.scandir", refuse)
    tree, diagnostics = discover(project)
    assert [route.path for route in tree.routes] == ["/open"]
    assert rules(diagnostics) == [("invalid-segment", "app/closed")]


def test_a_folder_named_like_a_route_file_is_a_folder(write):
    assert [route.path for route in found(write, "app/route.py/route.py")[0].routes] == ["/route.py"]


ODD = st.one_of(
    st.sampled_from(
        ["[id]", "[a]", "[...a]", "[[...b]]", "(g)", "@s", "_p", "%5F", "%5Fx", "...", "[[", "]]", "()"]
    ),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=6),
).filter(lambda name: name not in (".", "..", "route.py", "middleware.py") and name not in SKIPPED)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(ODD, max_size=4), max_size=5))
def test_every_route_file_has_a_url_or_a_diagnostic(tmp_path_factory, paths):
    root = tmp_path_factory.mktemp("odd")
    (root / "app").mkdir()
    files = set()
    for parts in paths:
        folder = root / "app" / PurePosixPath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "route.py").touch()
        if not any(part.startswith("_") for part in parts):
            files.add((folder / "route.py").relative_to(root).as_posix())
    tree, diagnostics = discover(load(root))
    assert files == {route.file for route in tree.routes} | {
        item.file for item in diagnostics if item.rule != "ambiguous-route"
    }
