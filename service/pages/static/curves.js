// The curves of a training run, from its history: loss, and accuracy on what was held back.

import { drawChart } from "./chart.js";
import { byId } from "./elements.js";

/** Draws both; `runs` tells whether epochs are still to come. */
export function drawCurves(history, epochs, runs) {
  const nothing = runs ? "The first epoch is on its way." : "No epoch came to its end.";
  const points = (key) => history.filter((line) => Number.isFinite(line[key])).map((line) => [line.epoch, line[key]]);
  drawChart(byId("loss"), {
    lines: [{ name: "training", points: points("loss") }, { name: "validation", points: points("validation_loss") }].filter((line) => line.points.length),
    until: epochs,
    none: nothing,
    unit: (value, exact) => (exact ? value.toPrecision(3) : Number(value.toPrecision(2)).toString()),
  });
  drawChart(byId("accuracy"), {
    lines: [{ name: "validation", points: points("validation_accuracy") }],
    until: epochs,
    none: history.length ? "No images were held back to measure it on while it learnt." : nothing,
    unit: (value, exact) => `${exact ? (100 * value).toFixed(2) : Number((100 * value).toFixed(1))}\u00a0%`,
    top: 1,
  });
}
