// How a job is shown: what it draws, how far it is, and its pictures as they arrive.
import {byId, duration, make, plural, sentence, showPixels} from "/elements.js";
import {hasEnded} from "/follow.js";
import {className} from "/form.js";
import {describeMix} from "/recipe.js";

const tileOf = (card, number) => card.tiles.children[number]?.firstChild;

export const titleOf = (job) => job.prompt || (job.class != null ? className(job.model, job.class) : "") || "No prompt";

export const altOf = (row, card) =>
  [row.prompt || titleOf(card.job), `seed ${row.seed_text}`, describeMix(row.parameters)].filter(Boolean).join(", ");

// `act` names what its buttons do: open(card, number), again(card), vary(card), cancel(card).
export function makeCard(job, act) {
  const card = {job, images: [], act};
  card.title = make("h2", {}, titleOf(job));
  card.note = make("p", {class: "note"});
  card.bar = make("progress", {max: 1, value: 0, "aria-label": "Progress"});
  card.cancel = make("button", {type: "button", onclick: () => act.cancel(card)}, "Cancel");
  card.progress = make("div", {class: "progress"}, card.bar, card.cancel);
  card.tiles = make("ul", {class: "tiles"});
  const grid = {class: "button", href: `/api/jobs/${job.id}/grid.png`, download: `uvic-${job.id}-grid.png`};
  card.grid = make("a", grid, "Download grid");
  card.buttons = make("div", {class: "buttons", hidden: true},
    make("button", {type: "button", onclick: () => act.again(card)}, "Again"),
    make("button", {type: "button", onclick: () => act.vary(card)}, "Vary seeds"), card.grid);
  card.element = make("article", {class: "job", id: `job-${job.id}`, "aria-label": titleOf(job)},
    card.title, card.note, card.progress, card.tiles, card.buttons);
  showJob(card, job);
  return card;
}

function makeTile(card, number) {
  const tile = make("button", {type: "button", class: "tile", disabled: true, "aria-label": "Not drawn yet"});
  tile.onclick = () => card.act.open(card, number);
  return make("li", {}, tile, make("span", {class: "seed"}));
}

function describeState(job) {
  if (job.state === "waiting") return job.ahead > 0 ? `Waiting for ${plural(job.ahead, "picture")} before it` : "Waiting";
  if (job.state === "failed") return sentence(job.error ?? "it failed");
  if (job.state === "running") {
    const eta = job.eta == null ? null : `${duration(job.eta)} left`;
    return [`Step ${job.step} of ${job.steps}`, eta].filter(Boolean).join(", ");
  }
  return null;
}

function describe(card) {
  const {job} = card, drawn = card.images.filter(Boolean).length;
  const isPart = drawn < job.count && job.state !== "waiting";
  const pictures = (isPart ? `${drawn} of ` : "") + plural(job.count, "picture");
  const parts = [job.model, pictures, job.state === "cancelled" ? "cancelled" : null];
  if (job.state === "done" && job.seconds > 0) parts.push(duration(job.seconds));
  return [...parts, describeState(job)].filter(Boolean).join(" · ");
}

export function showJob(card, job) {
  card.job = job = {...card.job, ...job};
  while (!hasEnded(job) && card.tiles.children.length < job.count) card.tiles.append(makeTile(card, card.tiles.children.length));
  for (const row of job.images ?? []) showImage(card, row);
  if (hasEnded(job)) endPreviews(card);
  card.tiles.dataset.count = job.count === 1 ? "one" : job.count <= 4 ? "few" : "many";
  card.title.textContent = titleOf(job);
  card.bar.value = job.progress ?? 0;
  card.progress.hidden = hasEnded(job);
  card.element.dataset.state = job.state;
  card.buttons.hidden = card.images.length === 0;
  card.grid.hidden = job.count === 1;
  card.note.textContent = describe(card);
}

function putImage(tile, url, alt) {
  let image = tile.firstChild;
  if (!image) tile.append(image = showPixels(make("img", {decoding: "async", loading: "lazy"})));
  image.src = url;
  image.alt = alt;
}

export function showPreview(card, preview) {
  const tile = tileOf(card, preview.number);
  if (!tile || card.images[preview.number]) return;
  tile.classList.add("preview");
  putImage(tile, preview.image, `What is predicted at step ${preview.step} of ${preview.steps}`);
}

export function showImage(card, row) {
  if (card.images[row.number]) return;
  card.images[row.number] = row;
  while (card.tiles.children.length <= row.number) card.tiles.append(makeTile(card, card.tiles.children.length));
  const tile = tileOf(card, row.number);
  tile.classList.remove("preview");
  tile.removeAttribute("aria-label");
  tile.disabled = false;
  putImage(tile, row.url, altOf(row, card));
  tile.nextSibling.textContent = describeMix(row.parameters) || row.seed_text;
  tile.nextSibling.title = `seed ${row.seed_text}`;
  card.note.textContent = describe(card);
}

// What will not be drawn any more goes.
function endPreviews(card) {
  for (const entry of [...card.tiles.children]) if (entry.firstChild.disabled) entry.hidden = true;
}

export function listCard(card, last) {
  byId("empty").hidden = true;
  if (last) byId("jobs").append(card.element);
  else byId("jobs").prepend(card.element);
}
