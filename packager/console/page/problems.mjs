// What is wrong in the project as it is saved now.

import { html } from "./html.mjs";
import { useStore } from "./store.mjs";

export function Problems() {
  const { problems, project } = useStore();
  const none = !problems.faults.length && !problems.findings.length;
  return html`<section aria-label="Problems">
    ${
      none &&
      html`<div class="empty">
        <p>Nothing is wrong.</p>
        <p class="soft">
          ${
            project?.mode === "dev"
              ? "Syntax errors, failed imports, exceptions and what the checks find show up here."
              : "Exceptions are in the log of their request; packager dev shows findings of the checks here."
          }
        </p>
      </div>`
    }
    ${problems.faults.length > 0 && html`<h2>Faults <span class="soft">met by requests</span></h2>`}
    ${problems.faults.map((row) => html`<${Fault} key=${row.request} row=${row} />`)}
    ${problems.findings.length > 0 && html`<h2>Findings <span class="soft">of packager check</span></h2>`}
    ${problems.findings.map((row) => html`<${Finding} key=${`${row.place} ${row.rule} ${row.message}`} row=${row} />`)}
  </section>`;
}

/** @param {{ row: any }} props */
function Fault({ row }) {
  return html`<article class="problem error">
    <h3>${row.error}</h3>
    <p class="place">
      <code>${row.file ? `${row.file}:${row.line}` : ""}</code> <span class="soft">${row.request}</span>
    </p>
    ${
      row.excerpt.length > 0 &&
      html`<ol class="source" aria-label="Source">
        ${row.excerpt.map(
          (/** @type {any} */ item) =>
            html`<li class=${item.line === row.line ? "at" : ""}><i>${item.line}</i>${item.text || " "}</li>`,
        )}
      </ol>`
    }
    <${Chain} steps=${row.chain} />
    <p>${row.hint}</p>
  </article>`;
}

/** @param {{ row: any }} props */
function Finding({ row }) {
  return html`<article class=${`problem ${row.severity}`}>
    <h3>${row.message}</h3>
    <p class="place"><code>${row.place}</code> <span class="soft">${row.rule}</span></p>
    <${Chain} steps=${row.chain} />
    <p>${row.hint}</p>
  </article>`;
}

/** @param {{ steps: string[] }} props */
function Chain({ steps }) {
  if (!steps.length) return null;
  return html`<details>
    <summary>${steps.length} ${steps.length === 1 ? "step leads" : "steps lead"} there</summary>
    <ul class="source">
      ${steps.map((step) => html`<li>${step}</li>`)}
    </ul>
  </details>`;
}
