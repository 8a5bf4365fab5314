// Asking the server.
import {sentence} from "/elements.js";

// JSON with BigInts as numbers: seeds go up to 2^64 - 1, beyond what a JavaScript number holds.
export function toJson(value) {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(toJson)}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, entry]) => `${JSON.stringify(key)}:${toJson(entry)}`)}}`;
}

async function refusalOf(answer) {
  let text = `The server answered ${answer.status}.`;
  try {
    text = (await answer.json()).error ?? text;
  } catch {
    // not from uvic, but from something between
  }
  const seconds = Number(answer.headers.get("Retry-After"));
  return seconds > 0 ? `${sentence(text)} Try again in ${seconds} s.` : text;
}

export class Refused extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

// The answer; an Error of one sentence if it is a refusal or none comes.
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer: is it still running?");
  }
  if (!answer.ok) throw new Refused(await refusalOf(answer), answer.status);
  return answer;
}

export const get = async (path) => (await ask(path)).json();
export const getBlob = async (path) => (await ask(path)).blob();
export const remove = async (path) => (await ask(path, {method: "DELETE"})).json();
export const post = async (path, value) =>
  (await ask(path, {method: "POST", headers: {"Content-Type": "application/json"}, body: toJson(value)})).json();
export const postPng = async (path, blob) =>
  (await ask(path, {method: "POST", headers: {"Content-Type": "image/png"}, body: blob})).json();
