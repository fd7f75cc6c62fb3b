"""`hashlib.pbkdf2_hmac`, which Pyodide lacks as it has no OpenSSL: PBKDF2 of RFC 8018, 5.2, in Python.

It costs several microseconds an iteration, ten times what OpenSSL takes: 100,000 iterations of SHA-256 are
about a second, in which the worker answers nothing else.
"""

import hashlib
from collections.abc import Buffer

_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def install() -> None:
    """Put the function into `hashlib` where it is missing."""
    if not hasattr(hashlib, "pbkdf2_hmac"):
        hashlib.pbkdf2_hmac = pbkdf2_hmac  # type: ignore[attr-defined, unused-ignore]


def pbkdf2_hmac(
    hash_name: str, password: Buffer, salt: Buffer, iterations: int, dklen: int | None = None
) -> bytes:
    """A key of `dklen` bytes, by default as long as the hash. Raises `ValueError` as `hashlib` does."""
    if not isinstance(hash_name, str):
        raise TypeError(f"a hash name must be a str, not {type(hash_name).__name__}")
    plain = hashlib.new(hash_name)
    length = plain.digest_size if dklen is None else dklen
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    if length < 1:
        raise ValueError("key length must be greater than 0.")
    key = bytes(password)
    if len(key) > plain.block_size:
        key = hashlib.new(hash_name, key).digest()
    key = key.ljust(plain.block_size, b"\0")
    # the two halves of HMAC (RFC 2104) have taken in the key once; each round goes on from copies
    inner, outer = (hashlib.new(hash_name, key.translate(pad)) for pad in (_INNER, _OUTER))
    blocks = []
    for number in range(1, -(-length // plain.digest_size) + 1):
        block = bytes(salt) + number.to_bytes(4, "big")
        total = 0
        for _ in range(iterations):
            first, second = inner.copy(), outer.copy()
            first.update(block)
            second.update(first.digest())
            block = second.digest()
            total ^= int.from_bytes(block, "big")
        blocks.append(total.to_bytes(plain.digest_size, "big"))
    return b"".join(blocks)[:length]
