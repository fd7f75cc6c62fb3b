from datetime import UTC, datetime, timedelta

import pytest
from manifests import manifest_of, route

from infra.manifest import Site, to_json
from packager.deploy import log_groups, log_query, logs
from packager.deploy.log_records import Request
from packager.errors import UsageError


@pytest.fixture
def built(tmp_path):
    rows = [route("/api/users/[id]", "api-users"), route("/api/users/me"), route("/", runtime="edge")]
    (tmp_path / "manifest.json").write_text(to_json(manifest_of(rows, site=Site(base_path="/shop"))))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "path", "function_name"),
    [
        ("/api/users/[id]", "/api/users/[id]", "api-users"),
        ("/api/users/7?full=1", "/api/users/[id]", "api-users"),
        ("/shop/api/users/7", "/api/users/[id]", "api-users"),
        ("/api/users/me", "/api/users/me", "api"),
        ("/shop", "/", "edge"),
    ],
)
def test_a_route_is_found_by_its_path_and_by_urls(built, name, path, function_name):
    found = log_query.route_named(built, name)
    assert (found.path, found.function) == (path, function_name)


@pytest.mark.parametrize("name", ["/api/nothing", "/api/users/%zz"])
def test_what_no_route_answers_is_told(built, name):
    with pytest.raises(UsageError, match="no route answers"):
        log_query.route_named(built, name)


def test_a_function_that_runs_leaves_a_record_of_each_request(shop):
    shop.deploy(api="one", files="two")
    assert shop.says("files") == "two"
    found = log_groups.find(shop.aws, "shop", shop.stage)
    assert [row.function for row in found.groups] == ["api", "files"]
    now = datetime.now(UTC)
    rows = list(logs.read(shop.aws, found.groups, now - timedelta(minutes=5), now + timedelta(minutes=1)))
    assert [(type(row), row.function, row.level) for row in rows] == [(Request, "files", "info")]
    assert rows[0].memory_mb == 512
