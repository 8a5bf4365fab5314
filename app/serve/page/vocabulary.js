// What of a text a model can follow. Words are split as its vocabulary does: runs of letters (be they not of ASCII),
// digits and inner apostrophes, and every other character by itself.
const WORD = /[a-z0-9\u0080-\u{10ffff}]+(?:'[a-z0-9\u0080-\u{10ffff}]+)*|[!-~]/gu;
const splitWords = (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).match(WORD) ?? [];

// One sentence, or "".
export function notFollowed(model, text) {
  const words = splitWords(text);
  const known = new Set(model.words);
  if (known.size === 0) return "";
  const unknown = [...new Set(words.filter((word) => !known.has(word)))];
  if (unknown.length > 0) return `It does not know ${unknown.map((word) => `“${word}”`).join(", ")}.`;
  return words.length > model.context_tokens ? `It reads the first ${model.context_tokens} words only.` : "";
}
