import pytest
from runtimes.testing import Client


@pytest.fixture
def client(tmp_path):
    """The app with an empty database and nobody logged in."""
    with Client(
        env={"SESSION_KEY": "0" * 32, "SQLITE_FILE": str(tmp_path / "db")}
    ) as client:
        yield client


@pytest.fixture
def ada(client):
    """The same client with Ada logged in: it keeps cookies as a browser does."""
    assert (
        client.post(
            "/api/users", json={"name": "ada", "password": "lovelace"}
        ).status_code
        == 201
    )
    return client
