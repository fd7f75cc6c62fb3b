// The route table: where each route runs, and why.

import { bytes } from "./format.mjs";
import { html } from "./html.mjs";
import { change, go, useStore } from "./store.mjs";

/** @param {{ row: any }} props */
function Route({ row }) {
  const find = () => {
    // What comes before the first parameter is in every URL of the route.
    change({ filter: row.path.split("[")[0] });
    go("requests");
  };
  return html`<tr>
    <th scope="row">
      <button class="link path" onClick=${find} title="Its requests">${row.path}</button>
      <small>${row.file}</small>
    </th>
    <td class="methods">${row.methods.join(" ")}</td>
    <td><span class=${`tag ${row.runtime}`}>${row.runtime}</span></td>
    <td>${row.function}</td>
    <td class="number">${bytes(row.zipBytes) || "–"}</td>
    <td class="number">${row.memory} MB</td>
    <td class="number">${row.maxDuration} s</td>
    <td class="why">
      ${row.reason} ${row.declared === "auto" && html` <small>declared auto</small>`}
      ${row.middleware.length > 0 && html`<small>behind ${row.middleware.join(", ")}</small>`}
    </td>
  </tr>`;
}

export function Routes() {
  const { project } = useStore();
  if (!project) return null;
  if (!project.routes.length)
    return html`<p class="empty">No route yet: write <code>app/api/hello/route.py</code>.</p>`;
  const edge = project.routes.filter((/** @type {any} */ row) => row.runtime === "edge").length;
  return html`<section aria-label="Routes">
    <h2>Routes <span class="soft">${edge} edge, ${project.routes.length - edge} nodejs</span></h2>
    <div class="scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">Route</th>
            <th scope="col">Methods</th>
            <th scope="col">Runtime</th>
            <th scope="col">Function</th>
            <th scope="col" class="number">Zip</th>
            <th scope="col" class="number">Memory</th>
            <th scope="col" class="number">Limit</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          ${project.routes.map((/** @type {any} */ row) => html`<${Route} key=${row.path} row=${row} />`)}
        </tbody>
      </table>
    </div>
    <h2>Functions <span class="soft">${project.functions.length}</span></h2>
    <div class="cards">
      ${project.functions.map((/** @type {any} */ row) => html`<${Card} key=${row.name} row=${row} />`)}
    </div>
  </section>`;
}

/** @param {{ row: any }} props */
function Card({ row }) {
  return html`<article>
    <h3>${row.name} <span class=${`tag ${row.runtime}`}>${row.runtime}</span></h3>
    <dl class="pairs">
      <dt>target</dt>
      <dd>${row.target}${row.python && html`, Python ${row.python}, ${row.architecture}`}</dd>
      <dt>routes</dt>
      <dd>${row.routes}</dd>
      <dt>limits</dt>
      <dd>${row.memory} MB, ${row.maxDuration} s</dd>
      ${
        row.zipBytes &&
        html`<dt>size</dt>
          <dd>${bytes(row.zipBytes)} as a zip, ${bytes(row.unpackedBytes)} unpacked</dd>`
      }
    </dl>
    ${
      row.distributions.length > 0 &&
      html`<details>
        <summary>
          ${row.distributions.length} ${row.distributions.length === 1 ? "distribution" : "distributions"}
        </summary>
        <p>${row.distributions.join(", ")}</p>
      </details>`
    }
  </article>`;
}
