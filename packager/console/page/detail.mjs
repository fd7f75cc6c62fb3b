// One request: what happened when, what went over the wire, what was written to the log.

import { useEffect, useRef, useState } from "preact/hooks";
import { Editor } from "./editor.mjs";
import { bytes, duration, pretty, timeOfDay } from "./format.mjs";
import { html } from "./html.mjs";
import { Tags, statusClass } from "./requests.mjs";
import { go, replay, reveal, say, useStore } from "./store.mjs";

export function Detail() {
  const now = useStore();
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const { detail } = now;
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
  }, [detail === null]);
  if (!detail) return html`<section class="detail" aria-label="Request"><p class="empty soft">Loading …</p></section>`;
  return html`<section class="detail" aria-label=${`Request ${detail.number}`}>
    <div class="head">
      <h2 tabindex="-1" ref=${heading}>
        <span class=${`status ${statusClass(detail.status)}`}>${detail.status ?? "—"}</span>
        <span class="method">${detail.method}</span> <span class="target">${detail.target}</span>
      </h2>
      <button class="plain" onClick=${() => go("requests")} aria-label="Close" title="Close (Esc)">✕</button>
    </div>
    <p class="facts">
      <${Tags} row=${detail} /> <span>${timeOfDay(detail.at)}</span>
      ${detail.function && html`<span>function <b>${detail.function}</b></span>`}
      ${detail.memory && html`<span>${detail.memory} MB used</span>`}
      ${detail.replayOf && html`<a href=${`#/requests/${detail.replayOf}`}>again: request ${detail.replayOf}</a>`}
    </p>
    ${detail.request && (now.place.editing ? html`<${Editor} detail=${detail} />` : html`<${Whole} detail=${detail} />`)}
  </section>`;
}

/** @param {{ detail: any }} props */
function Whole({ detail }) {
  const send = async () => {
    try {
      await replay(detail);
      say("sent again");
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    }
  };
  return html`
    <div class="actions">
      <button class="strong" onClick=${send}>Replay <kbd>r</kbd></button>
      <button onClick=${() => go("requests", detail.number, true)}>Edit and replay <kbd>e</kbd></button>
      <button onClick=${() => copy(curl(detail))}>Copy as curl</button>
    </div>
    ${detail.fault && html`<p class="fault" role="alert">${detail.fault}</p>`}
    <${Timeline} detail=${detail} />
    <${Lines} detail=${detail} />
    <${Side} title="Response" side="response" detail=${detail} />
    <${Side} title="Request" side="request" detail=${detail} />
  `;
}

/** @param {{ detail: any }} props */
function Timeline({ detail }) {
  const whole = detail.duration || 1;
  return html`<section class="timeline" aria-label="Timeline">
    <h3>Timeline <span class="soft">${duration(detail.duration)}</span></h3>
    <ol>
      ${detail.timeline.map(
        (/** @type {any} */ row) =>
          html`<li class=${kindOf(row.name)}>
            <span class="name" title=${row.name}>${row.name}</span>
            <span class="lane"
              ><i
                style=${{
                  left: `${(100 * row.start) / whole}%`,
                  width: `${Math.max((100 * (row.end - row.start)) / whole, 0.5)}%`,
                }}
            /></span>
            <span class="time">${duration(row.end - row.start)}</span>
          </li>`,
      )}
    </ol>
    ${
      detail.beginning &&
      (detail.spawn !== null || detail.init !== null) &&
      html`<p class="soft">
        Its process began for it or shortly before:
        ${detail.spawn !== null && html`<span> ${duration(detail.spawn)} to start,</span>`}
        ${detail.init !== null && html`<span> ${duration(detail.init)} to import the function.</span>`}
      </p>`
    }
  </section>`;
}

/** @param {string} name @returns {string} the class of a stretch; middleware is named by its file */
function kindOf(name) {
  return name.endsWith(".py") ? "middleware" : name.replaceAll(" ", "-");
}

/** @param {{ detail: any }} props */
function Lines({ detail }) {
  if (!detail.lines.length) return null;
  const count = detail.lines.length + detail.linesLeftOut;
  return html`<section aria-label="Log">
    <h3>Log <span class="soft">${count} ${count === 1 ? "line" : "lines"}</span></h3>
    <pre class="log" tabindex="0">${detail.lines.join("\n")}</pre>
  </section>`;
}

/** @param {{ title: string, side: string, detail: any }} props */
function Side({ title, side, detail }) {
  const { headers, body } = detail[side];
  return html`<section aria-label=${title}>
    <h3>${title} <span class="soft">${bytes(body.size)}</span></h3>
    <dl class="headers">
      ${headers.map(
        (/** @type {any} */ row, /** @type {number} */ place) =>
          html`<dt>${row.name}</dt>
            <dd>
              ${row.hidden ? html`<${Hidden} number=${detail.number} side=${side} place=${place} />` : row.value}
            </dd>`,
      )}
    </dl>
    <${Body} body=${body} />
  </section>`;
}

/** @param {{ number: number, side: string, place: number }} props */
function Hidden({ number, side, place }) {
  const [value, show] = useState(/** @type {string | null} */ (null));
  if (value !== null) return html`${value}`;
  return html`<button class="link" onClick=${async () => show(await reveal(number, side, place))}>show</button>`;
}

/** @param {{ body: any }} props */
function Body({ body }) {
  if (!body.size) return null;
  const text = body.size === body.kept ? pretty(body.text) : body.text;
  return html`${
    text === null
      ? html`<p class="soft">${bytes(body.size)} that are no text</p>`
      : html`<pre class="body" tabindex="0">${text}</pre>`
  }
  ${body.size > body.kept && html`<p class="soft">The first ${bytes(body.kept)} of ${bytes(body.size)} are kept.</p>`}`;
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("copied");
  } catch {
    say("the browser did not let this page copy");
  }
}

/** @param {any} detail @returns {string} a command that sends the request; credentials are left out */
function curl(detail) {
  const quote = (/** @type {string} */ text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const own = new Set(["host", "content-length", "accept-encoding", "connection"]);
  const words = ["curl", "-i", "-X", detail.method, quote(`${location.origin}${detail.target}`)];
  for (const { name, value, hidden } of detail.request.headers)
    if (!hidden && !own.has(name)) words.push("-H", quote(`${name}: ${value}`));
  if (detail.request.body.text) words.push("--data-raw", quote(detail.request.body.text));
  return words.join(" ");
}
