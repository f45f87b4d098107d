// Builds elements, and writes numbers and times as people read them.

/** Returns an element with properties, or attributes where it has no such property, and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

/**
 * Shows what went wrong as a sentence at the element of that id, and perhaps a link as a way out;
 * nothing where there is no error.
 */
export function showProblem(id, error, way = null) {
  const place = byId(id);
  place.replaceChildren(error ? error.message : "", ...(error && way ? [" ", way] : []));
  place.hidden = !error;
}

/** Shows that nothing has the page's address, and why, in place of what else is on the page. */
export function showUnknown(error) {
  const unknown = byId("unknown");
  for (const part of byId("main").children) part.hidden = part !== unknown;
  byId("unknown-detail").textContent = error.message;
}

export const percent = (share, digits = 1) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)}\u00a0%`);

/** Returns by how much one share is more than another, in hundredths. */
export function points(difference, digits = 2) {
  const number = (100 * Math.abs(difference)).toFixed(digits);
  return Number(number) ? `${difference > 0 ? "+" : "\u2212"}${number}` : number;
}

/** Returns a dotted name that breaks between its parts only. */
export const breakable = (name) => name.split(/(?<=[._])/).flatMap((part) => [element("wbr"), part]).slice(1);

/** Returns the data that a job learns from, as one name. */
export const dataOf = ({ dataset }) => [dataset].flat().join(" + ");

export const count = (number) => (number === null || number === undefined ? "–" : number.toLocaleString("en"));

/** Returns a length of time in the largest units that matter: 45 s, 3 min 20 s, 2 h 5 min. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Returns a time element that says how long ago a moment was, and when exactly on hovering. */
export function moment(stamp) {
  if (!stamp) return element("span", {}, "–");
  const at = new Date(stamp);
  return element("time", { dateTime: stamp, title: at.toLocaleString() }, ago(at));
}

function ago(at) {
  const seconds = (Date.now() - at) / 1000;
  if (seconds < 10) return "just now";
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]]) {
    const number = Math.floor(seconds / length);
    if (unit === "day" && number > 30) return at.toLocaleDateString();
    if (number) return `${number} ${unit}${number > 1 ? "s" : ""} ago`;
  }
  return "just now";
}
