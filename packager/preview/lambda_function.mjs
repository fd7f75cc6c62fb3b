// Invokes a Node function as Lambda does: node lambda_function.mjs PORT WORD FILE EXPORT, in the folder of its code.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { host } from "./node_host.mjs";

const [file, name] = process.argv.slice(4);
const { [name]: handler } = await import(pathToFileURL(join(process.cwd(), file)).href);
host(async (event, id) => handler(event, { awsRequestId: id }));
