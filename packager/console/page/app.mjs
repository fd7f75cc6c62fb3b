// The frame of the page: menu, views, keys.

import { render } from "preact";
import { useEffect } from "preact/hooks";
import { Detail } from "./detail.mjs";
import { html } from "./html.mjs";
import { Picture } from "./picture.mjs";
import { Problems } from "./problems.mjs";
import { Requests, focusRow } from "./requests.mjs";
import { Routes } from "./routes.mjs";
import { Statistics } from "./statistics.mjs";
import { change, go, replay, say, shown, start, state, useStore } from "./store.mjs";
import { THEMES, choose, chosen } from "./theme.mjs";

const VIEWS = [
  { name: "requests", title: "Requests" },
  { name: "routes", title: "Routes" },
  { name: "statistics", title: "Statistics" },
  { name: "deployment", title: "Deployment" },
  { name: "problems", title: "Problems" },
];

const KEYS = [
  ["/", "find requests"],
  ["j  k  ↓  ↑", "next, previous request"],
  ["Enter", "open the request"],
  ["r", "send the open request again"],
  ["e", "edit it, then send it"],
  ["Esc", "close"],
  ["1 … 5", "views"],
  ["t", "light, dark, or as the system"],
  ["?", "this help"],
];

function App() {
  const now = useStore();
  const { view, number } = now.place;
  useEffect(() => {
    document.title = now.project ? `${now.project.name} · packager ${now.project.mode}` : "packager";
  }, [now.project]);
  return html`
    <${Header} />
    <main class=${view === "requests" ? `split ${number === null ? "" : "opened"}` : "single"}>
      ${view === "requests" && html`<${Requests} />`}
      ${view === "requests" && number !== null && html`<${Detail} key=${number} />`}
      ${view === "routes" && html`<${Routes} />`} ${view === "statistics" && html`<${Statistics} />`}
      ${view === "deployment" && html`<${Picture} />`} ${view === "problems" && html`<${Problems} />`}
    </main>
    <p class="message" role="status">${now.message}</p>
    ${now.help && html`<${Help} />`}
  `;
}

function Header() {
  const now = useStore();
  const wrong = now.problems.faults.length + now.problems.findings.length;
  return html`<header>
    <h1><img src="/_packager/page/icon.svg" alt="" />${now.project?.name ?? "packager"}</h1>
    <span class="mode">${now.project?.mode ?? ""}</span>
    <nav aria-label="Views">
      ${VIEWS.map(
        ({ name, title }) =>
          html`<a href=${`#/${name}`} aria-current=${now.place.view === name ? "page" : undefined}
            >${title}${name === "problems" && wrong > 0 && html`<b class="count">${wrong}</b>`}</a
          >`,
      )}
      ${now.project?.pages.map((/** @type {any} */ page) => html`<a href=${`/_packager${page.path}`}>${page.title}</a>`)}
    </nav>
    <span class=${now.connected ? "live" : "live off"} role="status">${now.connected ? "live" : "not connected"}</span>
    <${Theme} />
    <button class="plain" onClick=${() => change({ help: true })} aria-label="Keys" title="Keys (?)">?</button>
  </header>`;
}

function nextTheme() {
  const at = THEMES.indexOf(/** @type {any} */ (chosen()));
  choose(THEMES[(at + 1) % THEMES.length]);
  change({});
}

function Theme() {
  const theme = chosen();
  const sign = { system: "◐", light: "○", dark: "●" }[theme];
  return html`<button class="plain" onClick=${nextTheme} aria-label=${`Theme: ${theme}`} title=${`Theme: ${theme} (t)`}>
    ${sign}
  </button>`;
}

function Help() {
  return html`<div class="veil" onClick=${() => change({ help: false })}>
    <section
      class="help"
      role="dialog"
      aria-modal="true"
      aria-label="Keys"
      tabindex="-1"
      ref=${(/** @type {HTMLElement | null} */ node) => node?.focus()}
      onClick=${(/** @type {Event} */ event) => event.stopPropagation()}
    >
      <h2>Keys</h2>
      <dl>
        ${KEYS.map(
          ([keys, text]) =>
            html`<dt>${keys.split("  ").map((key) => html`<kbd>${key}</kbd>`)}</dt>
              <dd>${text}</dd>`,
        )}
      </dl>
      <button onClick=${() => change({ help: false })}>Close</button>
    </section>
  </div>`;
}

/** @param {number} by */
function move(by) {
  const rows = shown(state);
  if (!rows.length) return;
  const from = state.place.number ?? state.cursor;
  const at = rows.findIndex((row) => row.number === from);
  const next = rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)].number;
  change({ cursor: next });
  if (state.place.number !== null) go("requests", next);
  else focusRow(next);
}

function close() {
  const { number, editing, view } = state.place;
  if (state.help) change({ help: false });
  else if (editing) go("requests", number);
  else if (number !== null) {
    go(view);
    change({ cursor: number });
    setTimeout(() => focusRow(number), 40);
  } else change({ filter: "" });
}

async function again() {
  const { detail } = state;
  if (!detail?.request) return;
  try {
    await replay(detail);
    say("sent again");
  } catch (error) {
    say(/** @type {Error} */ (error).message);
  }
}

/** @type {Record<string, () => void>} */
const ACTIONS = {
  "/": () => {
    if (state.place.view !== "requests") go("requests");
    setTimeout(() => document.getElementById("filter")?.focus(), 30);
  },
  Enter: () => {
    if (state.cursor !== null && state.place.number === null) go("requests", state.cursor);
  },
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  Escape: close,
  r: again,
  e: () => state.detail?.request && go("requests", state.detail.number, true),
  t: nextTheme,
  "?": () => change({ help: !state.help }),
};

/** Keys that are for the list of requests. */
const ROWS = new Set(["j", "k", "ArrowDown", "ArrowUp", "Enter", "r", "e"]);

VIEWS.forEach(({ name }, index) => (ACTIONS[String(index + 1)] = () => go(name)));

document.addEventListener("keydown", (event) => {
  const at = /** @type {HTMLElement} */ (event.target);
  const typing = at.matches("input, textarea, select");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing && event.key === "Escape") {
    at.blur();
    if (at.id !== "filter") close();
    event.preventDefault();
    return;
  }
  const leavesFilter = at.id === "filter" && (event.key === "ArrowDown" || event.key === "Enter");
  if ((typing && !leavesFilter) || (state.place.editing && event.key !== "Escape" && event.key !== "?")) return;
  if (ROWS.has(event.key) && (state.place.view !== "requests" || state.help)) return;
  if (event.key === "Enter" && at.matches("a, button, summary")) return;
  const action = leavesFilter ? ACTIONS.j : ACTIONS[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
});

start();
document.body.textContent = "";
render(html`<${App} />`, document.body);
