// What is deployed where, drawn from what the server knows of the deployment: boxes in columns, and wires between them.

import { html } from "./html.mjs";
import { useStore } from "./store.mjs";

const COLUMN = 310;
const WIDTH = 232;
const GAP = 24;
const HEAD = 46;
const ROW = 18;

/**
 * @typedef {{ id: string, column: number, title: string, text: string, rows: string[], kind: string }} Box
 * @typedef {{ source: string, target: string, row: number | null, kind: string }} Wire
 * @typedef {{ box: Box, x: number, y: number }} Place
 */

/** @param {Box} box */
function heightOf(box) {
  return HEAD + (box.rows.length ? box.rows.length * ROW + 8 : 0);
}

/** Each box's place: columns are centred on each other. @param {Box[]} boxes */
function laidOut(boxes) {
  const columns = [0, 1, 2, 3].map((column) => boxes.filter((box) => box.column === column));
  const heights = columns.map((column) => column.reduce((sum, box) => sum + heightOf(box) + GAP, -GAP));
  const height = Math.max(...heights);
  /** @type {Map<string, Place>} */
  const places = new Map();
  columns.forEach((column, index) => {
    let y = (height - heights[index]) / 2;
    for (const box of column) {
      places.set(box.id, { box, x: index * COLUMN, y });
      y += heightOf(box) + GAP;
    }
  });
  const used = columns.filter((column) => column.length).length;
  return { places, width: (used - 1) * COLUMN + WIDTH, height };
}

export function Picture() {
  const { project } = useStore();
  if (!project) return null;
  const { boxes, wires } = project.picture;
  const { places, width, height } = laidOut(boxes);
  const label = `From the viewer on: ${boxes.map((/** @type {Box} */ box) => box.title).join(", ")}`;
  return html`<section class="picture" aria-label="Deployment">
    <h2>What is deployed where</h2>
    <div class="scroll" tabindex="0">
      <svg
        style=${{ width: `${width + 40}px` }}
        viewBox=${`-20 -20 ${width + 40} ${height + 40}`}
        role="img"
        aria-label=${label}
      >
        ${wires.map((/** @type {Wire} */ wire) => html`<path class=${`wire ${wire.kind}`} d=${curve(wire, places)} />`)}
        ${[...places.values()].map((place) => html`<${Drawn} ...${place} />`)}
      </svg>
    </div>
  </section>`;
}

/** @param {Wire} wire @param {Map<string, Place>} places */
function curve(wire, places) {
  const from = /** @type {Place} */ (places.get(wire.source));
  const to = /** @type {Place} */ (places.get(wire.target));
  if (from.box.column === to.box.column) {
    const x = from.x + WIDTH / 2;
    return `M${x} ${from.y + heightOf(from.box)} L${x} ${to.y}`;
  }
  const [x1, x2] = [from.x + WIDTH, to.x];
  const y1 = wire.row === null ? from.y + heightOf(from.box) / 2 : from.y + HEAD + wire.row * ROW + 5;
  const y2 = to.y + HEAD / 2;
  const bend = (x2 - x1) / 2;
  return `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

/** @param {Place} props */
function Drawn({ box, x, y }) {
  return html`<g transform=${`translate(${x} ${y})`}>
    <rect class=${`box ${box.kind}`} width=${WIDTH} height=${heightOf(box)} rx="8" />
    <text class="title" x="12" y="19">${short(box.title, 28)}</text>
    <text class="small" x="12" y="35">${short(box.text, 33)}</text>
    ${box.rows.map((row, at) => html`<text class="rows" x="12" y=${HEAD + at * ROW + 9}>${short(row, 29)}<title>${row}</title></text>`)}
  </g>`;
}

/** @param {string} text @param {number} most */
function short(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
