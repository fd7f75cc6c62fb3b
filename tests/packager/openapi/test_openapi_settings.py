import pytest

from packager.errors import ProjectError
from packager.openapi import settings


def test_files_go_to_the_folder_types_unless_the_project_says_otherwise(write):
    assert settings.read(write({"app/x": ""})).out.name == "types"
    root = write({"pyproject.toml": '[tool.packager.types]\nout = "web/api"\n'})
    found = settings.read(root)
    assert (found.out, found.configured) == (root / "web" / "api", True)


def test_a_scheme_is_openapis_own_and_guards_the_paths_it_names(write):
    root = write(
        {
            "pyproject.toml": '[tool.packager.types.security.token]\ntype = "http"\nscheme = "bearer"\n'
            'paths = ["/api/admin/:path*"]\n'
        }
    )
    (scheme,) = settings.read(root).security
    assert (scheme.name, scheme.value) == ("token", {"type": "http", "scheme": "bearer"})
    assert [bool(scheme.matchers[0].path.match(path)) for path in ("/api/admin/x", "/api")] == [True, False]


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ('[tool.packager.types]\nuot = "x"', 2, "[tool.packager.types] has no setting 'uot'"),
        (
            '[tool.packager.types.security.a]\ntype = "key"',
            2,
            "the security scheme a has no type that OpenAPI knows",
        ),
        ('[tool.packager.types.security.a]\ntype = "http"', 2, "the security scheme a does not say 'scheme'"),
        ('[tool.packager.types.security.a]\ntype = "mutualTLS"\npaths = ["x"]', 3, "paths: "),
    ],
)
def test_a_setting_that_cannot_be_is_an_error_with_its_line(write, lines, line, message):
    with pytest.raises(ProjectError) as raised:
        settings.read(write({"pyproject.toml": lines + "\n"}))
    assert raised.value.place == f"pyproject.toml:{line}"
    assert raised.value.message.startswith(message)
