import pytest

from packager.errors import UsageError
from packager.preview import viewer_headers


def test_options_name_what_cloudfront_knows() -> None:
    assert viewer_headers.read(("country=DE", "City=Bad Ems=x")) == {"country": "DE", "city": "Bad Ems=x"}


@pytest.mark.parametrize("option", ["country", "planet=Mars", "=DE"])
def test_other_options_are_refused_with_those_that_there_are(option: str) -> None:
    with pytest.raises(UsageError) as caught:
        viewer_headers.read((option,))
    assert "country-region" in caught.value.hint
