// Starts Swagger UI on the page of the API, with the document as it is now: nothing is sent but what a reader sends.

const BASE = "/_packager/api";
const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
/** @type {any} */
let shown = null;
let text = "";
let waiting = false;

function colours() {
  const { theme } = root.dataset;
  root.classList.toggle("dark-mode", theme === "dark" || (theme !== "light" && dark.matches));
}

/** @param {string} id */
function at(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {string} name @param {string} content @param {Element[]} children */
function element(name, content, ...children) {
  const made = document.createElement(name);
  made.textContent = content;
  made.append(...children);
  return made;
}

/** @typedef {{ place: string | null, message: string, hint: string, chain: string[] }} Problem */

/** @param {{ error: string, problems: Problem[] }} fault */
function tell(fault) {
  const rows = fault.problems.map(({ place, message, hint, chain }) => {
    const steps = chain.map((step) => element("li", "", element("code", step)));
    const parts = [element("strong", message), element("p", hint)];
    return element("li", "", ...(place ? [element("code", `${place} `)] : []), ...parts, element("ol", "", ...steps));
  });
  at("fault").replaceChildren(element("h1", fault.error), element("ul", "", ...rows));
}

/** @param {string} name @param {Record<string, string>} attributes */
function loaded(name, attributes) {
  return new Promise((done, failed) => {
    const made = Object.assign(document.createElement(name), attributes, { onload: done, onerror: failed });
    document.head.append(made);
  });
}

/** Swagger UI, which is got when there is something to show. @param {any} spec */
async function begin(spec) {
  await loaded("link", { rel: "stylesheet", href: `${BASE}/swagger-ui.css` });
  await loaded("script", { src: `${BASE}/swagger-ui-bundle.js` });
  shown = /** @type {any} */ (globalThis).SwaggerUIBundle({
    spec,
    domNode: at("api"),
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    // Left unset it would have a server of its makers read the document.
    validatorUrl: null,
  });
}

async function load() {
  const answer = await fetch(`${BASE}/openapi.json`);
  const found = await answer.text();
  const document_ = JSON.parse(found);
  at("fault").hidden = answer.ok;
  at("api").hidden = !answer.ok;
  at("state").textContent = "";
  if (!answer.ok) tell(document_);
  else if (found !== text) {
    document.title = `API · ${document_.info.title}`;
    if (shown === null) await begin(document_);
    else shown.specActions.updateSpec(found);
    text = found;
  }
}

/** Loads, or, while nobody looks, as soon as somebody does. */
async function refresh() {
  waiting = document.hidden;
  if (waiting) return;
  try {
    await load();
  } catch {
    at("state").textContent = "The server does not answer.";
  }
}

colours();
dark.addEventListener("change", colours);
document.addEventListener("visibilitychange", () => waiting && refresh());
refresh();
new EventSource("/_packager/events").addEventListener("project", refresh);
