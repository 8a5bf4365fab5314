// Watching a run: its loss, scores and throughput, and what it draws, as it trains.
import {get} from "/api.js";
import {byId, complain, duration, endComplaint, make, showPixels} from "/elements.js";
import {drawPlot, makePlot, smoothed} from "/plot.js";

const POLL_MS = 4000;
// The largest window of the mean, as a part of the run.
const MOST_SMOOTHING = 0.1;

const NAMES = {loss: "Loss", images_per_second: "Images per second", grad_norm: "Gradient norm", lr: "Learning rate"};
const NO_CURVES = ["step", "time"];
const LOGARITHMIC = ["loss", "grad_norm"];
const SMOOTHED = ["loss", "grad_norm", "images_per_second"];

let run = null;  // {name, step, steps, rows, scores, samples}
let timer = 0, lost = false, plots = new Map(), wanted = "";

const isFollowingSamples = () => byId("sample").value === byId("sample").max;

export async function showWatch(name) {
  listen();
  wanted = name ?? run?.name ?? "";
  await poll();
}

export function stopWatch() {
  clearTimeout(timer);
  if (lost) endComplaint();
  lost = false;
}

// Again and again while the view is open; not while nobody sees it.
async function poll() {
  clearTimeout(timer);
  try {
    if (!document.hidden) await refresh();
    if (lost) endComplaint();
    lost = false;
  } catch (error) {
    complain(error);
    lost = true;
  }
  clearTimeout(timer);
  if (!byId("watch-view").hidden) timer = setTimeout(poll, POLL_MS);
}

async function refresh() {
  const {runs} = await get("/api/runs");
  showRuns(runs);
  const entry = runs.find(({name}) => name === byId("run").value);
  byId("run-view").hidden = !entry;
  if (!entry) return;
  if (run?.name !== entry.name) begin(entry.name);
  const news = await get(`/api/runs/${encodeURIComponent(run.name)}?after=${run.rows.at(-1)?.step ?? 0}`);
  if (news.name !== run.name) return;  // another was chosen meanwhile
  run = {...run, ...news, rows: [...run.rows, ...news.rows], state: entry.state};
  showRun();
}

function showRuns(runs) {
  const select = byId("run"), chosen = wanted || select.value;
  select.disabled = runs.length === 0;
  const titleOf = ({name, state}) => state === "running" ? `${name} (running)` : name;
  select.replaceChildren(...runs.map((entry) => make("option", {value: entry.name}, titleOf(entry))));
  if (runs.length === 0) byId("run-note").textContent = "There is no run here: the server shows those among what it was started with, and in folders of them.";
  if (runs.some(({name}) => name === chosen)) select.value = chosen;
  wanted = select.value;
}

function begin(name) {
  run = {name, rows: [], scores: [], samples: []};
  plots = new Map();
  byId("plots").replaceChildren();
  byId("sample").max = byId("sample").value = "0";
}

// From how fast it went lately.
function secondsLeft() {
  const [first, last] = [run.rows.at(-50) ?? run.rows[0], run.rows.at(-1)];
  if (!last || last.step === first.step) return null;
  return (run.steps - last.step) * (last.time - first.time) / (last.step - first.step);
}

function showRun() {
  const isRunning = run.state === "running", left = isRunning ? secondsLeft() : null;
  const parts = [`Step ${run.step.toLocaleString("en")} of ${run.steps.toLocaleString("en")}`];
  if (isRunning) parts.push("running");
  if (left > 0) parts.push(`${duration(left)} left`);
  byId("run-note").textContent = parts.join(" · ");
  byId("run-config").textContent = run.config;
  showPlots();
  showSamples();
}

const curveOf = (key) => run.rows.filter((row) => Number.isFinite(row[key])).map((row) => [row.step, row[key]]);

// Loss first, then scores, then all else that the run wrote down.
function curveKeys() {
  const keys = new Set(run.rows.flatMap((row) => Object.keys(row)).filter((key) => !NO_CURVES.includes(key)));
  return [...new Set([...Object.keys(NAMES), ...keys])].filter((key) => keys.has(key));
}

function smoothingWindow(count) {
  return Math.max(1, Math.round(count * MOST_SMOOTHING * Number(byId("smoothing").value) / 100));
}

function plotOfRows(key, steps) {
  const points = curveOf(key);
  if (points.length === 0) return null;
  const window = SMOOTHED.includes(key) ? smoothingWindow(points.length) : 1;
  return {
    title: NAMES[key] ?? key.replaceAll("_", " "), steps, log: LOGARITHMIC.includes(key), raw: window > 1 ? points : undefined,
    curve: {kind: "mean", points: smoothed(points, window)},
  };
}

function plotsOfScores(steps) {
  const labels = [...new Set(run.scores.map(({label}) => label))];
  return labels.map((label) => {
    const scores = run.scores.filter((score) => score.label === label);
    const intervals = scores.filter(({low, high}) => Number.isFinite(low) && Number.isFinite(high));
    return {
      title: label ?? "Score", steps, dots: true, curve: {kind: "mean", points: scores.map(({step, value}) => [step, value])},
      intervals: intervals.map(({step, low, high}) => [step, low, high]),
    };
  });
}

function showPlots() {
  const steps = [0, Math.max(run.step, 1)];
  const [loss, ...others] = curveKeys().map((key) => plotOfRows(key, steps));
  const window = smoothingWindow(run.rows.length);
  byId("smoothing-note").textContent = window > 1 ? `mean of ${window}` : "none";
  for (const plot of [loss, ...plotsOfScores(steps), ...others].filter(Boolean)) {
    if (!plots.has(plot.title)) {
      plots.set(plot.title, makePlot(plot.title));
      byId("plots").append(plots.get(plot.title));
    }
    drawPlot(plots.get(plot.title), plot);
  }
}

function showSamples() {
  const atEnd = isFollowingSamples(), slider = byId("sample");
  byId("samples").hidden = run.samples.length === 0;
  slider.max = String(Math.max(0, run.samples.length - 1));
  if (atEnd) slider.value = slider.max;
  showSample();
}

function showSample() {
  const sample = run.samples[Number(byId("sample").value)];
  if (!sample) return;
  byId("sample-step").textContent = sample.step.toLocaleString("en");
  byId("sample").setAttribute("aria-valuetext", `step ${sample.step}`);
  if (byId("sample-image").getAttribute("src") !== sample.url) byId("sample-image").src = sample.url;
  byId("sample-image").alt = `What ${run.name} drew at step ${sample.step}`;
}

let listens = false;
function listen() {
  if (listens) return;
  listens = true;
  showPixels(byId("sample-image"));
  byId("run").onchange = () => {
    wanted = byId("run").value;
    history.replaceState(null, "", `#watch?${new URLSearchParams({run: wanted})}`);
    poll();
  };
  byId("smoothing").oninput = () => run && showPlots();
  byId("sample").oninput = showSample;
  addEventListener("resize", () => run && !byId("watch-view").hidden && showPlots());
  document.addEventListener("visibilitychange", () => !document.hidden && !byId("watch-view").hidden && poll());
}
