// The text of a recipe, as a picture's "parameters" hold it.

// Of its last line, "Steps: 20, Sampler: ddim, ..."; values with commas stand in quotes.
export function fieldsOf(parameters) {
  const last = parameters.trimEnd().split("\n").at(-1);
  return [...last.matchAll(/([^:,]+): ("(?:[^"\\]|\\.)*"|[^,]*)/g)].map(([, name, value]) => [name.trim(), value]);
}

export const negativeOf = (parameters) => parameters.match(/\nNegative prompt: (.*)/)?.[1];

// "33% of the way", or "" for what is on no way.
export function describeMix(parameters) {
  const mix = new Map(fieldsOf(parameters)).get("Mix");
  return mix === undefined ? "" : `${Math.round(100 * Number(mix))}% of the way`;
}
