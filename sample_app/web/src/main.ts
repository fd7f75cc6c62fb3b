// A page that reads and writes notes. What the API takes and answers is known to the compiler: `packager types`
// made src/api of the routes, and a field that a handler does not know, or does not answer, is an error here.
import { createApi } from "./api/client";
import type { components } from "./api/schema";

type Note = components["schemas"]["Note"];

const api = createApi({ baseUrl: document.documentElement.dataset.api });
const form = document.querySelector("form")!;
const list = document.querySelector("ul")!;
const told = document.querySelector("[role=status]")!;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = new FormData(form);
  const tags = String(fields.get("tags")).split(",").map((tag) => tag.trim());
  void write(String(fields.get("text")), tags);
});
await show();
await price(2.5);

async function show(): Promise<void> {
  const { data } = await api.GET("/api/notes", { params: { query: { per_page: 5 } } });
  list.replaceChildren(...(data ?? []).map(item));
}

async function write(text: string, tags: string[]): Promise<void> {
  const { data, error, response } = await api.POST("/api/notes", { body: { text, tags } });
  if (data) told.textContent = `written down: note ${data.id}`;
  else if ("errors" in error) told.textContent = error.errors.map(({ loc, msg }) => `${loc.join(".")}: ${msg}`).join("; ");
  else told.textContent = `${response.status}: ${error.error}`;
  await show();
}

async function remove(id: number): Promise<void> {
  const { error } = await api.DELETE("/api/notes/{id}", { params: { path: { id } } });
  told.textContent = error ? error.error : "gone";
  await show();
}

async function price(weight: number): Promise<void> {
  const { data } = await api.POST("/api/shipping", { body: { weight, to: "AT", speed: "express" } });
  document.querySelector("#shipping")!.textContent = data ? `${data.amount} ${data.currency}` : "no price";
}

function item(note: Note): HTMLLIElement {
  const row = document.createElement("li");
  const button = document.createElement("button");
  button.textContent = "Delete";
  button.addEventListener("click", () => void remove(note.id));
  row.append(`${note.text} (${note.tags.join(", ")}) `, button);
  return row;
}
