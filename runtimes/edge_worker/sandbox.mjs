// Starts the process that user code runs in: no environment, no files but the artifact's, no processes, a limit of
// memory, and an end when this process ends.
import { spawn } from "node:child_process";
import { accessSync } from "node:fs";

/** @import { ChildProcess } from "node:child_process" */
/** @import { Duplex, Readable, Writable } from "node:stream" */

/**
 * A sandboxed process. `channel` is its descriptor 3; `leash` must be ended with a line when the process has ended.
 * @typedef {object} Sandboxed
 * @property {ChildProcess} process
 * @property {Duplex} channel
 * @property {Readable[]} output
 * @property {Writable | undefined} leash
 */

/**
 * What V8 and the threads of Node reserve as writable and never use, in MB: the range for compiled code (V8,
 * `kMaximalCodeRangeSize`) and the stacks of ten threads. RLIMIT_DATA counts it.
 */
const RESERVED_MB = { arm64: 128 + 80, x64: 512 + 80 }[/** @type {"arm64"} */ (process.arch)] ?? 512 + 80;
const SHELL = "/bin/sh";
/** RLIMIT_DATA cannot be set from Node. */
const LIMITED = 'ulimit -d "$0" 2>/dev/null; exec "$@"';
/**
 * A process that loops does not notice that its channel is closed, so a second one waits beside it: that its input ends
 * without a line is how it knows that this process was killed.
 */
const LEASH = 'trap "" INT TERM; read -r _ || kill -9 "$0"';

/**
 * @param {string} folder the artifact's, its real path
 * @param {number} memory in MB, what the process may hold for itself
 * @returns {Sandboxed}
 */
export function confine(folder, memory) {
  const command = [process.execPath, ...flags(folder), `${folder}/child.cjs`];
  const shell = hasShell();
  const [program, ...words] = shell
    ? [SHELL, "-c", LIMITED, String((RESERVED_MB + memory) * 1024), ...command]
    : command;
  const child = spawn(program, words, { cwd: folder, env: {}, stdio: ["ignore", "pipe", "pipe", "pipe"] });
  const [, out, err, channel] = /** @type {any[]} */ (child.stdio);
  const leash = shell && child.pid !== undefined ? tie(child.pid) : undefined;
  // A channel that breaks is the end of the process, which is told by its exit.
  for (const stream of [out, err, channel, leash]) stream?.on("error", () => undefined);
  return { process: child, channel, output: [out, err], leash };
}

/** @param {number} pid what is to end with this process, however that ends */
function tie(pid) {
  const holder = spawn(SHELL, ["-c", LEASH, String(pid)], { env: {}, stdio: ["pipe", "ignore", "ignore"] });
  holder.on("error", () => undefined);
  holder.unref();
  const leash = /** @type {any} */ (holder.stdin);
  leash.unref();
  return leash;
}

/** @param {string} folder */
function flags(folder) {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const stable = major > 22 || (major === 22 && minor >= 13);
  return [
    "--disable-warning=ExperimentalWarning",
    "--disable-warning=SecurityWarning",
    stable ? "--permission" : "--experimental-permission",
    `--allow-fs-read=${folder}`,
    // From here on the network needs leave too, and the app's own requests go through this process.
    ...(major >= 25 ? ["--allow-net"] : []),
  ];
}

function hasShell() {
  try {
    accessSync(SHELL);
    return true;
  } catch {
    return false;
  }
}
