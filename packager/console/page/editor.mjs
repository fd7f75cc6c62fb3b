// The form in which a request is changed before it is sent again.

import { useEffect, useRef, useState } from "preact/hooks";
import { bytes } from "./format.mjs";
import { html } from "./html.mjs";
import { go, replay } from "./store.mjs";

const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY"];

/** @param {{ detail: any }} props */
export function Editor({ detail }) {
  const [method, setMethod] = useState(detail.method);
  const [target, setTarget] = useState(detail.target);
  const [headers, setHeaders] = useState(() =>
    detail.request.headers
      .map((/** @type {any} */ row, /** @type {number} */ keep) => ({ ...row, keep: row.hidden ? keep : null }))
      .filter((/** @type {any} */ row) => !["content-length", "transfer-encoding"].includes(row.name)),
  );
  const first = detail.request.body.text ?? "";
  const [body, setBody] = useState(first);
  const [error, setError] = useState("");
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => field.current?.focus(), []);

  const edit = (/** @type {number} */ place, /** @type {object} */ changes) =>
    setHeaders(
      headers.map((/** @type {any} */ row, /** @type {number} */ at) => (at === place ? { ...row, ...changes } : row)),
    );
  const remove = (/** @type {number} */ place) =>
    setHeaders(headers.filter((/** @type {any} */ _row, /** @type {number} */ at) => at !== place));
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const kept = headers.filter((/** @type {any} */ row) => row.name.trim());
    try {
      await replay(detail, { method, target, headers: kept, body: body === first ? null : body });
    } catch (failure) {
      setError(/** @type {Error} */ (failure).message);
    }
  };
  const methods = METHODS.includes(method) ? METHODS : [method, ...METHODS];

  return html`<form class="editor" aria-label="Edit the request" onSubmit=${send}>
    <div class="line">
      <select
        aria-label="Method"
        value=${method}
        onChange=${(/** @type {any} */ event) => setMethod(event.target.value)}
      >
        ${methods.map((name) => html`<option>${name}</option>`)}
      </select>
      <input
        ref=${field}
        aria-label="Path and query"
        value=${target}
        spellcheck=${false}
        onInput=${(/** @type {any} */ event) => setTarget(event.target.value)}
      />
    </div>
    <h3>Headers</h3>
    ${headers.map(
      (/** @type {any} */ row, /** @type {number} */ place) =>
        html`<div class="line header" key=${place}>
          <input
            aria-label="Header name"
            value=${row.name}
            spellcheck=${false}
            readonly=${row.keep !== null}
            onInput=${(/** @type {any} */ event) => edit(place, { name: event.target.value })}
          />
          <input
            aria-label=${`Value of ${row.name || "the new header"}`}
            value=${row.value ?? ""}
            placeholder=${row.keep === null ? "" : "as it was sent"}
            spellcheck=${false}
            onInput=${(/** @type {any} */ event) => edit(place, { value: event.target.value, keep: null })}
          />
          <button type="button" class="plain" aria-label=${`Remove ${row.name}`} onClick=${() => remove(place)}>
            ✕
          </button>
        </div>`,
    )}
    <button type="button" onClick=${() => setHeaders([...headers, { name: "", value: "", keep: null }])}>
      Add a header
    </button>
    <h3>Body</h3>
    ${
      detail.request.body.size > 0 && detail.request.body.text === null
        ? html`<p class="soft">
            ${bytes(detail.request.body.size)} that are no text are sent as they were, unless you write something.
          </p>`
        : null
    }
    <textarea
      aria-label="Body"
      rows=${8}
      spellcheck=${false}
      value=${body}
      onInput=${(/** @type {any} */ event) => setBody(event.target.value)}
    ></textarea>
    ${error && html`<p class="fault" role="alert">${error}</p>`}
    <div class="actions">
      <button class="strong" type="submit">Send</button>
      <button type="button" onClick=${() => go("requests", detail.number)}>Cancel <kbd>Esc</kbd></button>
    </div>
  </form>`;
}
