// The picture to start from, and the mask painted over it: what is painted is drawn anew.
import {byId, guarded} from "/elements.js";

// A larger picture is made smaller before it is sent: models draw fewer pixels than that.
const MOST_SIDE = 1024;
const PAINT = "#e6007e";  // seen on nearly all pictures

let start = null;  // the data URL
let painted = false;
let changed = () => {};
let before = null;  // where the brush was

const picture = () => byId("start-canvas");
const mask = () => byId("mask-canvas");

const readUrl = (blob) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(blob);
});

async function decode(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    throw new Error("This file is no picture that the browser can read.");
  }
  return image;
}

async function showStart(url) {
  const image = await decode(url);
  const width = image.naturalWidth, height = image.naturalHeight;
  const square = Math.min(width, height), side = Math.min(square, MOST_SIDE);
  for (const canvas of [picture(), mask()]) canvas.width = canvas.height = side;
  const context = picture().getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, (width - square) / 2, (height - square) / 2, square, square, 0, 0, side, side);
  // What needs no cropping is sent as it is, so that its recipe names the very file.
  start = width === side && height === side ? url : picture().toDataURL("image/png");
  painted = false;
}

export async function setStart(blob) {
  await showStart(await readUrl(blob));
  show();
}

// From what a request said of it.
export async function restoreStart({init, mask: maskOfRequest}) {
  if (!init) return removeStart();
  await showStart(init);
  if (maskOfRequest) await paintAsIn(maskOfRequest);
  show();
}

async function paintAsIn(url) {
  const context = mask().getContext("2d");
  context.drawImage(await decode(url), 0, 0);
  const pixels = context.getImageData(0, 0, mask().width, mask().height);
  for (let i = 0; i < pixels.data.length; i += 4) pixels.data[i + 3] = pixels.data[i];
  context.putImageData(pixels, 0, 0);
  fill(context, PAINT, "source-in");
  painted = true;
}

export function removeStart() {
  start = null;
  painted = false;
  byId("start-file").value = "";
  show();
}

function show() {
  byId("start-edit").hidden = start === null;
  byId("start-drop").hidden = start !== null;
  if (start !== null) byId("start-fold").open = true;
  byId("mask-stack").classList.toggle("pixels", picture().width <= 128);
  changed();
}

function fill(context, colour, how) {
  context.globalCompositeOperation = how;
  context.fillStyle = colour;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  context.globalCompositeOperation = "source-over";
}

// White where it is painted, black elsewhere.
function maskUrl() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = mask().width;
  const context = canvas.getContext("2d");
  context.drawImage(mask(), 0, 0);
  fill(context, "#fff", "source-in");
  fill(context, "#000", "destination-over");
  return canvas.toDataURL("image/png");
}

export const hasStart = () => start !== null;

// What a request says of it.
export function startOfRequest() {
  if (start === null) return {};
  return painted ? {init: start, mask: maskUrl()} : {init: start};
}

export const describeStart = () => start === null ? "" : painted ? "with a mask" : "chosen";

function place(event) {
  const box = mask().getBoundingClientRect();
  const scale = mask().width / box.width;
  return {x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale};
}

function paintTo(to) {
  const context = mask().getContext("2d");
  context.strokeStyle = PAINT;
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = Math.max(1, mask().width * Number(byId("brush").value) / 100);
  context.beginPath();
  context.moveTo(before.x, before.y);
  context.lineTo(to.x, to.y);
  context.stroke();
  before = to;
  painted = true;
}

function clearMask() {
  mask().getContext("2d").clearRect(0, 0, mask().width, mask().height);
  painted = false;
  changed();
}

function invertMask() {
  const context = mask().getContext("2d");
  fill(context, PAINT, "source-out");
  painted = context.getImageData(0, 0, mask().width, mask().height).data.some((value) => value > 0);
  changed();
}

function listenToBrush() {
  mask().addEventListener("pointerdown", (event) => {
    mask().setPointerCapture(event.pointerId);
    before = place(event);
    paintTo(before);
  });
  mask().addEventListener("pointermove", (event) => {
    if (before) for (const part of event.getCoalescedEvents?.() ?? [event]) paintTo(place(part));
  });
  for (const end of ["pointerup", "pointercancel"])
    mask().addEventListener(end, () => {
      before = null;
      changed();
    });
}

// Calls `onChange` when there is another picture or mask.
export function listenToStart(onChange) {
  changed = onChange;
  listenToBrush();
  byId("mask-clear").onclick = clearMask;
  byId("mask-invert").onclick = invertMask;
  byId("start-remove").onclick = removeStart;
  byId("start-file").onchange = guarded(async (event) => {
    if (event.target.files.length > 0) await setStart(event.target.files[0]);
  });
}
