def test_notes_are_for_users(client):
    assert client.get("/api/notes").status_code == 401


def test_a_note_from_first_to_last(ada):
    made = ada.post("/api/notes", json={"title": "Engine"})
    assert made.status_code == 201
    note = made.json()
    assert ada.get("/api/notes").json() == [note]
    assert ada.get(f"/api/notes/{note['id']}").json() == note
    assert ada.delete(f"/api/notes/{note['id']}").status_code == 204
    assert ada.get(f"/api/notes/{note['id']}").status_code == 404


def test_what_does_not_fit_is_told_with_its_place(ada):
    refused = ada.post("/api/notes", json={"title": ""})
    assert refused.status_code == 422
    assert "title" in refused.text
    assert ada.get("/api/notes", params={"limit": 0}).status_code == 422


def test_others_see_nothing_of_it(ada):
    note = ada.post("/api/notes", json={"title": "Secret"}).json()
    assert (
        ada.post("/api/users", json={"name": "bob", "password": "builders"}).status_code
        == 201
    )
    assert ada.get("/api/notes").json() == []
    assert ada.get(f"/api/notes/{note['id']}").status_code == 404
