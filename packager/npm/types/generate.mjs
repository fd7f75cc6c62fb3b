// The types of an OpenAPI document: node generate.mjs NODE_MODULES DOCUMENT.json TARGET.ts
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, document, target] = process.argv.slice(2);
// openapi-typescript looks for plugins in the working folder, and would run them.
process.chdir(dirname(target));
const package_ = join(modules, "openapi-typescript");
const { default: openapiTS, astToString } = await import(pathToFileURL(join(package_, "dist", "index.mjs")).href);
const ts = createRequire(join(package_, "package.json"))("typescript");

const blob = ts.factory.createTypeReferenceNode("Blob");
const types = await openapiTS(JSON.parse(readFileSync(document, "utf8")), {
  alphabetize: false,
  // What a client may leave out is in `required`, whether it has a default or not.
  defaultNonNullable: false,
  transform: (/** @type {any} */ schema) => (schema.format === "binary" && schema.contentMediaType ? blob : undefined),
});
writeFileSync(target, astToString(types));
