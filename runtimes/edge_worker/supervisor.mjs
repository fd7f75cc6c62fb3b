// Keeps one sandboxed process alive and hands requests to it: the same interface as the worker inside it.
import { readFileSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { refusal } from "./bridge.mjs";
import { Instance } from "./instance.mjs";

/** @import { Worker } from "./bridge.mjs" */
/** @import { Terms } from "./instance.mjs" */

/** How long after a failed start there is no other one: twice as long each time. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

/**
 * A worker whose `handle` never rejects with `Fatal`: 502 if the process ended before the answer, 503 if none starts,
 * 504 after the deadline.
 * @typedef {Worker & { close: () => Promise<void> }} Supervised
 */

/**
 * What the adapter's platform allows.
 * @typedef {object} Limits
 * @property {number} maxResponse bytes that the body of an answer may have
 * @property {number} [reserve] ms that an answer must come before max_duration is over
 */

/**
 * Start a process for the artifact.
 * @param {URL} folder the artifact's
 * @param {Record<string, string | undefined>} env exactly what the app sees as os.environ
 * @param {Limits} limits
 * @returns {Promise<Supervised>} rejects if the first process does not start; the app's words are in the log
 */
export async function supervise(folder, env, { maxResponse, reserve = 0 }) {
  const settings = JSON.parse(readFileSync(new URL("worker.json", folder), "utf8"));
  const path = realpathSync(fileURLToPath(folder)).replace(/(?<=.)[/\\]$/, "");
  const duration = settings.max_duration * 1000;
  const deadline = Math.max(duration - reserve, duration / 2);
  const keeper = new Keeper({ folder: path, env, settings, maxResponse, deadline });
  await keeper.start();
  return {
    settings,
    handle: (exchange, signal) => keeper.handle(exchange, signal),
    owns: (target) => keeper.owns(target),
    close: () => keeper.close(),
  };
}

class Keeper {
  /** @type {Instance | undefined} */
  #current;
  /** @type {Set<Instance>} */
  #all = new Set();
  #failures = 0;
  #pausedUntil = 0;
  #reason = "";
  #closed = false;
  #terms;

  /** @param {Terms} terms */
  constructor(terms) {
    this.#terms = terms;
  }

  /**
   * The process that takes requests, once it does.
   * @returns {Promise<Instance>} rejects if it does not start, or none is to be started now
   */
  async start() {
    const current = this.#current;
    if (current === undefined || current.retired) {
      if (this.#closed) throw new Error("the worker is ending");
      if (performance.now() < this.#pausedUntil) throw new Error(this.#reason);
    }
    const instance = current === undefined || current.retired ? this.#launch() : current;
    await instance.ready;
    return instance;
  }

  /** @type {Worker["handle"]} */
  async handle(exchange, signal) {
    let instance;
    try {
      instance = await this.start();
    } catch (error) {
      const reason = error instanceof Error ? error.message : error;
      console.error(`${exchange.method} ${exchange.target.split("?", 1)[0]}: answered 503: ${reason}`);
      return refusal(503, "Service Unavailable");
    }
    if (signal?.aborted) throw signal.reason;
    return instance.handle(exchange, signal);
  }

  /**
   * @param {string} target
   * @returns {Promise<boolean>}
   */
  async owns(target) {
    try {
      return await (await this.start()).owns(target);
    } catch {
      // Nothing of the app has run for it, so a fresh process may be asked.
      return (await this.start()).owns(target);
    }
  }

  /** End every process. */
  async close() {
    this.#closed = true;
    for (const instance of this.#all) instance.kill("it was closed");
    await Promise.all([...this.#all].map((instance) => instance.ended));
  }

  #launch() {
    const instance = new Instance(this.#terms);
    this.#current = instance;
    this.#all.add(instance);
    let started = false;
    instance.ready.then(
      () => {
        started = true;
        this.#failures = 0;
      },
      (error) => {
        this.#reason = error.message;
        this.#pausedUntil = performance.now() + Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
        this.#failures += 1;
      },
    );
    instance.retirement.then(() => this.#replace(instance, started));
    instance.ended.then(() => this.#all.delete(instance));
    return instance;
  }

  /**
   * Have a fresh process before the next request; one that failed to start is tried again by the next request only.
   * @param {Instance} instance
   * @param {boolean} started
   */
  #replace(instance, started) {
    if (this.#current !== instance || this.#closed || !started) return;
    this.#launch();
  }
}
