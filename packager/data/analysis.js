// @ts-check
/** Looking into the boxes of the maps, moving between them by keys, finding names in them. */
"use strict";

/** @type {HTMLElement[]} */
const maps = [...document.querySelectorAll(".map")].map((map) => /** @type {HTMLElement} */ (map));

/** @param {Element} map @param {string} part @returns {HTMLElement} */
function beside(map, part) {
  const section = /** @type {Element} */ (map.closest("section"));
  return /** @type {HTMLElement} */ (section.querySelector(part));
}

/** @param {Element} box @returns {HTMLElement | null} */
function outer(box) {
  const parent = box.parentElement;
  return parent ? parent.closest(".box") : null;
}

/** @param {Element} box @returns {HTMLElement[]} */
function inner(box) {
  return /** @type {HTMLElement[]} */ ([...box.querySelectorAll(":scope > .in > .box")]);
}

/** The box and all that hold it, the outermost first. @param {HTMLElement} box */
function line(box) {
  const found = [box];
  for (let next = outer(box); next; next = outer(next)) found.unshift(next);
  return found;
}

/** Fill the map with one box. @param {HTMLElement} map @param {HTMLElement} box */
function open(map, box) {
  for (const old of map.querySelectorAll(".open")) old.classList.remove("open", "shown");
  const steps = line(box);
  for (const step of steps) step.classList.add("open");
  box.classList.add("shown");
  beside(map, ".path").replaceChildren(
    ...steps.map((step) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${step.dataset.name} ›`;
      if (step === box) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => go(map, step));
      return button;
    }),
  );
}

/** Tell what a box is and why it is there. @param {HTMLElement} map @param {HTMLElement} box */
function tell(map, box) {
  const steps = line(box);
  const reason = steps.findLast((step) => step.dataset.why);
  const name = document.createElement("b");
  name.textContent = steps.slice(1).map((step) => step.dataset.name).join(" / ") || box.dataset.name || "";
  const why = reason ? `\n${reason.dataset.why}` : "";
  beside(map, ".info").replaceChildren(name, ` ${box.dataset.size}${why}`);
}

/** Put the focus on a box that can be seen. @param {HTMLElement} map @param {HTMLElement} box */
function focus(map, box) {
  for (const old of map.querySelectorAll('[tabindex="0"]')) old.setAttribute("tabindex", "-1");
  box.setAttribute("tabindex", "0");
  box.focus({ preventScroll: true });
  tell(map, box);
}

/** @param {HTMLElement} map @param {HTMLElement} box */
function go(map, box) {
  open(map, box);
  focus(map, box);
}

/** @param {HTMLElement} map @returns {HTMLElement} */
function shown(map) {
  return /** @type {HTMLElement} */ (map.querySelector(".shown"));
}

/** @param {HTMLElement} map @param {KeyboardEvent} event */
function move(map, event) {
  const box = /** @type {HTMLElement} */ (event.target);
  const top = box === shown(map);
  const around = outer(box);
  const row = around && !top ? inner(around) : [box];
  const at = row.indexOf(box);
  switch (event.key) {
    case "ArrowRight":
      focus(map, row[Math.min(at + 1, row.length - 1)]);
      break;
    case "ArrowLeft":
      focus(map, row[Math.max(at - 1, 0)]);
      break;
    case "ArrowDown":
      focus(map, inner(box)[0] ?? box);
      break;
    case "ArrowUp":
      focus(map, (!top && around) || box);
      break;
    case "Enter":
      if (inner(box).length) go(map, box);
      break;
    case "Escape":
      go(map, outer(shown(map)) ?? shown(map));
      break;
    default:
      return;
  }
  event.preventDefault();
}

/** Show what has a text in its name, or in that of what it is in. @param {string} text */
function find(text) {
  const wanted = text.trim().toLowerCase();
  let [count, bytes] = [0, 0];
  for (const map of maps) {
    map.classList.toggle("seeking", wanted !== "");
    for (const element of map.querySelectorAll(".box:not(.inner)")) {
      const box = /** @type {HTMLElement} */ (element);
      const name = line(box).slice(1).map((step) => step.dataset.name).join("/").toLowerCase();
      const hit = wanted !== "" && name.includes(wanted);
      box.classList.toggle("hit", hit);
      if (hit) [count, bytes] = [count + 1, bytes + Number(box.dataset.zip)];
    }
  }
  const output = /** @type {HTMLOutputElement} */ (document.getElementById("found"));
  output.value = wanted ? `${count} ${count === 1 ? "file" : "files"}, ${bytes.toLocaleString("en")} bytes of the zips` : "";
}

for (const map of maps) {
  const root = /** @type {HTMLElement} */ (map.querySelector(".box"));
  open(map, root);
  tell(map, root);
  map.addEventListener("keydown", (event) => move(map, event));
  map.addEventListener("mouseover", (event) => {
    const box = /** @type {Element} */ (event.target).closest(".box");
    if (box) tell(map, /** @type {HTMLElement} */ (box));
  });
  map.addEventListener("click", (event) => {
    const box = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".box"));
    if (!box) return;
    const steps = line(box);
    const next = steps[steps.indexOf(shown(map)) + 1];
    if (next?.classList.contains("inner")) go(map, next);
    else focus(map, box);
  });
}
const input = /** @type {HTMLInputElement} */ (document.getElementById("find"));
input.addEventListener("input", () => find(input.value));
