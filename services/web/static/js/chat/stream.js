// Server-sent events over fetch. EventSource hides heartbeats and HTTP statuses; here a silent (half-open)
// connection is noticed, a 401/404 ends the attempts, and waiting grows between failures.

/**
 * Incremental parser of the event-stream format (WHATWG HTML, section 9.2.6).
 * @param {(event: {type: string, data: string, id: string|null}) => void} emit
 * @returns {(chunk: string) => void}
 */
export function createParser(emit) {
  let rest = "";
  let data = [];
  let type = "";
  let id = null;
  return (chunk) => {
    rest += chunk;
    // A CR at the very end may be half of a CRLF: wait for the next chunk.
    const complete = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
    const lines = complete.split(/\r\n|\r|\n/);
    rest = lines.pop() + rest.slice(complete.length);
    for (const line of lines) {
      if (line === "") {
        if (data.length) emit({ type: type || "message", data: data.join("\n"), id });
        data = [];
        type = "";
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") data.push(value);
      else if (field === "event") type = value;
      else if (field === "id") id = value;
    }
  };
}

/** Milliseconds before attempt number `failures` + 1: 1 s doubling to 30 s, with jitter so a restart is not stormed. */
export function backoff(failures, random = Math.random()) {
  return Math.min(30000, 1000 * 2 ** Math.max(0, failures - 1)) * (0.5 + random / 2);
}

const SILENCE = 40000; // the server writes a comment every 15 s

export class EventStream {
  /**
   * @param {string} url
   * @param {{lastId: () => number, onEvent: Function, onState: (open: boolean) => void, onGone: () => void}} hooks
   */
  constructor(url, hooks) {
    this.url = url;
    this.hooks = hooks;
    this.closed = false;
    this.failures = 0;
    this.wake = () => {};
    this.online = () => this.retryNow();
    window.addEventListener("online", this.online);
    this.run();
  }

  /** Try at once when waiting between attempts (the network came back, the page became visible). */
  retryNow() {
    this.failures = 0;
    this.wake();
  }

  close() {
    this.closed = true;
    window.removeEventListener("online", this.online);
    this.request?.abort();
    this.wake();
  }

  async run() {
    while (!this.closed) {
      let pause = 0;
      try {
        pause = await this.once();
      } catch {
        // The network's errors carry nothing to act on; the next attempt is the remedy.
      }
      if (this.closed) return;
      this.hooks.onState(false);
      this.failures += 1;
      await this.sleep(Math.max(pause, backoff(this.failures)));
    }
  }

  async once() {
    this.request = new AbortController();
    let timer = setTimeout(() => this.request.abort(), SILENCE);
    try {
      const response = await fetch(this.url, {
        headers: { Accept: "text/event-stream", "Last-Event-ID": String(this.hooks.lastId()) },
        credentials: "same-origin", cache: "no-store", signal: this.request.signal,
      });
      if (response.status === 401 || response.status === 403 || response.status === 404) {
        this.close();
        this.hooks.onGone();
        return 0;
      }
      if (!response.ok || !response.body) return (Number(response.headers.get("Retry-After")) || 0) * 1000;
      this.hooks.onState(true);
      const parse = createParser(this.hooks.onEvent);
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.closed) return 0;
        clearTimeout(timer);
        timer = setTimeout(() => this.request.abort(), SILENCE);
        this.failures = 0;
        parse(decoder.decode(value, { stream: true }));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => { clearTimeout(timer); resolve(); };
    });
  }
}
