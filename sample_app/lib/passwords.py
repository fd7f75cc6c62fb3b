"""Passwords are kept as salted scrypt hashes."""

import hashlib
import hmac
import secrets


def hashed(password: str) -> str:
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}:{derived(password, salt).hex()}"


def fits(password: str, kept: str | None) -> bool:
    salt, _, digest = (kept or ":").partition(":")
    return hmac.compare_digest(derived(password, bytes.fromhex(salt)).hex(), digest)


def derived(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
