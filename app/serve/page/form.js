// The form: what is to be drawn, as a flat list of texts under the keys of the server's interface. A link holds the same.
import {complain, byId, make} from "/elements.js";
import {describeStart, hasStart, startOfRequest} from "/mask.js";
import {parseSeed, parseSeeds} from "/seeds.js";
import {clearSettings, describeChanged, isSetting, readSettings, setDefaults, typed, writeSettings} from "/settings.js";
import {notFollowed} from "/vocabulary.js";

const FIELDS = ["model", "prompt", "negative", "class", "seeds", "count", "to_prompt", "to_seed", "frames"];
const USUAL = {count: "4", frames: "8"};
const RANDOM = -1;

let models = [], usualModel = "";

export const modelNamed = (name) => models.find((model) => model.name === name);
export const className = (model, number) => modelNamed(model)?.classes[number] ?? `class ${number}`;
export const chosenModel = () => modelNamed(byId("model").value);

export function makeForm(list, usual) {
  models = list;
  usualModel = usual;
  byId("model").append(...models.map((model) => make("option", {value: model.name}, model.name)));
}

const shownFields = () => FIELDS.filter((field) => {
  const of = byId(field).closest("[data-for]")?.dataset.for;
  return of === undefined || takes(chosenModel(), of);
});
const takes = (model, what) => what === "text" ? model.text : model.classes.length > 0;

// What differs from the usual.
export function readForm() {
  const texts = {};
  for (const field of shownFields()) {
    const text = byId(field).value.trim();
    if (text !== "" && text !== USUAL[field]) texts[field] = text;
  }
  return {...texts, ...readSettings(hasStart())};
}

export function writeForm(texts) {
  showModel(modelNamed(texts.model) ?? modelNamed(usualModel) ?? models[0]);
  for (const field of FIELDS.slice(1)) byId(field).value = texts[field] ?? USUAL[field] ?? "";
  writeSettings(texts);
  byId("way-fold").open = Boolean(texts.to_prompt || texts.to_seed);
  noteChanges();
}

function showModel(model) {
  byId("model").value = model.name;
  byId("model-note").textContent = `${model.network}, ${model.size} × ${model.size}, trained on ${model.data}`;
  for (const element of byId("form").querySelectorAll("[data-for]")) element.hidden = !takes(model, element.dataset.for);
  byId("surprise").hidden = !model.can_suggest;
  byId("words-fold").hidden = model.words.length === 0;
  byId("words").replaceChildren(...model.words.map((word) => make("li", {},
    make("button", {type: "button", onclick: () => insertWord(word)}, word))));
  const classes = model.classes.map((name) => make("option", {value: name}, name));
  byId("class").replaceChildren(make("option", {value: ""}, "any"), ...classes);
  setDefaults(model.settings);
}

function insertWord(word) {
  const prompt = byId("prompt");
  prompt.value = `${prompt.value.trimEnd()} ${word}`.trimStart();
  prompt.dispatchEvent(new Event("input", {bubbles: true}));
}

function noteUnknownWords(field) {
  byId(`${field}-note`).textContent = chosenModel().text ? notFollowed(chosenModel(), byId(field).value) : "";
}

function describeWay() {
  const {to_prompt: prompt, to_seed: seed} = readForm();
  return [prompt, seed && `seed ${seed}`].filter(Boolean).join(", ");
}

// What follows from the fields, beside them.
export function noteChanges() {
  for (const field of ["prompt", "negative", "to_prompt"]) noteUnknownWords(field);
  byId("count").disabled = /\d\D+\d/.test(byId("seeds").value);
  byId("settings-changed").textContent = describeChanged();
  byId("start-changed").textContent = describeStart();
  byId("way-changed").textContent = describeWay();
}

// Another model keeps what was changed, and brings its own defaults for the rest.
export function listenToForm(onChange) {
  let texts = {};
  const note = () => {
    texts = readForm();
    noteChanges();
    onChange();
  };
  for (const kind of ["input", "change"])
    byId("form").addEventListener(kind, (event) => {
      if (event.target.id === "model") writeForm({...texts, model: event.target.value});
      note();
    });
  byId("settings-reset").onclick = () => {
    clearSettings();
    note();
  };
  return note;
}

const seedsOf = (texts) => {
  const seeds = parseSeeds(texts.seeds ?? "");
  if (seeds.length > 1) return {seeds};
  return {seed: seeds[0] ?? RANDOM, count: Number(texts.count ?? USUAL.count)};
};
const wayOf = (texts) => {
  if (!texts.to_prompt && !texts.to_seed) return {};
  return {
    ...(texts.to_prompt && {to_prompt: texts.to_prompt}), ...(texts.to_seed && {to_seed: parseSeed(texts.to_seed)}),
    frames: Number(texts.frames ?? USUAL.frames),
  };
};

// What is posted to draw this.
export function requestOf(texts) {
  const request = {model: chosenModel().name, ...seedsOf(texts), ...wayOf(texts), ...startOfRequest()};
  for (const key of ["prompt", "negative", "class"]) if (texts[key]) request[key] = texts[key];
  for (const [key, text] of Object.entries(texts)) if (isSetting(key)) request[key] = typed(key, text);
  return request;
}

const text = (value) => value == null ? undefined : String(value);

// The texts of a picture's recipe, as the server reads it.
export function textsOfRecipe(recipe) {
  const model = models.find(({hash}) => hash && hash === recipe.model_hash) ?? modelNamed(recipe.model);
  if (!model) complain(`There is no model “${recipe.model}” here: its recipe is shown for ${chosenModel().name}.`);
  return {
    model: (model ?? chosenModel()).name, prompt: recipe.prompt, negative: recipe.negative,
    class: text(recipe.class),
    seeds: recipe.seed_text ?? text(recipe.seed), count: "1",
    to_prompt: text(recipe.to_prompt), to_seed: recipe.to_seed_text ?? text(recipe.to_seed),
    ...Object.fromEntries(Object.entries(recipe.settings ?? {}).map(([key, value]) => [key, text(value)])),
  };
}
