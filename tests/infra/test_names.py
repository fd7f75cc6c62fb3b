import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.names import MAX_FUNCTION, MAX_STACK, alarm_name, function_name, log_group, slug, stack_name

TEXT = st.text(max_size=200)


def test_names_are_made_of_app_stage_and_part():
    assert stack_name("shop", "prod", "api") == "shop-prod-api"
    assert function_name("shop", "prod", "edge") == "shop-prod-edge"
    assert alarm_name("shop", "prod", "api", "5xx") == "shop-prod-api-5xx"
    assert log_group("shop-prod-api") == "/aws/lambda/shop-prod-api"


@pytest.mark.parametrize(
    ("given_", "expected"),
    [("feature/x-1", "feature-x-1"), ("a__b..c", "a-b-c"), ("-x-", "x"), ("übung", "bung"), ("…", "")],
)
def test_a_branch_becomes_a_name_with_hyphens(given_, expected):
    assert slug(given_) == expected


def test_a_name_begins_with_a_letter():
    assert stack_name("2048", "dev", "ops") == "app-2048-dev-ops"


def test_long_names_are_cut_and_stay_apart():
    first, second = (function_name("shop", "prod", f"{'x' * 80}-{end}") for end in ("a", "b"))
    assert len(first) == len(second) == MAX_FUNCTION
    assert first != second
    assert stack_name("s" * 200, "prod", "edge").endswith("-edge")


@given(TEXT, TEXT, TEXT)
def test_every_name_is_legal(app, stage, function):
    import re  # noqa: PLC0415

    for kind in ("api", "edge", "ops"):
        assert re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]*", name := stack_name(app, stage, kind))
        assert len(name) <= MAX_STACK
    assert re.fullmatch(r"[a-zA-Z0-9-_]+", name := function_name(app, stage, function))
    assert len(name) <= MAX_FUNCTION
