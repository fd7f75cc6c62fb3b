// Runs CloudFront Functions, JavaScript runtime 2.0: node viewer_function.mjs PORT WORD FILE
//
// FILE is a JSON object of codes by name. A question is { name, event }, the answer { result, origin }: what the handler
// returned, and what it said of the origin by `updateRequestOrigin`. Each code has globals of its own and no Node.
// Source: Amazon CloudFront Developer Guide, "JavaScript runtime 2.0 features for CloudFront Functions", "Helper
// methods for origin modification".
import { readFileSync } from "node:fs";
import vm from "node:vm";

import { host } from "./node_host.mjs";

/** @type {Record<string, string>} */
const codes = JSON.parse(readFileSync(process.argv[4], "utf8"));
/** @type {Record<string, unknown> | null} */
let origin = null;

const cloudfront = {
  /** @param {Record<string, unknown>} given */
  updateRequestOrigin(given) {
    origin = { ...origin, ...given };
  },
};

/** @type {Record<string, (event: unknown) => unknown>} */
const handlers = {};
for (const [name, code] of Object.entries(codes)) handlers[name] = await loaded(name, code);

// One at a time: a handler that waits must not see what another one says of its origin.
let turn = Promise.resolve();
host(({ name, event }) => {
  const answered = turn.then(async () => {
    origin = null;
    const result = await handlers[name](event);
    return { result, origin };
  });
  turn = answered.then(
    () => undefined,
    () => undefined,
  );
  return answered;
});

/**
 * @param {string} name
 * @param {string} code
 */
async function loaded(name, code) {
  const context = vm.createContext({ console });
  const module = new vm.SourceTextModule(`${code}\nexport { handler };`, { context, identifier: name });
  await module.link((specifier) => {
    if (specifier !== "cloudfront") throw new Error(`${name} imports ${specifier}, which CloudFront does not have`);
    return new vm.SyntheticModule(
      ["default"],
      function () {
        this.setExport("default", cloudfront);
      },
      { context },
    );
  });
  await module.evaluate();
  return /** @type {any} */ (module.namespace).handler;
}
