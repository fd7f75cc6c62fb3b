"""Fresh randomness for a process that was restored: what was frozen is the same in all of them."""

import gc
import random
import tempfile

type Generators = list[random.Random]


def generators() -> Generators:
    """Every generator there is, that of the module `random` among them."""
    # By the type alone: what pretends to be of another class would run code of its own when it is asked.
    return [item for item in gc.get_objects() if issubclass(type(item), random.Random)]


def reseed(found: Generators) -> None:
    """Seed generators anew, whether they had a seed or not, and the names of temporary files."""
    for generator in found:
        generator.seed()
    # Made of a generator of its own, which is seeded once in the life of a process.
    tempfile._name_sequence = None  # type: ignore[attr-defined]
