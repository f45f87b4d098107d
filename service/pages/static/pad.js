// The drawing pad: strokes, by pen, finger, mouse or keyboard, and how they look at 28 x 28 pixels.

const SIDE = 28;
const BOX = 20; // MNIST's digits fill 20 of the 28 pixels
const LINE = 2.3; // and their strokes are so thick
const SMALLEST = 0.15; // of the pad: what is smaller is not enlarged further, a dot stays a dot
const PEN = 0.075; // of the pad: how thick strokes look there
const KEY_STEP = 0.04; // of the pad: how far an arrow key moves the pen

export class Pad {
  /** `changed(event)` is called whenever the drawing is another. */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.strokes = [];
    this.picture = null;
    this.pen = { x: 0.5, y: 0.25, shown: false, down: false };
    this.small = document.createElement("canvas");
    this.small.width = this.small.height = SIDE;
    this.context = this.small.getContext("2d", { willReadFrequently: true });
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.extend(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.end(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => { this.pen.shown = this.pen.down = false; this.draw(); });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  get isEmpty() {
    return this.strokes.length === 0;
  }

  clear(event) {
    this.strokes = [];
    this.picture = null;
    this.pen = { x: 0.5, y: 0.25, shown: this.pen.shown, down: false };
    this.update(event);
  }

  undo(event) {
    this.strokes.pop();
    this.pen.down = false;
    this.update(event);
  }

  /** Shows a picture in the place of a drawing; `box` is where the digit was found in it. */
  show(bitmap, box = null) {
    this.strokes = [];
    this.picture = { bitmap, box };
    this.draw();
  }

  /** Returns the drawing as MNIST frames its digits: 784 bytes, 0 for paper, 255 for ink. */
  pixels() {
    const points = this.strokes.flat();
    const [left, right] = extent(points.map((point) => point.x));
    const [top, bottom] = extent(points.map((point) => point.y));
    const scale = (BOX - LINE) / Math.max(right - left, bottom - top, SMALLEST);
    let shift = { x: SIDE / 2 - (scale * (left + right)) / 2, y: SIDE / 2 - (scale * (top + bottom)) / 2 };
    const { x, y } = centre(this.render(scale, shift));
    shift = { x: shift.x + SIDE / 2 - x, y: shift.y + SIDE / 2 - y };
    return this.render(scale, shift);
  }

  render(scale, shift) {
    this.context.fillStyle = "#000";
    this.context.fillRect(0, 0, SIDE, SIDE);
    this.context.setTransform(scale, 0, 0, scale, shift.x, shift.y);
    trace(this.context, this.strokes, "#fff", LINE / scale);
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    const colours = this.context.getImageData(0, 0, SIDE, SIDE).data;
    return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => colours[4 * i]);
  }

  begin(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.picture = null;
    this.pen.shown = false;
    this.drawing = event.pointerId;
    this.strokes.push([this.place(event)]);
    this.update(event);
  }

  extend(event) {
    if (this.drawing !== event.pointerId) return;
    const between = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    const stroke = this.strokes.at(-1);
    for (const point of between.length ? between : [event]) stroke.push(this.place(point));
    this.update(event);
  }

  end(event) {
    if (this.drawing === event.pointerId) this.drawing = null;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step && ![" ", "Backspace", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Backspace") return this.undo(event);
    if (event.key === "Escape") return this.clear(event);
    this.picture = null;
    this.pen.shown = true;
    if (step) {
      this.pen.x = Math.min(0.95, Math.max(0.05, this.pen.x + step[0] * KEY_STEP));
      this.pen.y = Math.min(0.95, Math.max(0.05, this.pen.y + step[1] * KEY_STEP));
      if (this.pen.down) this.strokes.at(-1).push({ x: this.pen.x, y: this.pen.y });
    } else {
      this.pen.down = !this.pen.down;
      if (this.pen.down) this.strokes.push([{ x: this.pen.x, y: this.pen.y }]);
    }
    if (this.pen.down) this.update(event);
    else this.draw();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  update(event) {
    this.draw();
    this.changed(event);
  }

  draw() {
    const { canvas, pen } = this;
    const size = Math.round(canvas.clientWidth * devicePixelRatio);
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    const colours = getComputedStyle(canvas);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, size, size);
    context.setTransform(size, 0, 0, size, 0, 0);
    if (this.picture) this.drawPicture(context, colours);
    trace(context, this.strokes, colours.getPropertyValue("--ink"), PEN);
    if (pen.shown) {
      context.beginPath();
      context.arc(pen.x, pen.y, pen.down ? 0.03 : 0.045, 0, 7);
      context.strokeStyle = context.fillStyle = colours.getPropertyValue("--accent");
      context.lineWidth = 0.008;
      if (pen.down) context.fill();
      else context.stroke();
    }
  }

  drawPicture(context, colours) {
    const { bitmap, box } = this.picture;
    const scale = 1 / Math.max(bitmap.width, bitmap.height);
    const left = (1 - bitmap.width * scale) / 2;
    const top = (1 - bitmap.height * scale) / 2;
    context.drawImage(bitmap, left, top, bitmap.width * scale, bitmap.height * scale);
    if (!box) return;
    context.strokeStyle = colours.getPropertyValue("--accent");
    context.lineWidth = 0.008;
    const [x, y, width, height] = box.map((length) => length * scale);
    const room = 0.015;
    context.strokeRect(left + x - room, top + y - room, width + 2 * room, height + 2 * room);
  }
}

/** Draws strokes as round, smooth lines. */
function trace(context, strokes, colour, width) {
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = colour;
  context.lineWidth = width;
  for (const points of strokes) {
    context.beginPath();
    context.moveTo(points[0].x, points[0].y);
    for (let i = 1; i < points.length - 1; i++) {
      const middle = { x: (points[i].x + points[i + 1].x) / 2, y: (points[i].y + points[i + 1].y) / 2 };
      context.quadraticCurveTo(points[i].x, points[i].y, middle.x, middle.y);
    }
    context.lineTo(points.at(-1).x, points.at(-1).y);
    context.stroke();
  }
}

/** Returns the centre of mass of 784 pixels, in pixels from the upper left corner. */
function centre(pixels) {
  let mass = 0, x = 0, y = 0;
  pixels.forEach((ink, i) => {
    mass += ink;
    x += ink * ((i % SIDE) + 0.5);
    y += ink * (Math.floor(i / SIDE) + 0.5);
  });
  return { x: x / mass, y: y / mass };
}

const extent = (numbers) => [Math.min(...numbers), Math.max(...numbers)];
