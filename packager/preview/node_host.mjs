// Answers the tool's questions: one line for each, `ID JSON`, and one back, `ID ok JSON` or `ID failed JSON`.
import { connect } from "node:net";
import { createInterface } from "node:readline";

/**
 * Connect to the tool, whose port and word are the first two arguments, and answer until it is gone.
 * @param {(question: any, id: string) => Promise<unknown>} answer
 */
export function host(answer) {
  const [port, word] = process.argv.slice(2);
  const socket = connect(Number(port), "127.0.0.1", () => socket.write(`${word}\n`));
  socket.setNoDelay(true);
  socket.on("error", () => process.exit(1));
  socket.on("close", () => process.exit(0));
  createInterface({ input: socket, crlfDelay: Infinity }).on("line", async (line) => {
    const space = line.indexOf(" ");
    const id = line.slice(0, space);
    try {
      const found = await answer(JSON.parse(line.slice(space + 1)), id);
      socket.write(`${id} ok ${JSON.stringify(found ?? null)}\n`);
    } catch (error) {
      console.error(error);
      socket.write(`${id} failed ${JSON.stringify(String(error))}\n`);
    }
  });
}
