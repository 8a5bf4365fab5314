// Drawing: from the form to jobs, and from their pictures back to the form.
import {get, getBlob, post, postPng, remove} from "/api.js";
import {listCard, makeCard, showImage, showJob, showPreview} from "/card.js";
import {byId, complain, endComplaint, guarded, plural, say} from "/elements.js";
import {follow, hasEnded} from "/follow.js";
import {chosenModel, listenToForm, readForm, requestOf, textsOfRecipe, writeForm} from "/form.js";
import {listenToStart, removeStart, restoreStart, setStart, startOfRequest} from "/mask.js";
import {closePicture, listenToPicture, openPicture} from "/picture.js";

// Of the jobs that the server still knows.
const MOST_HISTORY = 24;

const cards = [];  // newest first
let noteForm = () => {};
let wayFrom = null;  // the picture to interpolate from, while the other one is chosen

export function fillForm(texts) {
  writeForm(texts);
  noteForm();
}

const unfinished = () => cards.find((card) => !hasEnded(card.job));

function showCancel() {
  const card = cards.find(({job}) => job.state === "running");
  byId("cancel").hidden = !unfinished();
  document.title = card ? `${Math.round(100 * (card.job.progress ?? 0))}% · uvic` : "uvic";
}

function add(job, more, last) {
  const card = Object.assign(makeCard(job, cardActions), more);
  cards[last ? "push" : "unshift"](card);
  listCard(card, last);
  if (!hasEnded(job)) followCard(card);
  return card;
}

async function followCard(card) {
  showCancel();
  await follow(card.job.id, {
    job: (job) => {
      showJob(card, job);
      showCancel();
    },
    preview: (preview) => showPreview(card, preview),
    image: (row) => showImage(card, row),
  });
  say(card.job.state === "done" ? `${plural(card.job.count, "picture")} drawn: ${card.job.prompt}` : `The job is ${card.job.state}.`);
}

const draw = guarded(async () => {
  if (!byId("form").reportValidity()) return;
  const texts = readForm(), start = startOfRequest();
  const job = await post("/api/jobs", requestOf(texts));
  endComplaint();
  const card = add(job, {texts, start}, false);
  say(`Drawing ${plural(job.count, "picture")}.`);
  card.element.scrollIntoView({block: "nearest"});
});

const cancel = guarded(async (card) => {
  if (card) showJob(card, await remove(`/api/jobs/${card.job.id}`));
  showCancel();
});

const surprise = guarded(async () => {
  const suggestion = await get(`/api/suggestion?model=${encodeURIComponent(chosenModel().name)}`);
  const {seeds, to_prompt, to_seed, ...texts} = readForm();
  fillForm({...texts, ...suggestion});
  await draw();
});

// The recipe of a drawn picture; its start is known if this page had it drawn.
async function recipeOf(card, row) {
  const recipe = await postPng("/api/recipe", await getBlob(row.url));
  return {texts: textsOfRecipe(recipe), start: card.start, needsStart: recipe.settings?.strength > 0};
}

async function recipeOfJob(card) {
  const rows = card.images.filter(Boolean);
  const {texts, ...rest} = await recipeOf(card, rows[0]);
  const seeds = [...new Set(rows.map((row) => row.seed_text))];
  if (texts.to_prompt || texts.to_seed) texts.frames = String(Math.round(card.job.count / seeds.length));
  return {...rest, texts: {...texts, seeds: seeds.join(", ")}};
}

// False if it cannot be drawn as it was.
async function takeRecipe({texts, start, needsStart}) {
  if (start) await restoreStart(start);
  else removeStart();
  fillForm(texts);
  if (!start && needsStart) {
    complain("It was drawn from another picture, which a recipe does not hold: choose that under “Start from a picture”.");
    byId("start-fold").open = true;
  }
  return Boolean(start) || !needsStart;
}

async function drawRecipe(recipe) {
  if (await takeRecipe(recipe)) await draw();
}

async function vary(recipe) {
  const {seeds, ...texts} = recipe.texts;
  await drawRecipe({...recipe, texts: {...texts, count: "4"}});
}

function chooseWayFrom(from) {
  wayFrom = from;
  byId("choosing").hidden = from === null;
  byId("jobs").classList.toggle("choosing", from !== null);
  if (from) say("Choose the picture to end at.");
}

// To the other's prompt, seed or both, whatever differs.
const drawWayTo = guarded(async (card, row) => {
  const from = await recipeOf(wayFrom.card, wayFrom.row), to = (await recipeOf(card, row)).texts;
  chooseWayFrom(null);
  const texts = {...from.texts, to_prompt: undefined, to_seed: undefined, frames: undefined};
  if (to.prompt && to.prompt !== texts.prompt) texts.to_prompt = to.prompt;
  if (to.seeds !== texts.seeds) texts.to_seed = to.seeds;
  if (!texts.to_prompt && !texts.to_seed) throw new Error("Those two have the same prompt and seed: nothing lies between them.");
  await drawRecipe({...from, texts});
});

const cardActions = {
  open: (card, number) => wayFrom ? drawWayTo(card, card.images[number]) : openPicture(card, number),
  again: guarded(async (card) => drawRecipe(await recipeOfJob(card))),
  vary: guarded(async (card) => vary(await recipeOfJob(card))),
  cancel,
};

const pictureActions = {
  again: guarded(async ({card, row}) => drawRecipe(await recipeOf(card, row))),
  vary: guarded(async ({card, row}) => vary(await recipeOf(card, row))),
  way: chooseWayFrom,
  start: guarded(async ({row}) => setStart(await getBlob(row.url))),
  use: guarded(async ({card, row}) => {
    await takeRecipe(await recipeOf(card, row));
    byId("prompt").focus();
  }),
};

const takeRecipeOfFile = guarded(async (file) => {
  endComplaint();
  const recipe = await postPng("/api/recipe", file);
  await takeRecipe({texts: textsOfRecipe(recipe), needsStart: recipe.settings?.strength > 0});
  location.hash = "#draw";
  say("The recipe is taken over.");
});

const takeStart = guarded(setStart);

function listenToDrops() {
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const file = event.dataTransfer.files[0];
    if (!file) return;
    if (event.target.closest?.("#start-fold")) takeStart(file);
    else takeRecipeOfFile(file);
  });
  byId("recipe-file").onchange = (event) => {
    if (event.target.files.length > 0) takeRecipeOfFile(event.target.files[0]);
    event.target.value = "";
  };
}

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (byId("draw-view").hidden || byId("picture").open) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) {
      event.preventDefault();  // a field would send the form once more
      draw();
    }
    if (event.key === "Escape") wayFrom ? chooseWayFrom(null) : cancel(unfinished());
  });
}

// Calls `onChange` when the form is another.
export function listenToDraw(onChange) {
  noteForm = listenToForm(onChange);
  listenToStart(noteForm);
  listenToPicture(pictureActions);
  listenToDrops();
  listenToKeys();
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    draw();
  });
  byId("surprise").onclick = surprise;
  byId("cancel").onclick = () => cancel(unfinished());
  byId("choosing-stop").onclick = () => chooseWayFrom(null);
}

export async function listHistory() {
  const {jobs} = await get("/api/jobs");
  const listed = jobs.slice(0, MOST_HISTORY).map((job) => add(job, {}, true));
  for (const card of listed) if (hasEnded(card.job)) showJob(card, await get(`/api/jobs/${card.job.id}`));
}
