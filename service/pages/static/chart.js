// Line charts in our own SVG: two axes, a few lines, a legend.

import { element } from "./elements.js";

const HEIGHT = 220;
const MARGIN = { top: 10, right: 12, bottom: 26, left: 52 };
const SVG = "http://www.w3.org/2000/svg";

/**
 * Draws lines into `place`, anew each time. `lines` are {name, points: [[x, y], …]}: the last one in
 * the accent colour. `unit(y)` writes a value of the y axis; x counts epochs up to `until`;
 * `none` is said where there is no line.
 */
export function drawChart(place, { lines, until, unit, top, none }) {
  const drawn = lines.filter((line) => line.points.length);
  if (!drawn.length) return place.replaceChildren(element("p", { className: "fine waiting" }, none));
  const width = Math.max(place.clientWidth, 240);
  const values = drawn.flatMap((line) => line.points.map(([, y]) => y));
  const [low, high] = top === undefined ? [0, nice(Math.max(...values))] : [floor(Math.min(...values)), top];
  const last = Math.max(until, 2);
  const x = (epoch) => MARGIN.left + ((epoch - 1) / (last - 1)) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - ((value - low) / (high - low || 1)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": summary(drawn, unit) });
  for (let step = 0; step <= 4; step++) {
    const value = low + ((high - low) * step) / 4;
    svg.append(shape("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value), class: "grid" }));
    svg.append(text(unit(value), { x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }));
  }
  for (const epoch of new Set([1, Math.round((1 + last) / 2), last])) {
    svg.append(text(epoch, { x: x(epoch), y: HEIGHT - 6, "text-anchor": epoch === last ? "end" : "middle" }));
  }
  drawn.forEach((line) => {
    const kind = line === lines.at(-1) ? "first" : "second";
    const points = line.points.map(([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`);
    if (points.length > 1) svg.append(shape("polyline", { points: points.join(" "), class: kind }));
    const [cx, cy] = points.at(-1).split(",");
    svg.append(shape("circle", { cx, cy, r: 3.5, class: kind }));
  });
  const legend = [...drawn].reverse().map((line) => element("span", {}, `${line.name} ${unit(line.points.at(-1)[1], true)}`));
  place.replaceChildren(svg, element("p", { className: "key" }, ...legend));
}

function summary(lines, unit) {
  return lines.map(({ name, points }) => `${name}: ${unit(points[0][1], true)} after epoch ${points[0][0]}, ${unit(points.at(-1)[1], true)} after epoch ${points.at(-1)[0]}`).join("; ");
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function text(content, attributes) {
  const made = shape("text", attributes);
  made.textContent = content;
  return made;
}

/** Returns the next number above that is short to write. */
function nice(number) {
  const power = 10 ** Math.floor(Math.log10(number || 1));
  return [1, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= number);
}

/** Returns the next of a few round shares below, so that high accuracies are told apart. */
const floor = (share) => [0.98, 0.96, 0.92, 0.9, 0.8, 0.6].find((step) => step <= share) ?? 0;
