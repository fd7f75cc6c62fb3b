"""Which values are never shown."""

import json

import pytest

from packager.traffic.secrecy import Secrets

SECRETS = Secrets({"KEY": 'p/q"ü&1', "LONGER": 'p/q"ü&1-and-more', "SHORT": "abc"})


@pytest.mark.parametrize(
    "form", ['p/q"ü&1', "p%2Fq%22%C3%BC%261", "p/q%22%C3%BC%261", json.dumps('p/q"ü&1')[1:-1]]
)
def test_a_value_is_masked_in_every_form_that_it_takes(form: str) -> None:
    assert SECRETS.mask(f"a={form};b") == "a=‹KEY›;b"


def test_the_longest_value_is_the_one_that_is_named() -> None:
    assert SECRETS.mask('p/q"ü&1-and-more') == "‹LONGER›"


def test_values_of_few_characters_are_no_secrets() -> None:
    assert SECRETS.mask("abc") == "abc"


def test_what_is_masked_can_be_sent_again() -> None:
    assert SECRETS.unmask("a=‹KEY› ‹OTHER›") == 'a=p/q"ü&1 ‹OTHER›'


def test_without_secrets_texts_stay() -> None:
    assert Secrets({}).mask("‹A›") == "‹A›"
    assert Secrets({}).unmask("‹A›") == "‹A›"
