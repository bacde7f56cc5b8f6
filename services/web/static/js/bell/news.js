// What follows from a bell, as plain functions: no page, no network, no clock of their own.

/** More than this are not counted by the server. */
const MOST = 100;

/** `12`, or `99+`. */
export const count = (unread) => (unread >= MOST ? `${MOST - 1}+` : String(unread));

/** The title of a tab: how many notices are unread, and whether danger waits for somebody. */
export function titleOf(base, { unread, alarms }) {
  return `${unread ? `(${count(unread)}) ` : ""}${alarms.length ? "紧急！" : ""}${base}`;
}

/** The notices of a bell that came after `seen` (the greatest id shown before; null: the first bell), the oldest first. */
export function fresh(seen, { news }) {
  if (seen === null) return [];
  return news.filter((notice) => notice.id > seen).sort((a, b) => a.id - b.id);
}

/** The greatest id of a bell, never less than `seen`. */
export const newest = (seen, { news }) => Math.max(seen ?? 0, ...news.map((notice) => notice.id));

/** Among the tabs of a browser the one that makes the sound and shows what stands before other windows: the one that was
 * clicked in last, for a browser lets no other one sound; without any the one that was opened last. */
export class Tabs {
  constructor(limit = 50) {
    this.limit = limit;
    this.tabs = new Map(); // tab -> whether it may sound; in the order of the last click
  }

  add(tab) {
    this.tabs.set(tab, false);
    // A tab that crashed says no farewell.
    if (this.tabs.size > this.limit) this.tabs.delete(this.tabs.keys().next().value);
  }

  unlock(tab) {
    this.tabs.delete(tab);
    this.tabs.set(tab, true);
  }

  remove(tab) { this.tabs.delete(tab); }

  get all() { return [...this.tabs.keys()]; }

  get speaker() {
    const able = [...this.tabs].filter(([, unlocked]) => unlocked);
    return (able.length ? able : [...this.tabs]).at(-1)?.[0] ?? null;
  }
}
