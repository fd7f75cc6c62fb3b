"""Passwords are kept as salted scrypt hashes."""

import hashlib
import hmac
import secrets


def hashed(password: str) -> str:
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}:{_derived(password, salt).hex()}"


def fits(password: str, kept: str | None) -> bool:
    """Whether it is the kept one; takes as long for a user that is not there."""
    salt, _, digest = (kept or ":").partition(":")
    return hmac.compare_digest(_derived(password, bytes.fromhex(salt)).hex(), digest)


def _derived(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
