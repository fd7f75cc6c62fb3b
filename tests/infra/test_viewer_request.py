"""The viewer-request function as CloudFront gets it; what it does is in tests/js/viewer_request.test.mjs."""

from infra import edge_stack, policies
from infra.edge_stack import viewer_request_code
from runtimes.routing import HOST_HEADER, PATH_HEADER

LONGEST_HOST = "a" * 253


def test_it_is_as_small_as_cloudfront_demands() -> None:
    assert len(viewer_request_code(LONGEST_HOST).encode()) <= edge_stack.MAX_VIEWER_REQUEST


def test_the_origins_host_is_put_in_and_nothing_is_left_open() -> None:
    code = viewer_request_code("api.example.com")
    assert '"api.example.com"' in code
    assert "{{" not in code


def test_it_hands_on_the_headers_that_the_runtimes_read() -> None:
    code = viewer_request_code("h")
    assert f'headers["{PATH_HEADER}"] =' in code
    assert f'headers["{HOST_HEADER}"] =' in code


def test_the_header_by_which_it_tells_what_is_forged_is_one_that_cloudfront_adds() -> None:
    assert "cloudfront-viewer-header-order" in viewer_request_code("h")
    assert "CloudFront-Viewer-Header-Order" in policies.VIEWER_HEADERS
