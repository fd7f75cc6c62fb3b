from pathlib import Path

import pytest

from packager.cache import without_derived
from packager.mentions import mentioned, mentioned_in


def words(tmp_path: Path, text: str) -> frozenset[str]:
    (tmp_path / "module.py").write_text(text, encoding="utf-8")
    return mentioned_in([tmp_path / "module.py"])


@pytest.mark.parametrize(
    "text",
    [
        "import driver",
        "from driver.sub import x",
        "    import\tdriver as d",
        "load('driver')",
        'names = ["other","driver"]',
        "names = 'other''driver'",
        "x = 'a'driver'",
        "from import driver",
    ],
)
def test_what_follows_an_import_or_stands_in_quotes_is_mentioned(tmp_path: Path, text: str) -> None:
    assert "driver" in words(tmp_path, text)


@pytest.mark.parametrize("text", ["driver = 1", "import drivers", "'driver.sub'", "reimport driver"])
def test_other_words_are_not(tmp_path: Path, text: str) -> None:
    assert "driver" not in words(tmp_path, text)


def test_letters_of_other_scripts_are_part_of_a_word(tmp_path: Path) -> None:
    assert "größe" in words(tmp_path, "import größe")


def test_the_words_of_a_folder_in_the_store_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path))
    folder = tmp_path / "wheels" / "hash"
    folder.mkdir(parents=True)
    (folder / "module.py").write_text("import driver", encoding="utf-8")
    assert mentioned(folder) == {"driver"}
    # a folder of the store never changes; this shows that it is not read again
    (folder / "module.py").write_text("import other", encoding="utf-8")
    assert mentioned(folder) == {"driver"}
    with without_derived():
        assert mentioned(folder) == {"other"}


def test_a_folder_elsewhere_is_always_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "module.py").write_text("import driver", encoding="utf-8")
    assert mentioned(tmp_path) == {"driver"}
    (tmp_path / "module.py").write_text("import other", encoding="utf-8")
    assert mentioned(tmp_path) == {"other"}
