// Calls of /api/v1. The token lives in an HttpOnly cookie; writes carry X-Requested-With (CSRF rule of the API).

import { toast } from "./dom.js";

const BASE = "/api/v1";
const REPEATS = 20; // at three seconds each: a minute of a locked database or a restart

/** An answer that is not 2xx (`status` > 0) or no answer at all (`status` 0). */
export class ApiError extends Error {
  constructor(status, problem, retryAfter = 0) {
    super(problem.detail || problem.title || DEFAULT_TEXT[status] || fallback(status));
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** True when the same request may succeed later: no connection, or a server that is busy or restarting. */
  get transient() {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

const DEFAULT_TEXT = {
  0: "网络不可用，请检查网络后重试",
  401: "登录已失效，请重新登录",
  403: "没有权限",
  404: "没有找到",
  409: "内容已被他人更新",
  413: "内容过大",
  429: "操作过于频繁，请稍后再试",
};

function fallback(status) {
  return status >= 500 ? "服务暂时不可用，请稍后再试" : "请求未能完成";
}

/**
 * Call the API. A server that could not store anything says when to come back (503 with Retry-After): the same call is
 * made again by itself, and the page says so.
 * @param {"GET"|"POST"} method
 * @param {string} path below /api/v1
 * @param {{query?: Object, body?: Object, form?: FormData, timeout?: number}} [options] timeout in milliseconds
 * @returns {Promise<Object|null>} the JSON body, null for 204
 * @throws {ApiError}
 */
export async function call(method, path, options = {}) {
  for (let repeats = 0; ; repeats += 1) {
    try {
      const answer = await once(method, path, options);
      if (repeats) toast("系统已恢复");
      return answer;
    } catch (error) {
      if (error.status !== 503 || !error.retryAfter || repeats >= REPEATS) throw error;
      const seconds = Math.min(error.retryAfter, 30);
      toast(`${error.message}（${seconds} 秒后自动重试，无需重新填写）`, { alert: true, milliseconds: seconds * 1000 + 1500 });
      await new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });
    }
  }
}

async function once(method, path, { query, body, form, timeout = 20000 }) {
  const url = new URL(BASE + path, location.origin);
  for (const [key, value] of Object.entries(query || {})) {
    for (const one of [value].flat()) {
      if (one !== undefined && one !== null && one !== "") url.searchParams.append(key, one);
    }
  }
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Requested-With"] = "huiying";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeout);
  try {
    const response = await fetch(url, {
      method, headers, credentials: "same-origin", cache: "no-store", signal: stop.signal,
      body: form || (body === undefined ? undefined : JSON.stringify(body)),
    });
    if (response.status === 204) return null;
    const data = await response.json().catch(() => ({}));
    if (!response.ok) {
      throw new ApiError(response.status, readable(data), Number(response.headers.get("Retry-After")) || 0);
    }
    return data;
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError(0, { detail: error.name === "AbortError" ? "等待超时，请重试" : "" });
  } finally {
    clearTimeout(timer);
  }
}

export const get = (path, query, options) => call("GET", path, { query, ...options });
export const post = (path, body = {}, options) => call("POST", path, { body, ...options });

/** Send the person to the login page, keeping where they were. */
export function toLogin() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
}

// FastAPI's own validation errors carry a list as `detail`; a person needs a sentence.
function readable(data) {
  const problem = data && typeof data === "object" ? data : {};
  return typeof problem.detail === "string" ? problem : { ...problem, detail: "" };
}
