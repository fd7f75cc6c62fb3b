import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from packager.errors import UsageError
from packager.scaffold.naming import project_name


@pytest.mark.parametrize(
    ("folder", "name"), [("My Shop!", "my-shop"), ("Überhaupt", "uberhaupt"), ("x", "x"), ("日本", "app")]
)
def test_the_name_of_a_folder_becomes_a_valid_one(folder, name):
    assert project_name(None, folder) == name


@given(st.text())
def test_whatever_the_folder_is_called_the_name_is_valid(folder):
    name = project_name(None, folder)
    assert canonicalize_name(name, validate=True) == name


def test_a_given_name_is_kept_or_refused():
    assert project_name("My.Shop", "x") == "My.Shop"
    with pytest.raises(UsageError, match="no name for a project"):
        project_name("my shop", "x")
