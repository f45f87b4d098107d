// Ten bars, a row for each label; of two versions the second's below the first's.

import { byId, element, percent } from "./elements.js";

/** Moves the bars of `labels` to what the first and the second prediction say; either may be null. */
export function showBars(labels, first, second) {
  const bars = byId("bars");
  if (bars.childElementCount !== labels.length) {
    bars.replaceChildren(...labels.map((label) => element("li", {},
      element("span", {}, label),
      element("span", { className: "track", ariaHidden: "true" }, track(), track()),
      element("span", { className: "share" }, "–"))));
  }
  labels.forEach((label, i) => {
    const row = bars.children[i];
    const [one, other] = row.querySelectorAll(".track span");
    row.className = label === first?.label ? "best" : "";
    one.firstChild.style.transform = `scaleX(${first ? first.probabilities[i] : 0})`;
    other.hidden = !second;
    other.firstChild.style.transform = `scaleX(${second ? second.probabilities[i] : 0})`;
    row.lastChild.textContent = first ? percent(first.probabilities[i]) : "–";
  });
}

const track = () => element("span", {}, element("i"));
