import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.literals import LiteralError, bindings, constants, evaluate


def value(text, name="x"):
    tree = ast.parse(text)
    names = constants(tree, bindings(tree))
    return evaluate(names[name], names)


def fault(text):
    with pytest.raises(LiteralError) as caught:
        value(text)
    return caught.value


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
LITERALS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(LITERALS)
def test_what_is_written_as_a_literal_is_read_back(literal):
    assert value(f"x = {literal!r}") == literal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('x = "a" "b"', "ab"),
        ("x = -5", -5),
        ("x = +2.5", 2.5),
        ("x = {1, 2}", {1, 2}),
        ("A = 1\nB = [A, A]\nx = {'k': B}", {"k": [1, 1]}),
        ('x: str = "edge"', "edge"),
        ("y = x = 3", 3),
    ],
)
def test_values(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('x = "a" + "b"', "computed"),
        ("x = f()", "`f()` is computed"),
        ('x = f"edge"', "computed"),
        ("x = [1, *y]", "computed"),
        ("x = {**y}", "**`y` is computed"),
        ("x = ...", "computed"),
        ("x = -True", "computed"),
        ("x = unknown", "'unknown' is not bound once"),
        ("y = 1\ny = 2\nx = y", "'y' is not bound once"),
        ("from lib import y\nx = y", "'y' is not bound once"),
        ("x = y\ny = 1", "used before it is bound"),
        ("x = x", "used before it is bound"),
        ("x = {[1]: 2}", "cannot be a key"),
        ("x = {[1]}", "cannot be a key"),
    ],
)
def test_what_is_not_a_literal_says_so(text, part):
    assert part in str(fault(text))


def test_a_fault_points_at_the_part():
    node = fault("x = [\n    1,\n    f(),\n]").node
    assert (node.lineno, node.col_offset) == (3, 4)


def test_names_that_hold_names_cannot_grow_without_end():
    lines = ["a0 = [0, 0]", *(f"a{n} = [a{n - 1}, a{n - 1}]" for n in range(1, 60)), "x = a59"]
    assert "more than" in str(fault("\n".join(lines)))


def test_a_long_chain_of_names_is_refused_not_a_crash():
    lines = ["a0 = 1", *(f"a{n} = a{n - 1}" for n in range(1, 3000)), "x = a2999"]
    assert "nested too deeply" in str(fault("\n".join(lines)))


@pytest.mark.parametrize(
    "text",
    [
        "if y:\n    x = 1",
        "x = 1\nx = 2",
        "x = 1\nx += 1",
        "x = 1\ndel x",
        "for x in y: pass",
        "with y as x: pass",
        "import x",
        "from y import z as x",
        "def x(): pass",
        "class x: pass",
        "x, y = 1, 2",
        "try: pass\nexcept E as x: pass",
        "match y:\n    case [x, *rest]: pass",
        "match y:\n    case {**x}: pass",
        "x = 1\n(x := 2)",
        "x = 1\n[(x := y) for y in z]",
        "x = 1\ndef f():\n    global x\n    x = 2",
        "x = 1\nfrom y import *",
        "x: int",
        "type x = int",
    ],
)
def test_names_that_are_not_constants(text):
    tree = ast.parse(text)
    assert "x" not in constants(tree, bindings(tree))
    assert "x" in bindings(tree) or text == "x: int"


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    x = 2",
        "class C:\n    x = 2",
        "y = lambda x: x",
        "[x for x in y]",
        "from y import *",
    ],
)
def test_other_scopes_and_earlier_stars_leave_a_constant_alone(text):
    assert value(f"{text}\nx = 1") == 1


def test_bindings_of_very_deep_code():
    # built and not parsed: Python 3.12 refuses to parse this, its successors do not
    value = ast.Constant(1)
    for _ in range(3000):
        value = ast.BinOp(value, ast.Add(), ast.Constant(1))
    assert "x" in bindings(ast.Module([ast.Assign([ast.Name("x", ast.Store())], value)], []))
