// Invokes a Lambda function as the platform does, many times: node invoke.mjs FOLDER, in whose index.mjs the handler is.
// Each line of standard input is {id, event}, each of standard output {id, result} or {id, error}.
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { handler } = await import(pathToFileURL(join(process.argv[2], "index.mjs")).href);
for await (const line of createInterface({ input: process.stdin })) {
  const { id, event } = JSON.parse(line);
  Promise.resolve()
    .then(() => handler(event))
    .then(
      (result) => console.log(JSON.stringify({ id, result })),
      (error) => console.log(JSON.stringify({ id, error: String(error) })),
    );
}

