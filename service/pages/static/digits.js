// Paints 28 x 28 pixels: a digit as the network sees it, and what its pixels did.

const SIDE = 28;

/** Paints pixels of 0-255, ink on paper, onto a canvas. */
export function paintInk(canvas, pixels) {
  const colour = getComputedStyle(canvas).getPropertyValue("--ink");
  paint(canvas, pixels, (ink) => [colour, ink / 255]);
}

/** Paints what each pixel's ink did for the answer: for it in the accent colour, against it grey. */
export function paintDeeds(canvas, pixels, saliency) {
  const deeds = pixels.map((ink, i) => ink * saliency[i]);
  const most = Math.max(...deeds.map(Math.abs)) || 1;
  const style = getComputedStyle(canvas);
  const [good, bad] = [style.getPropertyValue("--accent"), style.getPropertyValue("--second")];
  paint(canvas, deeds, (deed) => [deed > 0 ? good : bad, Math.sqrt(Math.abs(deed) / most)]);
}

export function wipe(canvas) {
  canvas.getContext("2d").clearRect(0, 0, SIDE, SIDE);
}

function paint(canvas, values, look) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, SIDE, SIDE);
  values.forEach((value, i) => {
    const [colour, strength] = look(value);
    if (!strength) return;
    context.globalAlpha = strength;
    context.fillStyle = colour;
    context.fillRect(i % SIDE, Math.floor(i / SIDE), 1, 1);
  });
}
