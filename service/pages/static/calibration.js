// How sure a version was against how often it was right: on the diagonal it knows what it knows.

import { element, percent } from "./elements.js";

const SIDE = 260, LEFT = 46, TOP = 10, BELOW = 40;
const at = (share) => LEFT + share * SIDE;
const up = (share) => TOP + (1 - share) * SIDE;

export function drawCalibration(place, { served, temperature }) {
  const bins = served.bins.filter((bin) => bin.accuracy !== null);
  const points = bins.map((bin) => `${at(bin.confidence).toFixed(1)},${up(bin.accuracy).toFixed(1)}`);
  const ticks = [0, 0.5, 1].map((share) => `
    <line class="grid" x1="${LEFT}" x2="${LEFT + SIDE}" y1="${up(share)}" y2="${up(share)}"/>
    <text x="${LEFT - 8}" y="${up(share) + 4}" text-anchor="end">${100 * share} %</text>
    <text x="${at(share)}" y="${TOP + SIDE + 18}" text-anchor="middle">${100 * share} %</text>`);
  const dots = points.map((point) => { const [x, y] = point.split(","); return `<circle class="first" cx="${x}" cy="${y}" r="3.5"/>`; });
  const error = percent(served.expected_calibration_error, 2);
  place.innerHTML = `<svg class="square" viewBox="0 0 ${LEFT + SIDE + 24} ${TOP + SIDE + BELOW}" role="img" aria-label="Expected calibration error ${error}">
    ${ticks.join("")}
    <polyline class="second dashed" points="${at(0)},${up(0)} ${at(1)},${up(1)}"/>
    <polyline class="first" points="${points.join(" ")}"/>${dots.join("")}
    <text x="${at(0.5)}" y="${TOP + SIDE + 36}" text-anchor="middle">how sure</text></svg>`;
  const note = temperature === null ? "" : `, at a temperature of ${temperature.toFixed(2)}`;
  place.append(element("p", { className: "fine" }, `Sure and right differ by ${error} on average${note}.`));
}
