// Seeds as people write them: "7", "1, 5, 9-12". They go up to 2^64 - 1, and are BigInts.
const MOST_SEED = 2n ** 64n - 1n;
const MOST_SEEDS = 1000;

export function parseSeed(text) {
  if (!/^\d+$/.test(text) || BigInt(text) > MOST_SEED)
    throw new Error(`“${text}” is no seed: expected a number from 0 to 2^64 - 1.`);
  return BigInt(text);
}

export function parseSeeds(text) {
  const seeds = [];
  for (const part of text.split(/[,\s]+/).filter(Boolean)) {
    const [first, last = first, ...more] = part.split("-").map(parseSeed);
    if (more.length > 0 || last < first) throw new Error(`“${part}” is no range of seeds: expected one such as 9-12.`);
    if (last - first >= BigInt(MOST_SEEDS - seeds.length)) throw new Error(`Those are more than ${MOST_SEEDS} seeds.`);
    for (let seed = first; seed <= last; ++seed) seeds.push(seed);
  }
  return seeds;
}
