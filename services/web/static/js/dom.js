// Small DOM builder. Text always becomes a text node: nothing here ever parses HTML.

/**
 * Create an element.
 * @param {string} tag
 * @param {Object} [props] `class`, `on: {event: handler}`, `dataset`; other keys become attributes
 *   (false, null and undefined are left out, true becomes an empty attribute).
 * @param {...(Node|string|number|null|undefined|false|Array)} children
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG elements. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "class") node.setAttribute("class", value);
    else if (key === "on") for (const [name, handler] of Object.entries(value)) node.addEventListener(name, handler);
    else if (key === "dataset") Object.assign(node.dataset, value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

/** Append children (nested arrays allowed); strings become text nodes. */
export function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
}

export const byId = (id) => document.getElementById(id);

let toastTimer = 0;

/** Show a short notice at the bottom of the page; read out by screen readers. */
export function toast(text, { alert = false, milliseconds = 3500 } = {}) {
  const box = byId("toast");
  box.textContent = text;
  box.classList.toggle("toast_alert", alert);
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, milliseconds);
}

const LINK = /https?:\/\/[^\s<>"'`{}|\\^，。；：！？、（）【】《》“”‘’]+/giu;

/**
 * Split text into text nodes and links. Only http and https become links; they open apart and pass no referrer.
 * @param {string} text
 * @returns {Node[]}
 */
export function linkify(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    const address = match[0].replace(/[.,;:!?)\]]+$/u, "");
    const url = parseHttp(address);
    if (!url) continue;
    if (match.index > at) nodes.push(document.createTextNode(text.slice(at, match.index)));
    nodes.push(h("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow" }, address));
    at = match.index + address.length;
  }
  if (at < text.length) nodes.push(document.createTextNode(text.slice(at)));
  return nodes;
}

function parseHttp(address) {
  try {
    const url = new URL(address);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

/** A photo that somebody sent. @param {{width: number, height: number}} file in pixels; its place is kept while it loads */
export function photo(address, { width, height }) {
  return h("a", { href: address, target: "_blank", rel: "noopener" },
    h("img", { class: "photo", src: address, alt: "照片", width, height, loading: "lazy" }));
}
