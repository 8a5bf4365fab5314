// The controls of the drawing settings, made from the server's list of them.
import {byId, make} from "/elements.js";

// These only matter with a picture to start from, and stand beside it.
const OF_START = ["strength"];

let settings = [];
let defaults = {};  // the model's own

const idOf = (setting) => `setting-${setting.key}`;
const controlOf = (setting) => byId(idOf(setting));

// Outside of its own range a setting stands for "none": nothing is filled in. The value may be a text.
function isInRange(setting, value) {
  if (value == null) return false;
  if (setting.type !== "integer" && setting.type !== "number") return true;
  return value >= (setting.low ?? -Infinity) && value <= (setting.high ?? Infinity);
}
const textIfInRange = (setting, value) => isInRange(setting, value) ? String(value) : "";
const defaultText = (setting) => textIfInRange(setting, defaults[setting.key]);

function makeControl(setting) {
  const common = {id: idOf(setting), "aria-describedby": `${idOf(setting)}-help`};
  if (setting.type === "boolean") return make("input", {...common, type: "checkbox"});
  if (setting.type === "choice")
    return make("select", common, ...setting.choices.map((choice) => make("option", {value: choice}, choice)));
  return make("input", {
    ...common, type: "number", step: setting.type === "integer" ? 1 : "any", min: setting.low, max: setting.high,
    placeholder: "default",
  });
}

function makeField(setting) {
  const label = make("label", {for: idOf(setting)}, setting.label);
  const help = make("p", {id: `${idOf(setting)}-help`, class: "note"}, setting.help);
  const control = makeControl(setting);
  if (setting.type !== "boolean") return make("div", {class: "field"}, label, control, help);
  return make("div", {class: "field"}, make("div", {class: "check"}, control, label), help);
}

const textOf = (setting) => {
  const control = controlOf(setting);
  return setting.type === "boolean" ? String(control.checked) : control.value.trim();
};
function setText(setting, text) {
  const control = controlOf(setting);
  if (setting.type === "boolean") control.checked = text === "true";
  else control.value = text;
}

export function makeSettings(list) {
  settings = list;
  for (const setting of settings)
    byId(OF_START.includes(setting.key) ? "start-settings" : "settings").append(makeField(setting));
}

export const setDefaults = (values) => { defaults = values; };

// Texts by key, of those that differ from the model's own; `hasStart`: there is a picture to start from.
export function readSettings(hasStart) {
  const changed = settings.filter((setting) => (hasStart || !OF_START.includes(setting.key)) &&
    textOf(setting) !== "" && textOf(setting) !== defaultText(setting));
  return Object.fromEntries(changed.map((setting) => [setting.key, textOf(setting)]));
}

export function writeSettings(texts) {
  for (const setting of settings) setText(setting, textIfInRange(setting, texts[setting.key]) || defaultText(setting));
}

export function clearSettings() {
  for (const setting of settings) if (!OF_START.includes(setting.key)) setText(setting, defaultText(setting));
}

// A text as the server wants it.
export function typed(key, text) {
  const type = settings.find((setting) => setting.key === key)?.type;
  if (type === "boolean") return text === "true";
  return type === "integer" || type === "number" ? Number(text) : text;
}

export const isSetting = (key) => settings.some((setting) => setting.key === key);

export function describeChanged() {
  const labelOf = (key) => settings.find((setting) => setting.key === key).label.toLowerCase();
  return Object.entries(readSettings(false)).map(([key, text]) => `${labelOf(key)} ${text}`).join(", ");
}
