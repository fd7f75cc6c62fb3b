// The list of requests, the newest first.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { duration } from "./format.mjs";
import { html } from "./html.mjs";
import { change, clear, go, shown, state, useStore } from "./store.mjs";

/** Pixels of a row, as in the style sheet. */
const ROW = 36;
/** Rows that are drawn above and below what is seen. */
const SPARE = 8;

/** Give a row the focus, scrolled to first if it is not seen. @param {number} number */
export function focusRow(number) {
  const list = document.getElementById("rows");
  const at = shown(state).findIndex((row) => row.number === number);
  if (!list || at < 0) return;
  const [above, below] = [at * ROW, (at + 1) * ROW - list.clientHeight];
  if (list.scrollTop > above) list.scrollTop = above;
  else if (list.scrollTop < below) list.scrollTop = below;
  // Rows that were not seen are drawn after the scroll.
  setTimeout(
    () => /** @type {HTMLElement | null} */ (document.querySelector(`[data-number="${number}"]`))?.focus(),
    40,
  );
}

/** @param {number | null | undefined} status @returns {string} the class of a status */
export function statusClass(status) {
  if (status === null || status === undefined) return "none";
  if (status >= 500) return "bad";
  if (status >= 400) return "warn";
  return status >= 300 ? "moved" : "ok";
}

/** The words of `x-cache` that say something of the cache. */
const CACHED = new Map([
  ["Hit", "hit"],
  ["RefreshHit", "refreshed"],
  ["Miss", "miss"],
]);

/** @param {{ row: any }} props */
export function Tags({ row }) {
  return html`${row.runtime && html`<span class=${`tag ${row.runtime}`}>${row.runtime}</span>`}
  ${row.beginning && html`<span class="tag cold">${row.beginning}</span>`}
  ${CACHED.has(row.cache) && html`<span class="tag">${CACHED.get(row.cache)}</span>`}
  ${row.replayOf && html`<span class="tag" title=${`request ${row.replayOf} again`}>replay</span>`}`;
}

/** @param {{ row: any, at: number, count: number, selected: boolean, reachable: boolean, longest: number }} props */
function Row({ row, at, count, selected, reachable, longest }) {
  const done = row.duration !== null;
  const share = done ? Math.max((100 * row.duration) / longest, 1) : 100;
  const label = `${row.method} ${row.target}, ${row.status ?? (done ? "no answer" : "being served")}, ${row.runtime ?? ""} ${row.beginning ?? ""}, ${duration(row.duration)}`;
  return html`<li
    role="option"
    aria-selected=${selected ? "true" : "false"}
    aria-label=${label}
    tabindex=${reachable ? 0 : -1}
    aria-posinset=${at + 1}
    aria-setsize=${count}
    data-number=${row.number}
    style=${{ transform: `translateY(${at * ROW}px)` }}
    onClick=${() => go("requests", row.number)}
    onFocus=${() => change({ cursor: row.number })}
  >
    <span class=${`status ${done ? statusClass(row.status) : "waiting"}`}>${done ? (row.status ?? "—") : "···"}</span>
    <span class="method">${row.method}</span>
    <span class="target" title=${row.target}>${row.target}</span>
    <span class="tags"><${Tags} row=${row} /></span>
    <span class="bar" aria-hidden="true"
      ><i class=${row.beginning ? "cold" : ""} style=${{ width: `${share}%` }}
    /></span>
    <span class="time">${duration(row.duration)}</span>
  </li>`;
}

/** The rows that are seen; the others are only room. @param {{ rows: any[] }} props */
function Rows({ rows }) {
  const now = useStore();
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const first = useRef(/** @type {number | undefined} */ (undefined));
  const [seen, see] = useState({ top: 0, height: 1000 });
  const look = () => list.current && see({ top: list.current.scrollTop, height: list.current.clientHeight });
  useEffect(() => {
    const observer = new ResizeObserver(look);
    if (list.current) observer.observe(list.current);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    // Somebody who has scrolled reads: what they read stays where it is.
    const moved = rows.findIndex((row) => row.number === first.current);
    if (list.current && list.current.scrollTop > 0 && moved > 0) list.current.scrollTop += moved * ROW;
    first.current = rows[0]?.number;
  }, [rows[0]?.number]);
  const longest = Math.max(...rows.map((row) => row.duration ?? 0), 1);
  const reachable = rows.some((row) => row.number === now.cursor) ? now.cursor : rows[0]?.number;
  const from = Math.max(Math.floor(seen.top / ROW) - SPARE, 0);
  const to = Math.ceil((seen.top + seen.height) / ROW) + SPARE;
  return html`<ol id="rows" role="listbox" aria-label="Requests, the newest first" ref=${list} onScroll=${look}>
    <div role="presentation" style=${{ height: `${rows.length * ROW}px` }}></div>
    ${rows.map((row, at) =>
      (at < from || at >= to) && row.number !== reachable
        ? null
        : html`<${Row}
            key=${row.number}
            row=${row}
            at=${at}
            count=${rows.length}
            longest=${longest}
            selected=${row.number === now.place.number}
            reachable=${row.number === reachable}
          />`,
    )}
  </ol>`;
}

export function Requests() {
  const now = useStore();
  const rows = shown(now);
  return html`<section class="requests" aria-label="Requests">
    <div class="tools">
      <input
        id="filter"
        type="search"
        placeholder="Find: path, status, runtime, cold …"
        aria-label="Find requests"
        value=${now.filter}
        onInput=${(/** @type {any} */ event) => change({ filter: event.target.value })}
      />
      <span class="soft" aria-live="off"
        >${rows.length === now.requests.size ? rows.length : `${rows.length} of ${now.requests.size}`}</span
      >
      <button onClick=${clear} disabled=${!now.requests.size}>Clear</button>
    </div>
    ${rows.length ? html`<${Rows} rows=${rows} />` : html`<${Nothing} />`}
  </section>`;
}

function Nothing() {
  const now = useStore();
  return html`<div class="empty">
    <p>${now.requests.size ? "No request is like that." : "No request yet."}</p>
    <p class="soft">
      ${now.requests.size ? "Esc clears the search." : html`Try <code>curl ${location.origin}${example(now)}</code>`}
    </p>
  </div>`;
}

/** @param {import("./store.mjs").State} now */
function example(now) {
  const route = now.project?.routes.find((/** @type {any} */ row) => !row.path.includes("[")) ?? now.project?.routes[0];
  return route ? `${now.project.basePath}${route.path}` : "/";
}
