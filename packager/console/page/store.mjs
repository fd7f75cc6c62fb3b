// What the page knows, kept in step with the server, and what changes it.

import { useEffect, useState } from "preact/hooks";

const BASE = "/_packager";
/** As many as the server keeps. */
const MOST = 500;

/**
 * @typedef {object} State
 * @property {any} project what is served, null until it is known
 * @property {{ findings: any[], faults: any[] }} problems
 * @property {Map<number, any>} requests by number, the oldest first
 * @property {any} detail the open request with all that is known of it
 * @property {boolean} connected
 * @property {{ view: string, number: number | null, editing: boolean }} place
 * @property {string} filter
 * @property {number | null} cursor the request that the keys are at
 * @property {boolean} help
 * @property {string} message
 */

/** @type {State} */
export let state = {
  project: null,
  problems: { findings: [], faults: [] },
  requests: new Map(),
  detail: null,
  connected: false,
  place: placeOf(location.hash),
  filter: "",
  cursor: null,
  help: false,
  message: "",
};

/** @type {Set<() => void>} */
const watchers = new Set();
let drawing = false;

/** Change the state; the page follows with the next frame. @param {Partial<State>} changes */
export function change(changes) {
  state = { ...state, ...changes };
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    for (const watcher of watchers) watcher();
  }, 16);
}

/** @returns {State} the state; the component is drawn again whenever it changes */
export function useStore() {
  const [, draw] = useState(0);
  useEffect(() => {
    let count = 0;
    const watcher = () => draw(++count);
    watchers.add(watcher);
    watcher();
    return () => void watchers.delete(watcher);
  }, []);
  return state;
}

/** @param {string} hash `#/requests/12/edit` @returns {State["place"]} */
function placeOf(hash) {
  const [view = "requests", number, editing] = hash.replace(/^#\//, "").split("/").filter(Boolean);
  return { view, number: number ? Number(number) : null, editing: editing === "edit" };
}

/** Go somewhere within the page. @param {string} view @param {number | null} [number] @param {boolean} [editing] */
export function go(view, number = null, editing = false) {
  location.hash = `#/${[view, number, editing ? "edit" : null].filter((part) => part !== null).join("/")}`;
}

/** The requests that the filter lets through, the newest first. @param {State} now */
export function shown(now) {
  const words = now.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...now.requests.values()].reverse();
  if (!words.length) return rows;
  return rows.filter((row) => {
    const cold = row.beginning ? "cold" : "warm";
    const text = `${row.method} ${row.target} ${row.status} ${row.runtime} ${row.function} ${cold}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** @param {string} path @param {RequestInit} [init] */
async function ask(path, init) {
  const response = await fetch(`${BASE}${path}`, init);
  if (response.status === 204) return null;
  const document = await response.json();
  if (!response.ok) throw new Error(document.error ?? `status ${response.status}`);
  return document;
}

/** Say something for some seconds. @param {string} message */
export function say(message) {
  change({ message });
  setTimeout(() => state.message === message && change({ message: "" }), 4000);
}

/** @param {number} number */
async function loadDetail(number) {
  try {
    const detail = await ask(`/data/requests/${number}`);
    if (state.place.number === number) change({ detail });
  } catch {
    // Not kept any more: the row has what there is.
    if (state.detail?.number !== number) change({ detail: state.requests.get(number) ?? null });
  }
}

async function loadProject() {
  change({ project: await ask("/data/project") });
}

async function loadProblems() {
  change({ problems: await ask("/data/problems") });
}

async function loadEverything() {
  const [project, problems, rows] = await Promise.all([
    ask("/data/project"),
    ask("/data/problems"),
    ask("/data/requests"),
  ]);
  change({ project, problems, requests: new Map(rows.map((/** @type {any} */ row) => [row.number, row])) });
  if (state.place.number !== null) await loadDetail(state.place.number);
}

/** Send an open request again, as it was or with changes. @param {any} detail @param {any} [changes] */
export async function replay(detail, changes = {}) {
  const { method, target } = detail;
  const headers = detail.request.headers.map((/** @type {any} */ row, /** @type {number} */ keep) => ({
    ...row,
    keep,
  }));
  const body = JSON.stringify({ method, target, headers, body: null, ...changes });
  const init = { method: "POST", body, headers: { "content-type": "application/json" } };
  const { number } = await ask(`/data/requests/${detail.number}/replay`, init);
  change({ cursor: number });
  go("requests", number);
}

/** The value of a header that is not shown unasked. @param {number} number @param {string} side @param {number} place */
export async function reveal(number, side, place) {
  return (await ask(`/data/requests/${number}/headers/${side}/${place}`)).value;
}

/** Forget every request. */
export async function clear() {
  await ask("/data/requests", { method: "DELETE" });
  change({ requests: new Map(), cursor: null });
  go("requests");
}

/** @param {any} row */
function exchanged(row) {
  const requests = new Map(state.requests);
  requests.set(row.number, row);
  if (requests.size > MOST) requests.delete(Math.min(...requests.keys()));
  change({ requests });
  if (row.number === state.place.number) loadDetail(row.number);
}

let pending = 0;

/** A function wrote a line: it may belong to the request that is open. @param {any} line */
function logged(line) {
  const { detail } = state;
  if (!detail || detail.function !== line.function || pending) return;
  pending = window.setTimeout(() => {
    pending = 0;
    if (state.place.number !== null) loadDetail(state.place.number);
  }, 250);
}

/** Read everything, and follow what happens from then on. */
export function start() {
  const events = new EventSource(`${BASE}/events`);
  const on = (/** @type {string} */ kind, /** @type {(data: any) => void} */ listener) =>
    events.addEventListener(kind, (event) => listener(JSON.parse(event.data)));
  events.onopen = () => {
    change({ connected: true });
    loadEverything();
  };
  events.onerror = () => change({ connected: false });
  on("exchange", exchanged);
  on("log", logged);
  on("project", loadProject);
  on("problems", loadProblems);
  on("lost", loadEverything);
  addEventListener("hashchange", () => {
    const place = placeOf(location.hash);
    change({ place, detail: place.number === state.detail?.number ? state.detail : null });
    if (place.number !== null) loadDetail(place.number);
  });
}
