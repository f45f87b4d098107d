// Paints 28 x 28 pixels: a digit as the network sees it, and what its pixels did.

import { element } from "./elements.js";

const SIDE = 28;

/** Paints pixels of 0-255, ink on paper, onto a canvas. */
export function paintInk(canvas, pixels) {
  const colour = colourOf(canvas, "--ink");
  paint(canvas, pixels, (ink) => [colour, ink / 255]);
}

/** Paints what each pixel's ink did for the answer: for it in the accent colour, against it grey. */
export function paintDeeds(canvas, pixels, saliency) {
  const deeds = pixels.map((ink, i) => ink * saliency[i]);
  const most = Math.max(...deeds.map(Math.abs)) || 1;
  const [good, bad] = [colourOf(canvas, "--accent"), colourOf(canvas, "--second")];
  paint(canvas, deeds, (deed) => [deed > 0 ? good : bad, Math.sqrt(Math.abs(deed) / most)]);
}

/** Returns a small picture of 28 x 28 pixels, in rows, with what stands below it. */
export function thumb(label, pixels, ...caption) {
  const canvas = element("canvas", { className: "thumb", width: SIDE, height: SIDE, role: "img", ariaLabel: label });
  queueMicrotask(() => paintInk(canvas, pixels.flat()));
  return element("figure", {}, canvas, element("figcaption", {}, ...caption));
}

export function wipe(canvas) {
  canvas.getContext("2d").clearRect(0, 0, SIDE, SIDE);
}

function paint(canvas, values, look) {
  const context = canvas.getContext("2d");
  const picture = context.createImageData(SIDE, SIDE);
  values.forEach((value, i) => {
    const [colour, strength] = look(value);
    picture.data.set([...colour, 255 * strength], 4 * i);
  });
  context.putImageData(picture, 0, 0);
}

/** Returns red, green and blue of a colour of the stylesheet, which are written as #rrggbb. */
function colourOf(canvas, name) {
  const text = getComputedStyle(canvas).getPropertyValue(name).trim();
  return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
}
