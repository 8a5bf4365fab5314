// Plots: curves over steps, and values with intervals.
import {make, short} from "/elements.js";

const HEIGHT = 200;
const MARGIN = {left: 52, right: 12, top: 10, bottom: 24};
const LOG_FROM = 8;  // largest over smallest value
const MOST_POINTS = 800;
// Outliers of the raw values, beyond which the axis does not reach.
const OUTLIERS = 0.01;

const svg = (tag, attributes, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

// The mean of the values about each step: so many of them, and at the ends those that there are.
export function smoothed(points, window) {
  const half = window >> 1, sums = [0];
  for (const [, value] of points) sums.push(sums.at(-1) + value);
  return points.map(([step], i) => {
    const begin = Math.max(0, i - half), end = Math.min(points.length, i + half + 1);
    return [step, (sums[end] - sums[begin]) / (end - begin)];
  });
}

const valuesOf = (points) => points.map(([, value]) => value);

// The least and the largest of each stretch, so that no spike gets lost.
function thinned(points) {
  const stretch = Math.ceil(2 * points.length / MOST_POINTS);
  if (stretch <= 2) return points;
  const kept = [];
  for (let begin = 0; begin < points.length; begin += stretch) {
    const sorted = points.slice(begin, begin + stretch).sort((a, b) => a[1] - b[1]);
    kept.push(...[sorted[0], sorted.at(-1)].sort((a, b) => a[0] - b[0]));
  }
  return kept;
}

// Of all values that must be seen, and all others but outliers.
function rangeOf(values, others) {
  const sorted = [...others].sort((a, b) => a - b), cut = Math.floor(sorted.length * OUTLIERS);
  const kept = [...values, ...sorted.slice(cut, sorted.length - cut)];
  const low = kept.reduce((a, b) => Math.min(a, b), Infinity), high = kept.reduce((a, b) => Math.max(a, b), -Infinity);
  return low === high ? [low - Math.abs(low) / 10 - 1e-9, high + Math.abs(high) / 10 + 1e-9] : [low, high];
}

function linearTicks([low, high], count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => power * factor >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) ticks.push(Number(tick.toPrecision(12)));
  return ticks;
}

function logTicks([low, high]) {
  const ticks = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
    ticks.push(...[1, 2, 5].map((factor) => Number((power * factor).toPrecision(6))));
  return ticks.filter((tick) => tick >= low && tick <= high);
}

// Where values stand on the axis of y, 0 at its foot and 1 at its top.
function valueAxis(range, mayBeLog) {
  if (mayBeLog && range[0] > 0 && range[1] / range[0] > LOG_FROM) {
    const [low, high] = range.map(Math.log);
    return {ticks: logTicks(range), place: (value) => (Math.log(value) - low) / (high - low)};
  }
  const room = 0.05 * (range[1] - range[0]), low = range[0] - room, high = range[1] + room;
  return {ticks: linearTicks([low, high], 4), place: (value) => (value - low) / (high - low)};
}

function drawAxes(frame, steps, axis) {
  const grid = svg("g", {class: "axes"});
  for (const tick of axis.ticks) {
    const y = frame.y(tick);
    grid.append(svg("line", {x1: MARGIN.left, x2: frame.width - MARGIN.right, y1: y, y2: y}),
      svg("text", {x: MARGIN.left - 8, y: y + 4, "text-anchor": "end"}, short(tick)));
  }
  for (const tick of linearTicks(steps, frame.width < 600 ? 5 : 8))
    grid.append(svg("text", {x: frame.x(tick), y: HEIGHT - 6, "text-anchor": "middle"}, tick.toLocaleString("en")));
  return grid;
}

const pathOf = (points, frame) =>
  points.map(([step, value], i) => `${i ? "L" : "M"}${frame.x(step).toFixed(1)} ${frame.y(value).toFixed(1)}`).join("");

const drawCurve = (curve, frame) => svg("path", {class: `curve ${curve.kind}`, d: pathOf(thinned(curve.points), frame)});

function drawIntervals(intervals, frame) {
  return intervals.map(([step, low, high]) => {
    const x = frame.x(step);
    return svg("line", {class: "interval", x1: x, x2: x, y1: frame.y(low), y2: frame.y(high)});
  });
}

const drawDots = (points, frame) =>
  points.map(([step, value]) => svg("circle", {class: "dot", cx: frame.x(step), cy: frame.y(value), r: 3}));

function nearest(points, step) {
  let low = 0, high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < step) low = middle + 1;
    else high = middle;
  }
  return low > 0 && step - points[low - 1][0] < points[low][0] - step ? low - 1 : low;
}

function describeAt(plot, index) {
  const [step, value] = plot.curve.points[index];
  const interval = plot.intervals?.find(([at]) => at === step);
  return `${short(value)}${interval ? ` (${short(interval[1])} to ${short(interval[2])})` : ""} at step ${step.toLocaleString("en")}`;
}

// A line and words at the step under the mouse.
function listenToPointer(figure, picture, plot, frame) {
  const line = svg("line", {class: "pointer", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, visibility: "hidden"});
  const reading = figure.querySelector(".reading"), newest = describeAt(plot, plot.curve.points.length - 1);
  reading.textContent = newest;
  picture.append(line);
  picture.onpointermove = (event) => {
    const index = nearest(plot.curve.points, frame.step(event.clientX - picture.getBoundingClientRect().left));
    const x = frame.x(plot.curve.points[index][0]);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    line.setAttribute("visibility", "visible");
    reading.textContent = describeAt(plot, index);
  };
  picture.onpointerleave = () => {
    line.setAttribute("visibility", "hidden");
    reading.textContent = newest;
  };
}

export const makePlot = (title) => make("figure", {class: "plot"},
  make("figcaption", {}, make("h2", {}, title), make("span", {class: "reading"})), make("div", {class: "plot-area"}));

// plot: {title, curve: {points, kind}, raw: points or none, intervals: [[step, low, high], ...] or none, dots, log, steps}
export function drawPlot(figure, plot) {
  const area = figure.querySelector(".plot-area"), width = Math.max(200, area.clientWidth);
  const ends = (plot.intervals ?? []).flatMap(([, low, high]) => [low, high]);
  const axis = valueAxis(rangeOf([...valuesOf(plot.curve.points), ...ends], valuesOf(plot.raw ?? [])), plot.log);
  const inner = width - MARGIN.left - MARGIN.right, [first, last] = plot.steps;
  const frame = {
    width, x: (step) => MARGIN.left + inner * (step - first) / (last - first || 1),
    y: (value) => HEIGHT - MARGIN.bottom - (HEIGHT - MARGIN.top - MARGIN.bottom) * Math.min(1.02, Math.max(-0.02, axis.place(value))),
    step: (x) => first + (last - first) * (x - MARGIN.left) / inner,
  };
  const picture = svg("svg", {
    width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img",
    "aria-label": `${plot.title} over ${plot.curve.points.length} values, last ${describeAt(plot, plot.curve.points.length - 1)}`,
  }, drawAxes(frame, plot.steps, axis));
  if (plot.raw) picture.append(drawCurve({points: plot.raw, kind: "raw"}, frame));
  if (plot.intervals) picture.append(...drawIntervals(plot.intervals, frame));
  picture.append(drawCurve(plot.curve, frame));
  if (plot.dots) picture.append(...drawDots(plot.curve.points, frame));
  listenToPointer(figure, picture, plot, frame);
  area.replaceChildren(picture);
}
