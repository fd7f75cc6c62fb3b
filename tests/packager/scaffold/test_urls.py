import pytest

from packager.scaffold.urls import UrlParam, refusal, unified


def test_patterns_become_folders():
    found = unified(["/", "/users/{id}/posts", "/files/{path:path}"])
    assert [row.segments for row in found.values()] == [
        (),
        ("users", "[id]", "posts"),
        ("files", "[...path]"),
    ]
    assert found["/files/{path:path}"].params == (UrlParam("path", "path", rest=True),)


def test_parameters_of_one_folder_share_the_first_name():
    found = unified(["/users/{id}", "/users/{user_id}/posts/{id}", "/{shop}/{id}"])
    assert found["/users/{user_id}/posts/{id}"].segments == ("users", "[id]", "posts", "[id]")
    assert found["/users/{user_id}/posts/{id}"].params[0] == UrlParam("user_id", "id", rest=False)


@pytest.mark.parametrize("pattern", ["/a-{b}", "/{a}.{b}", "/{p:path}/x", "/{n:int}", "/a b"])
def test_what_no_folder_can_be_is_refused_with_a_reason(pattern):
    assert refusal(pattern)
    assert unified([pattern]) == {}
