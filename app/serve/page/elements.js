// Elements and the words in them.

export const byId = (id) => document.getElementById(id);

// make("button", {type: "button", onclick: f}, "Draw"): text goes in as text, never as HTML.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value != null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export const say = (text) => { byId("status").textContent = text; };

// As a sentence begins and ends.
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

export function complain(error) {
  byId("alert-text").textContent = sentence(error instanceof Error ? error.message : error);
  byId("alert").hidden = false;
}
export const endComplaint = () => { byId("alert").hidden = true; };

// f, whose errors are shown.
export const guarded = (f) => async (...values) => {
  try {
    return await f(...values);
  } catch (error) {
    complain(error);
  }
};

export const plural = (n, one, many = one + "s") => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

export function duration(seconds) {
  if (seconds < 1) return `${Math.round(1000 * seconds)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

// 4 digits or so, as people write them.
export function short(number) {
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return number.toExponential(2).replace(/\.?0*e\+?/, "e");
  return String(Number(number.toPrecision(4)));
}

// Pictures of few pixels are shown with each pixel sharp.
export function showPixels(image) {
  const decide = () => image.classList.toggle("pixels", image.naturalWidth > 0 && image.naturalWidth <= 128);
  image.addEventListener("load", decide);
  return image;
}

export const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
