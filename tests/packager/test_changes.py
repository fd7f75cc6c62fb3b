from infra.manifest import AppInfo, Environment, Function, Manifest
from packager.changes import Change, changes


def built(**functions: tuple[str, int]) -> Manifest:
    rows = (
        Function(name, "nodejs", "lambda", f"functions/{name}.zip", sha, size, 0, "handler", (), 30, 512)
        for name, (sha, size) in functions.items()
    )
    return Manifest(AppInfo("x", "app"), (), (), tuple(rows), Environment())


def test_without_a_build_before_everything_is_new() -> None:
    assert changes(None, built(api=("1", 100))) == (Change("api", "nodejs", "new", 100),)


def test_the_hash_tells_what_changed_and_the_sizes_how_much() -> None:
    before = built(api=("1", 100), own=("2", 50), gone=("3", 7))
    after = built(api=("1", 100), own=("9", 42), fresh=("4", 1))
    assert changes(before, after) == (
        Change("api", "nodejs", "unchanged", 0),
        Change("own", "nodejs", "changed", -8),
        Change("fresh", "nodejs", "new", 1),
        Change("gone", "nodejs", "removed", -7),
    )
