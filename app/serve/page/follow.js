// Following a job until it ends: as a stream of events, or by asking again and again.
import {get, Refused} from "/api.js";
import {complain, endComplaint, wait} from "/elements.js";

// A browser keeps about six connections to a server; some must be left for all else.
const MOST_STREAMS = 2;
const POLLS_BETWEEN_STREAMS = 5;
const POLL_MS = 800;
const LOST_MS = 3000;

let streams = 0;

export const hasEnded = (job) => ["done", "cancelled", "failed"].includes(job.state);

// Calls seen.job, seen.preview and seen.image as events come. True once the job has ended, false if the stream broke.
function stream(id, seen) {
  return new Promise((resolve) => {
    const source = new EventSource(`/api/jobs/${id}/events`);
    ++streams;
    const end = (result) => {
      source.close();
      --streams;
      resolve(result);
    };
    source.addEventListener("job", (event) => {
      const job = JSON.parse(event.data);
      seen.job(job);
      if (hasEnded(job)) end(true);
    });
    source.addEventListener("preview", (event) => seen.preview(JSON.parse(event.data)));
    source.addEventListener("image", (event) => seen.image(JSON.parse(event.data)));
    source.addEventListener("error", () => end(false));
  });
}

// The job; one that the server has forgotten, as it does when it starts anew, has failed.
async function ask(id) {
  try {
    return await get(`/api/jobs/${id}`);
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 404) throw error;
    return {id, state: "failed", error: "The server no longer knows this job.", images: []};
  }
}

// True once the job has ended.
async function poll(id, seen) {
  const job = await ask(id);
  job.images.forEach(seen.image);
  seen.job(job);
  return hasEnded(job);
}

export async function follow(id, seen) {
  let polls = POLLS_BETWEEN_STREAMS, lost = false;
  for (;;) {
    if (polls >= POLLS_BETWEEN_STREAMS && streams < MOST_STREAMS) {
      if (await stream(id, seen)) return;
      polls = 0;
    }
    try {
      const ended = await poll(id, seen);
      if (lost) endComplaint();
      if (ended) return;
      lost = false;
      ++polls;
    } catch (error) {
      complain(error);
      lost = true;
    }
    await wait(lost ? LOST_MS : POLL_MS);
  }
}
