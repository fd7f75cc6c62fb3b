def test_logging_in_and_out(ada):
    assert ada.get("/api/me").json() == {"name": "ada"}
    assert ada.delete("/api/session").status_code == 204
    assert ada.get("/api/me").status_code == 401
    wrong = ada.post("/api/session", json={"name": "ada", "password": "babbage"})
    assert wrong.status_code == 401
    assert (
        ada.post(
            "/api/session", json={"name": "ada", "password": "lovelace"}
        ).status_code
        == 200
    )
    assert ada.get("/api/me").json() == {"name": "ada"}


def test_a_name_is_taken_once(ada):
    again = ada.post("/api/users", json={"name": "ada", "password": "lovelace"})
    assert again.status_code == 409


def test_a_greeting_from_the_edge(client):
    assert client.get("/api/hello", params={"name": "Ada"}).json()["hello"] == "Ada"
