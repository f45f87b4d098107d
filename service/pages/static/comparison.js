// Two versions beside each other: by how much they differ, on which classes, on which pictures.

import { byId, count, element, percent, points } from "./elements.js";
import { thumb } from "./digits.js";

const LEAST_SCALE = 0.02; // a share: so that a difference of one picture is no full bar

/**
 * Shows how the version `shown` differs from the version `other`. `readDisagreements` returns what
 * the report of a version, by its number, keeps of the pictures on which it was judged.
 */
export async function showComparison(shown, other, readDisagreements) {
  const [accuracy, others] = [shown, other].map((v) => v.metrics.test_accuracy);
  byId("comparison").hidden = false;
  byId("comparison-title").textContent = `Version ${shown.version} against version ${other.version}`;
  byId("difference").textContent = `${points(accuracy - others)} points`;
  byId("accuracies").textContent = `${percent(accuracy, 2)} of its test images right, against ${percent(others, 2)}.`;
  const [challenger, champion] = [[shown, other], [other, shown]].find(([one, than]) => one.verdict?.champion === than.version) ?? [];
  byId("judged").textContent = challenger ? judged(challenger, champion) : notJudged(shown, other);
  showClasses(shown, other);
  await showPictures(challenger, champion, readDisagreements);
}

/** Returns what was found when the one was new, and judged on the same images as the other. */
function judged({ version, verdict }, champion) {
  if (!verdict.rows) return verdict.reason;
  const { rows, gained, lost, margin, p_value: p, level } = verdict;
  const fallen = verdict.classes.filter((c) => c.lost - c.gained > verdict.class_margin * c.rows && c.p_value < level);
  const least = p < 0.001 ? "p < 0.001" : `p = ${p.toPrecision(2)}`;
  return `Of the same ${count(rows)} images version ${version} alone reads ${count(gained)} right, version ${champion.version} alone ${count(lost)}. `
    + `That version ${version} loses ${100 * margin} points or more is ${p < level ? "" : "not "}ruled out (${least}).`
    + (fallen.length ? ` Beyond chance it is worse on ${fallen.map((c) => c.label).join(", ")}.` : "");
}

function notJudged(shown, other) {
  const same = shown.dataset.sha256 === other.dataset.sha256;
  return same
    ? "Neither was judged against the other when it was new: a difference of a few images may be chance."
    : "They learnt from other data, and were tested on other images: the difference may come from these.";
}

function showClasses(shown, other) {
  const sameLabels = shown.labels.join("\n") === other.labels.join("\n");
  const matrices = [shown, other].map((v) => v.metrics.confusion_matrix);
  byId("classes-card").hidden = !sameLabels || !matrices.every(Boolean);
  if (byId("classes-card").hidden) return;
  const [mine, others] = matrices.map((matrix) => matrix.map((row, i) => right(row, i)));
  const differences = mine.map((share, i) => share - others[i]);
  const scale = Math.max(LEAST_SCALE, ...differences.filter(Number.isFinite).map(Math.abs));
  byId("classes-head").replaceChildren(...["Class", `Version ${shown.version}`, `Version ${other.version}`].map((name, i) =>
    element("th", { scope: "col", className: i ? "number" : "" }, name)), element("td", { className: "wide" }), element("th", { scope: "col", className: "number" }, "Points"));
  byId("classes").replaceChildren(...shown.labels.map((label, i) => element("tr", {},
    element("th", { scope: "row" }, label),
    ...[mine, others].map((shares) => element("td", { className: "number" }, Number.isFinite(shares[i]) ? percent(shares[i]) : "–")),
    element("td", { className: "wide" }, bar(differences[i], scale)),
    element("td", { className: "number" }, Number.isFinite(differences[i]) ? points(differences[i], 1) : "–"))));
}

/** Returns the share of a class's pictures that was read right; NaN where it has none. */
const right = (row, i) => row[i] / row.reduce((sum, number) => sum + number, 0);

function bar(difference, scale) {
  const track = element("span", { className: `by ${difference < 0 ? "less" : ""}`, ariaHidden: true }, element("i"));
  track.style.setProperty("--share", Math.abs(difference || 0) / scale);
  return track;
}

async function showPictures(challenger, champion, readDisagreements) {
  const found = challenger ? await readDisagreements(challenger.version) : [];
  byId("disagreements-card").hidden = !found.length;
  byId("disagreements").replaceChildren(...found.map((picture) => thumb(
    `A ${picture.label}, read as ${picture.challenger} by version ${challenger.version} and as ${picture.champion} by version ${champion.version}`,
    picture.pixels,
    element("b", {}, picture.label), ...said(picture.challenger, picture.label, challenger), ...said(picture.champion, picture.label, champion))));
}

function said(answer, label, { version }) {
  return [element("br"), `version ${version}: `, answer === label ? "right" : answer];
}
