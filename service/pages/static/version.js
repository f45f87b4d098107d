// A version: what is known of it, how it learnt, what it gets wrong; and another beside it.

import { address, page, send } from "./api.js";
import { drawCalibration } from "./calibration.js";
import { drawCurves } from "./curves.js";
import { showComparison } from "./comparison.js";
import { thumb } from "./digits.js";
import { breakable, byId, count, duration, element, moment, percent, showProblem, showUnknown } from "./elements.js";

const { model, version } = byId("version").dataset;
const get = (number) => send(address("models", model, "versions", number));
const reportOf = (number, ...file) => address("models", model, "versions", number, "report", ...file);
const report = (...file) => reportOf(version, ...file);
let shown = null, mistaken = [], cells = null, hasCells = false;

const FACTS = [
  ["Accuracy on the test images", (v) => percent(v.metrics.test_accuracy, 2)],
  ["Test images", (v) => count(v.dataset.test_rows)],
  ["Data", (v) => `${v.dataset.name}, ${count(v.dataset.train_rows)} images to learn from`],
  ["Network", (v) => breakable(v.layers.map(layer).join(", "))],
  ["Optimizer", (v) => (v.config.optimizer ? `${v.config.optimizer.type}, learning rate ${v.config.optimizer.learning_rate}` : "–")],
  ["Epochs", (v) => count(v.history.length)],
  ["Training", (v) => duration(v.metrics.training_seconds)],
  ["Seed", (v) => v.seed],
  ["Parent", (v) => (v.parent ? `version ${v.parent}` : "none")],
  ["Made", (v) => moment(v.created_at)],
  ["Job", (v) => (v.job_id ? element("a", { href: page("jobs", v.job_id) }, v.job_id.slice(0, 8)) : "–")],
  ["SHA-256 of the weights", (v) => element("code", {}, v.weights_sha256.slice(0, 16))],
];

function layer({ type, units, filters }) {
  return units || filters ? `${type} ${units ?? filters}` : type;
}

async function show() {
  shown = await get(version);
  byId("version").hidden = false;
  byId("title").textContent = `${model} version ${shown.version}`;
  byId("aliases").replaceChildren(...shown.aliases.map((alias) => element("span", { className: `status ${alias}` }, alias)));
  byId("verdict").textContent = shown.verdict ? `How it was judged: ${shown.verdict.reason}` : "";
  showFacts([shown]);
  drawCurves(shown.history, shown.history.length);
  showConfusion(shown.metrics.confusion_matrix);
  await Promise.all([listOthers(), showReport()]);
}

function showFacts(versions) {
  const names = versions.length > 1
    ? [element("tr", {}, element("td", {}), ...versions.map((v) => element("th", { scope: "col" }, `Version ${v.version}`)))]
    : [];
  byId("facts").replaceChildren(...names, ...FACTS.map(([name, value]) => element("tr", {},
    element("th", { scope: "row" }, name), ...versions.map((v) => element("td", {}, ...[value(v)].flat())))));
}

async function listOthers() {
  const { versions } = await send(`${address("models", model, "versions")}?limit=100`);
  const others = versions.filter((row) => row.version !== shown.version);
  byId("other").replaceChildren(element("option", { value: "" }, "no other version"),
    ...others.map((row) => element("option", { value: row.version }, `version ${row.version}`)));
  byId("other").onchange = ({ target }) => compareWith(target.value).catch((error) => showProblem("problem", error));
}

async function compareWith(number) {
  showProblem("problem", null);
  byId("comparison").hidden = !number;
  const other = number ? await get(number) : null;
  showFacts(other ? [shown, other] : [shown]);
  if (other) await showComparison(shown, other, readDisagreements);
}

async function readDisagreements(number) {
  const { files } = await send(reportOf(number));
  return files.includes("disagreements.json") ? (await send(reportOf(number, "disagreements.json"))).disagreements : [];
}

function showConfusion(matrix) {
  byId("confusion-card").hidden = !matrix;
  if (!matrix) return;
  const head = element("tr", {}, element("td", {}), ...shown.labels.map((label) => element("th", { scope: "col" }, label)));
  const rows = matrix.map((line, i) => element("tr", {},
    element("th", { scope: "row" }, shown.labels[i]), ...line.map((number, j) => cell(number, i, j, line))));
  byId("confusion").replaceChildren(element("table", { className: "confusion" }, element("tbody", {}, head, ...rows)));
}

function cell(number, i, j, line) {
  const [label, answer] = [shown.labels[i], shown.labels[j]];
  const button = element("button", { type: "button", disabled: !number, ariaLabel: `${number} times ${label} was read as ${answer}` }, number || "");
  const share = number / line.reduce((sum, more) => sum + more, 0);
  button.style.setProperty("--share", `${Math.round(100 * (i === j ? 0.25 * share : Math.min(1, 0.15 + 12 * share)))}%`);
  if (i !== j && number) button.classList.add("miss");
  button.onclick = () => showCell(label, answer).catch((error) => showProblem("problem", error));
  return element("td", {}, button);
}

async function showReport() {
  const { files } = await send(report());
  const read = (name, empty) => (files.includes(name) ? send(report(name)) : empty);
  const [{ mistakes }, calibration] = await Promise.all([read("mistakes.json", { mistakes: [] }), read("calibration.json", null)]);
  mistaken = mistakes;
  showMistakes();
  hasCells = files.includes("cells.json");
  byId("calibration-card").hidden = !calibration;
  if (calibration) drawCalibration(byId("calibration"), calibration);
}

function showMistakes() {
  byId("mistakes-section").hidden = !mistaken.length;
  byId("mistakes-title").textContent = "Its most confident mistakes";
  byId("all").hidden = true;
  byId("mistakes").replaceChildren(...mistaken.map(misread));
}

/** Shows the pictures in a cell; they are asked for with the first click. */
async function showCell(label, answer) {
  cells ||= hasCells ? (await send(report("cells.json"))).pictures : mistaken;
  const found = cells.filter((picture) => picture.label === label && picture.answer === answer);
  byId("mistakes-section").hidden = false;
  byId("mistakes-title").textContent = `${label} read as ${answer}`;
  byId("all").hidden = false;
  byId("mistakes").replaceChildren(...found.map(misread));
  byId("mistakes-section").scrollIntoView({ block: "nearest" });
}

function misread({ label, answer, probability, pixels }) {
  const sure = probability ? `, ${percent(probability, 0)} sure` : "";
  return thumb(`A ${label}, read as ${answer}`, pixels, element("b", {}, label), ` read as ${answer}${sure}`);
}

byId("all").onclick = showMistakes;
addEventListener("resize", () => shown && drawCurves(shown.history, shown.history.length));
show().catch((error) => {
  if (error.status === 404 && !shown) showUnknown(error);
  else showProblem("problem", error, element("a", { href: page("models") }, "All models"));
});
