// How long requests take, cold and warm, for each function: drawn from the requests that are kept.

import { duration, quantile } from "./format.mjs";
import { html } from "./html.mjs";
import { go, useStore } from "./store.mjs";

const WIDTH = 640;
const HEIGHT = 170;
const LEFT = 52;
const BOTTOM = 22;

/** @param {any[]} rows @returns {number[]} */
function sorted(rows) {
  return rows.map((row) => row.duration).sort((a, b) => a - b);
}

export function Statistics() {
  const now = useStore();
  const rows = [...now.requests.values()].filter((row) => row.duration !== null && row.function);
  /** @type {Map<string, any[]>} */
  const functions = new Map();
  for (const row of rows) functions.set(row.function, [...(functions.get(row.function) ?? []), row]);
  return html`<section aria-label="Statistics">
    <h2>Cold and warm <span class="soft">the last ${rows.length} requests</span></h2>
    ${!rows.length && html`<p class="empty soft">No request yet.</p>`}
    ${[...functions].sort().map(([name, own]) => html`<${Function} key=${name} name=${name} rows=${own} />`)}
  </section>`;
}

/** @param {{ name: string, rows: any[] }} props */
function Function({ name, rows }) {
  const cold = rows.filter((row) => row.beginning);
  const warm = rows.filter((row) => !row.beginning);
  const failed = rows.filter((row) => row.status === null || row.status >= 500).length;
  return html`<article class="statistic">
    <h3>${name} <span class=${`tag ${rows[0].runtime}`}>${rows[0].runtime}</span></h3>
    <dl class="numbers">
      <${Number} name="requests" value=${rows.length} />
      <${Number} name="failed" value=${failed} />
      <${Number} name="cold starts" value=${cold.length} />
      <${Number} name="cold, median" value=${duration(quantile(sorted(cold), 0.5)) || "–"} />
      <${Number} name="warm, median" value=${duration(quantile(sorted(warm), 0.5)) || "–"} />
      <${Number} name="warm, 95 %" value=${duration(quantile(sorted(warm), 0.95)) || "–"} />
    </dl>
    <div class="plots">
      <${Course} rows=${rows} name=${name} />
      <${Spread} cold=${sorted(cold)} warm=${sorted(warm)} name=${name} />
    </div>
  </article>`;
}

/** @param {{ name: string, value: any }} props */
function Number({ name, value }) {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}

/** The ends of a logarithmic axis around some durations, whole powers of ten. @param {number[]} values */
function decades(values) {
  const low = Math.floor(Math.log10(Math.max(Math.min(...values), 0.1)));
  const high = Math.ceil(Math.log10(Math.max(...values, 1)));
  return [low, Math.max(high, low + 1)];
}

/** Each request as a dot, in the order in which they came. @param {{ rows: any[], name: string }} props */
function Course({ rows, name }) {
  const [low, high] = decades(rows.map((row) => row.duration));
  const y = (/** @type {number} */ ms) =>
    HEIGHT - BOTTOM - ((Math.log10(Math.max(ms, 10 ** low)) - low) / (high - low)) * (HEIGHT - BOTTOM - 10);
  const x = (/** @type {number} */ at) => LEFT + 8 + (at / Math.max(rows.length - 1, 1)) * (WIDTH - LEFT - 16);
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  return html`<figure>
    <figcaption>
      In the order they came <span class="key warm">warm</span> <span class="key cold">cold</span>
    </figcaption>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`Durations of ${name}, request by request`}>
      ${ticks.map(
        (ms) =>
          html`<line class="grid" x1=${LEFT} x2=${WIDTH} y1=${y(ms)} y2=${y(ms)} />
            <text x=${LEFT - 8} y=${y(ms) + 4} text-anchor="end">${axis(ms)}</text>`,
      )}
      ${rows.map(
        (row, at) =>
          html`<circle
            class=${row.beginning ? "cold" : "warm"}
            cx=${x(at)}
            cy=${y(row.duration)}
            r=${row.beginning ? 4.5 : 3}
            onClick=${() => go("requests", row.number)}
            ><title>${row.method} ${row.target}: ${duration(row.duration)}</title></circle
          >`,
      )}
    </svg>
  </figure>`;
}

/** How many requests took how long. @param {{ cold: number[], warm: number[], name: string }} props */
function Spread({ cold, warm, name }) {
  const [low, high] = decades([...cold, ...warm]);
  const count = (high - low) * 6;
  const place = (/** @type {number} */ ms) =>
    Math.min(Math.floor(((Math.log10(Math.max(ms, 10 ** low)) - low) / (high - low)) * count), count - 1);
  const bins = Array.from({ length: count }, () => ({ cold: 0, warm: 0 }));
  for (const ms of cold) bins[place(ms)].cold += 1;
  for (const ms of warm) bins[place(ms)].warm += 1;
  const most = Math.max(...bins.map((bin) => bin.cold + bin.warm), 1);
  const step = (WIDTH - LEFT - 8) / count;
  const unit = (HEIGHT - BOTTOM - 16) / most;
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  return html`<figure>
    <figcaption>How many took how long</figcaption>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`Spread of the durations of ${name}`}>
      <line class="grid" x1=${LEFT} x2=${WIDTH - 8} y1=${HEIGHT - BOTTOM} y2=${HEIGHT - BOTTOM} />
      <text x=${LEFT - 8} y=${20} text-anchor="end">${most}</text>
      <text x=${LEFT - 8} y=${HEIGHT - BOTTOM} text-anchor="end">0</text>
      ${ticks.map(
        (ms, index) =>
          html`<text
            x=${LEFT + index * 6 * step}
            y=${HEIGHT - 6}
            text-anchor=${index === ticks.length - 1 ? "end" : "middle"}
            >${axis(ms)}</text
          >`,
      )}
      ${bins.map(
        (bin, index) =>
          html`<rect
              class="warm"
              x=${LEFT + index * step + 1}
              width=${step - 2}
              y=${HEIGHT - BOTTOM - bin.warm * unit}
              height=${bin.warm * unit}
            />
            <rect
              class="cold"
              x=${LEFT + index * step + 1}
              width=${step - 2}
              y=${HEIGHT - BOTTOM - (bin.warm + bin.cold) * unit}
              height=${bin.cold * unit}
            />`,
      )}
    </svg>
  </figure>`;
}

/** @param {number} ms @returns {string} the label of a power of ten */
function axis(ms) {
  return ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
}
