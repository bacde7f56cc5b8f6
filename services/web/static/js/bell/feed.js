// Bells from the server: over one stream of events, and by asking every few seconds where a stream is refused or cut.
import { backoff, createParser } from "../chat/stream.js";

const SILENCE = 45_000; // the server says something every 15 seconds
const ASK_EVERY = 10_000;
const ASKS = 6; // then a stream is tried again

const wait = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

/** Hand every bell to `show`, for as long as the script runs. Timers of a hidden tab are slow, what comes is not. */
export async function follow(show) {
  for (let failures = 0; ;) {
    let refused = false;
    try {
      const status = await stream((bell) => { failures = 0; show(bell); });
      refused = status === 429 || status === 503;
    } catch {
      // no connection, or one that fell silent
    }
    failures += 1;
    if (refused) await ask(show);
    else await wait(backoff(failures));
  }
}

async function stream(show) {
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), SILENCE);
  try {
    const answer = await fetch("/api/v1/bell/stream", { headers: { Accept: "text/event-stream" }, credentials: "same-origin", cache: "no-store", signal: stop.signal });
    if (!answer.ok || !answer.body) return answer.status;
    const feed = createParser((event) => { if (event.type === "bell") show(JSON.parse(event.data)); });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return answer.status;
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), SILENCE);
      feed(value);
    }
  } finally {
    clearTimeout(timer);
  }
}

async function ask(show) {
  for (let asked = 0; asked < ASKS; asked += 1) {
    try {
      const answer = await fetch("/api/v1/bell", { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(ASK_EVERY) });
      if (answer.ok) show(await answer.json());
    } catch {
      // the next one tries again
    }
    await wait(ASK_EVERY);
  }
}
