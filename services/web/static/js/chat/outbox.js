// What the citizen sent and the server has not yet confirmed. Kept for this tab only (sessionStorage), so a reload
// loses nothing; each item keeps its client_message_id, so sending it again cannot double it.

const KEY = "huiying.outbox";

export function newId() {
  if (globalThis.crypto?.randomUUID) return crypto.randomUUID();
  // randomUUID exists in secure contexts only; an intranet address over plain http is none.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  constructor(storage = sessionStorage) {
    this.storage = storage;
    this.items = [];
    try {
      this.items = JSON.parse(storage.getItem(KEY) || "[]");
    } catch {
      this.items = [];
    }
  }

  add(item) {
    this.items.push(item);
    this.save();
  }

  remove(id) {
    this.items = this.items.filter((item) => item.id !== id);
    this.save();
  }

  save() {
    try {
      this.storage.setItem(KEY, JSON.stringify(this.items));
    } catch {
      // Private mode or a full store: the items still live as long as the page does.
    }
  }
}

/**
 * Does this stored message of the citizen stand for that item of the outbox?
 * @param {{id: number, text: string, client_message_id?: string}} message
 * @param {{id: string, text: string, after: number, body: Object}} item `after`: highest seq known when it was sent
 */
export function matches(message, item) {
  if (message.client_message_id) return message.client_message_id === item.id;
  if (message.id <= item.after) return false;
  if (item.body.location) return message.type === "location" || /位置|定位/.test(message.text || "");
  const text = (message.text || "").trim();
  return text === item.text.trim() || text === item.body.choice;
}
