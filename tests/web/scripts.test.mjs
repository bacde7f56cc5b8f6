// Pure parts of the page scripts; run by test_scripts.py with node's own test runner.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createParser, backoff } from "./js/chat/stream.js";
import { parseResult } from "./js/chat/result.js";
import { Outbox, matches } from "./js/chat/outbox.js";
import { duration, percent, span, validity, when } from "./js/format.js";
import { actionsOf, byHour } from "./js/staff/visits.js";
import { agoText } from "./js/staff/common.js";
import { Tabs, fresh, newest, titleOf } from "./js/bell/news.js";

test("the stream parser survives any split of its bytes, comments, CRLF and several data lines", () => {
  const text = ": hello\r\n\r\nid: 7\r\nevent: message\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nevent: handler\ndata:{\"handler\":\"human\"}\n\n";
  for (let size = 1; size <= text.length; size += 1) {
    const events = [];
    const feed = createParser((event) => events.push(event));
    for (let at = 0; at < text.length; at += size) feed(text.slice(at, at + size));
    assert.deepEqual(events, [
      { type: "message", data: "{\"a\":\n1}", id: "7" },
      { type: "handler", data: "{\"handler\":\"human\"}", id: "7" },
    ], `chunks of ${size}`);
  }
});

test("appointments stand by their hour, in order, and only a booked one can be missed", () => {
  const at = (hour, no) => ({ start_at: `2026-11-23T0${hour}:00:00Z`, end_at: `2026-11-23T0${hour + 1}:00:00Z`, no });
  const hours = byHour([at(2, "b"), at(1, "a"), at(2, "c")]);
  assert.deepEqual(hours.map((hour) => hour.visits.map((one) => one.no)), [["a"], ["b", "c"]]);
  const paths = (status, now = 5) => actionsOf({ status, start_at: "1970-01-01T00:00:00.003Z" }, now).map(([path]) => path);
  assert.deepEqual(paths("booked"), ["check-in", "no-show"]);
  assert.deepEqual(paths("booked", 1), ["check-in"]);
  assert.deepEqual(paths("checked_in"), ["served"]);
  assert.deepEqual(paths("served"), []);
});

test("waiting between attempts grows and never passes thirty seconds", () => {
  assert.ok(backoff(1, 1) <= 1000 && backoff(1, 0) >= 500);
  assert.ok(backoff(4, 0) > backoff(2, 1));
  assert.equal(backoff(50, 1), 30000);
});

test("lines with a label become pairs, numbered lines items, and sentences stay text", () => {
  assert.deepEqual(parseResult("车辆 示A**1：共 1 条。\n\n1. 2026-10-03 08:12\n地点：人民路\n详情见 https://a.example/x\n2026-09：85 元"), [
    { type: "text", text: "车辆 示A**1：共 1 条。" }, { type: "item", text: "2026-10-03 08:12" },
    { type: "pair", label: "地点", value: "人民路" }, { type: "text", text: "详情见 https://a.example/x" },
    { type: "pair", label: "2026-09", value: "85 元" },
  ]);
});

test("an unsent message survives a reload, and a stored message finds its local twin", () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const item = { id: "m1", text: "小型汽车", body: { choice: "small" }, after: 4 };
  new Outbox(storage).add(item);
  const again = new Outbox(storage);
  assert.deepEqual(again.items, [item]);
  assert.equal(matches({ id: 5, text: "small" }, item), true);
  assert.equal(matches({ id: 5, text: "小型汽车" }, item), true);
  assert.equal(matches({ id: 4, text: "小型汽车" }, item), false);
  assert.equal(matches({ id: 5, text: "别的" }, item), false);
  again.remove("m1");
  assert.deepEqual(new Outbox(storage).items, []);
});

test("times are shown in Shanghai whatever the zone of the device", () => {
  const now = new Date("2026-10-12T02:00:00Z");
  assert.equal(when("2026-10-12T01:05:00Z", now), "09:05");
  assert.equal(when("2026-10-11T17:30:00Z", now), "01:30");
  assert.equal(when("2026-10-11T15:30:00Z", now), "昨天 23:30");
  assert.equal(when("2025-12-31T16:00:00Z", now), "1月1日 00:00");
  assert.equal(when("2025-12-31T15:00:00Z", now), "2025年12月31日 23:00");
  assert.equal(when("not a time", now), "");
});

test("figures never claim more than they know", () => {
  assert.equal(percent(0.99999), "99.9%");
  assert.equal(percent(1), "100%");
  assert.equal(percent(null), "–");
  assert.deepEqual(duration(null), { value: "–", unit: "" });
  assert.deepEqual(duration(90), { value: "1.5", unit: "小时" });
  assert.equal(span(26 * 3600000), "1 天 2 小时");
});

test("an entry is past its last day from midnight in Shanghai on, whatever the day is in Greenwich", () => {
  const entry = { valid_from: "2026-01-01", valid_to: "2026-09-30" };
  assert.deepEqual(validity(entry, new Date("2026-09-30T15:59:59Z")), { text: "2026-01-01 至 2026-09-30", late: false });
  assert.deepEqual(validity(entry, new Date("2026-09-30T16:00:00Z")), { text: "2026-01-01 至 2026-09-30（已过期）", late: true });
  assert.deepEqual(validity({}, new Date(0)), { text: "长期有效", late: false });
});

test("how long words have been unread is said in two units at most", () => {
  const now = Date.parse("2026-11-20T04:00:00Z");
  const ago = (minutes) => agoText(new Date(now - minutes * 60000).toISOString(), now);
  assert.deepEqual([0, 0.9, 12, 60, 185, 24 * 60 * 2].map(ago), ["刚刚", "刚刚", "12 分钟前", "1 小时前", "3 小时 5 分前", "2 天前"]);
});

const bell = (ids, more = {}) => ({ unread: ids.length, news: ids.map((id) => ({ id })), alarms: [], ...more });

test("a tab's title counts what is unread and says that danger waits", () => {
  assert.equal(titleOf("工单", bell([])), "工单");
  assert.equal(titleOf("工单", bell([1, 2])), "(2) 工单");
  assert.equal(titleOf("工单", { ...bell([]), unread: 100 }), "(99+) 工单");
  assert.equal(titleOf("工单", bell([1], { alarms: [{}] })), "(1) 紧急！工单");
});

test("only what came after the bell before is fresh, in its order, and nothing of the first bell is", () => {
  assert.deepEqual(fresh(null, bell([3, 2])), []);
  assert.deepEqual(fresh(3, bell([6, 5, 3])).map((one) => one.id), [5, 6]);
  // What was read in the meantime does not make older ones fresh again.
  assert.equal(newest(6, bell([2, 1])), 6);
  assert.deepEqual(fresh(newest(6, bell([2, 1])), bell([2, 1])), []);
});

test("of many tabs one sounds: the one clicked in last, without any the one opened last", () => {
  const tabs = new Tabs(3);
  assert.equal(tabs.speaker, null);
  tabs.add("a");
  tabs.add("b");
  assert.equal(tabs.speaker, "b");
  tabs.unlock("a");
  tabs.add("c");
  assert.equal(tabs.speaker, "a");
  tabs.unlock("b");
  assert.equal(tabs.speaker, "b");
  tabs.remove("b");
  assert.equal(tabs.speaker, "a");
  assert.deepEqual(tabs.all.length, 2);
  for (const tab of ["d", "e", "f"]) tabs.add(tab);
  assert.equal(tabs.all.length, 3);
});
