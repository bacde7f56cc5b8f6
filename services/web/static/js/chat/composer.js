// The input line: growing text area, Enter to send (not while an input method composes), length limit.
import { byId } from "../dom.js";

const HINT_FROM = 0.9; // share of the limit from which the counter is shown

/** Characters as the server counts them (code points, not UTF-16 units). */
export const countCharacters = (text) => Array.from(text).length;

export function setUpComposer({ limit, send }) {
  const form = byId("composer");
  const input = byId("input");
  const button = byId("send");
  const hint = byId("hint");

  function refresh() {
    const length = countCharacters(input.value.trim());
    button.disabled = length === 0 || length > limit;
    hint.classList.toggle("composer__hint_over", length > limit);
    hint.hidden = length < limit * HINT_FROM;
    hint.textContent = length > limit
      ? `一条最多 ${limit} 字，已超出 ${length - limit} 字，请分成几条发送`
      : `${length} / ${limit} 字`;
    input.setAttribute("aria-invalid", String(length > limit));
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight, 132)}px`;
  }

  input.addEventListener("input", refresh);
  input.addEventListener("keydown", (event) => {
    // keyCode 229: Safari reports the Enter that ends a composition after compositionend.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || countCharacters(text) > limit) return;
    input.value = "";
    refresh();
    send(text);
    input.focus();
  });
  refresh();
}

/**
 * Ask the device for its position (WGS-84).
 * @returns {Promise<{lat: number, lng: number, coordinates: "wgs84"}>} rejects with a sentence for the citizen
 */
export function locate() {
  return new Promise((resolve, reject) => {
    if (!navigator.geolocation || !window.isSecureContext) {
      reject(new Error("当前环境无法获取位置，请直接输入您所在的地址"));
      return;
    }
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve({ lat: round(coords.latitude), lng: round(coords.longitude), coordinates: "wgs84" }),
      (error) => reject(new Error(error.code === error.PERMISSION_DENIED
        ? "您没有允许使用位置，可以直接输入所在的地址"
        : "暂时无法获取位置，请直接输入您所在的地址")),
      { enableHighAccuracy: true, timeout: 10000, maximumAge: 60000 });
  });
}

// Six decimals are some 10 cm: no point in telling more.
const round = (degrees) => Math.round(degrees * 1e6) / 1e6;
