// What models there are, what they were trained on, and what they know.
import {byId, make, plural} from "/elements.js";

const fold = (title, ...children) => make("details", {}, make("summary", {}, title), ...children);
const listOf = (words) => make("ul", {class: "words"}, ...words.map((word) => make("li", {}, word)));

function readsWhat(model) {
  if (model.text) return `prompts of up to ${plural(model.context_tokens, "word")}`;
  return model.classes.length > 0 ? "a class" : "nothing";
}

function factsOf(model) {
  const settings = Object.entries(model.settings).map(([key, value]) => `${key.replaceAll("_", " ")} ${value}`);
  return [
    ["Network", model.network],
    ["Parameters", model.parameters.toLocaleString("en")],
    ["Pictures", `${model.size} × ${model.size}`],
    ["Reads", readsWhat(model)],
    ["Trained on", model.data],
    ["Steps trained", model.step.toLocaleString("en")],
    ["Draws with", settings.join(", ")],
    ["Hash", model.hash],
    ["In memory", model.loaded ? "yes" : "not yet"],
  ].filter(([, value]) => value);
}

function makeModel(model) {
  return make("article", {class: "card", "aria-label": model.name},
    make("h2", {}, model.name),
    make("dl", {class: "recipe"}, ...factsOf(model).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    model.words.length > 0 ? fold(`${plural(model.words.length, "word")} it knows`, listOf(model.words)) : null,
    model.classes.length > 0 ? fold(plural(model.classes.length, "class", "classes"), listOf(model.classes)) : null,
    make("a", {class: "button", href: `#draw?${new URLSearchParams({model: model.name})}`}, "Draw with it"));
}

export const showModels = (models) => byId("models-list").replaceChildren(...models.map(makeModel));
