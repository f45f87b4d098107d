// Versions in the shadow: how often they agree with what is answered, and where they do not.

import { byId, count, element, percent } from "./elements.js";
import { thumb } from "./digits.js";

/** Shows what the shadows of a model said: how often they agreed, and the latest pictures on which they did not. */
export function showShadows(shadows) {
  byId("shadows-section").hidden = !shadows.length;
  byId("shadows").replaceChildren(...shadows.map(agreed));
}

function agreed({ version, shadow, rows, agreement, disagreements }) {
  return element("div", { className: "card" },
    element("p", {}, `Version ${shadow} agrees with version ${version} on ${percent(agreement, 2)} of ${count(rows)} pictures.`),
    element("div", { className: "thumbs" }, ...disagreements.reverse().map((one) => picture(one, version, shadow))));
}

function picture({ answer, shadow_answer: other, pixels }, version, shadow) {
  return thumb(`Read as ${answer} by version ${version} and as ${other} by version ${shadow}`, pixels,
    `version ${version}: ${answer}`, element("br"), `version ${shadow}: ${other}`);
}
