from runtimes.testing import Client


def test_a_greeting():
    with Client() as client:
        assert client.get("/api/hello").json() == {"hello": "world"}
        assert client.get("/api/hello", params={"name": "Ada"}).json() == {
            "hello": "Ada"
        }
