// Lookup results arrive as lines of text; "标签：值" lines are shown as a small list.

const PAIR = /^\s*(?:[-·•]\s*)?([^：:\s]{1,12})[：:]\s*(.+)$/u;
const ITEM = /^\s*(?:\d{1,2}[.、)）]|[-·•])\s*(.+)$/u;

/**
 * Split a result text into blocks.
 * @param {string} text
 * @returns {({type: "text", text: string}|{type: "pair", label: string, value: string}|{type: "item", text: string})[]}
 */
export function parseResult(text) {
  const blocks = [];
  for (const line of text.split("\n")) {
    if (!line.trim()) continue;
    const item = ITEM.exec(line);
    const pair = PAIR.exec(line);
    // "https://..." is no label, and a sentence with a colon late in it no pair.
    if (pair && !/[，。；]|https?$/u.test(pair[1]) && !(item && /^\s*\d/.test(line))) {
      blocks.push({ type: "pair", label: pair[1].trim(), value: pair[2].trim() });
    } else if (item) blocks.push({ type: "item", text: item[1].trim() });
    else blocks.push({ type: "text", text: line.trim() });
  }
  return blocks;
}
