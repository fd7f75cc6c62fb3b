import pytest

from packager.preview.uri import normalised


@pytest.mark.parametrize(
    ("sent", "compared"),
    [
        (b"/api/hello", b"/api/hello"),
        (b"/api/%68ello", b"/api/hello"),
        (b"/a%2fb/%7E", b"/a%2Fb/~"),
        (b"/a/./b/../c", b"/a/c"),
        (b"/a/..", b"/"),
        (b"/a/.", b"/a/"),
        (b"/../../a", b"/a"),
        (b"/a/%2e%2e/b", b"/b"),
        (b"/a//b/", b"/a//b/"),
        (b"/%zz/\xff", b"/%zz/\xff"),
        (b"/.well-known/x", b"/.well-known/x"),
    ],
)
def test_paths_are_normalised_before_patterns_are_tried(sent: bytes, compared: bytes) -> None:
    assert normalised(sent) == compared
