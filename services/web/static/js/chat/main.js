// The citizen's chat: conversation, sending, stream. The parts live in the modules beside this one.
import { byId, toast } from "../dom.js";
import { call, get, post } from "../api.js";
import { ask } from "../dialog.js";
import { EventStream } from "./stream.js";
import { Outbox, newId } from "./outbox.js";
import { Thread } from "./thread.js";
import { Waiting } from "./waiting.js";
import { locate, setUpComposer } from "./composer.js";

const PAGE = 100;
const POLL = 5000; // while the stream is down
const UPLOAD = 60000; // a photo over a weak connection
const BANNER_DELAY = 4000; // a short break of the stream is nobody's business

const outbox = new Outbox();
const thread = new Thread({
  rate: (option, button) => { sending = sending.then(() => rate(option, button)); },
  choose: (option) => send({ choice: option.payload }, option.title),
  resend: (id) => queue(outbox.items.find((item) => item.id === id)),
  discard: (id) => { outbox.remove(id); thread.discard(id); },
  confirmed: (id) => outbox.remove(id),
});
const waiting = new Waiting({
  shown: () => { if (thread.nearEnd()) thread.toEnd(); },
  expired: async () => {
    await catchUp();
    setBanner("查询时间较长，结果出来后会显示在这里。您可以继续提问。", 8000);
  },
});

let conversation = null;
let stream = null;
let streamSeq = 0; // highest seq below which nothing is missing: only history and the stream move it
let streamOpen = false;
let sending = Promise.resolve();

function setHandler(handler, clerk) {
  const human = handler === "human";
  byId("status").dataset.handler = human ? "human" : "bot";
  byId("status-text").textContent = human ? `人工服务中${clerk ? ` · ${clerk}` : ""}` : "机器人为您服务";
  if (human) waiting.stop();
}

let bannerTimer = 0;

function setBanner(text, milliseconds = 0) {
  clearTimeout(bannerTimer);
  byId("banner").textContent = text;
  byId("banner").hidden = !text;
  if (text && milliseconds) bannerTimer = setTimeout(() => setBanner(""), milliseconds);
}

function receive(message) {
  if (thread.show({ ...message, conversation })) waiting.arrived(message);
}

/** Fetch everything after what is known without gaps. */
async function catchUp() {
  if (!conversation) return;
  for (;;) {
    const page = await get(`/conversations/${conversation}/messages`, { after: streamSeq, limit: PAGE });
    for (const message of page.messages) {
      receive(message);
      streamSeq = Math.max(streamSeq, message.id);
    }
    setHandler(page.handler, page.clerk);
    if (page.messages.length < PAGE) return;
  }
}

function openStream() {
  stream?.close();
  stream = new EventStream(`/api/v1/conversations/${conversation}/stream`, {
    lastId: () => streamSeq,
    onEvent: ({ type, data }) => {
      const value = JSON.parse(data);
      if (type === "handler") setHandler(value.handler, value.clerk);
      else if (type === "message") {
        receive(value);
        streamSeq = Math.max(streamSeq, value.id);
      }
    },
    onState: (open) => {
      streamOpen = open;
      if (open) setBanner("");
      else setTimeout(() => { if (!streamOpen) setBanner("连接中断，正在重新连接…"); }, BANNER_DELAY);
    },
    onGone: () => startOver(),
  });
}

async function create() {
  const created = await post("/conversations");
  conversation = created.conversation_id;
  for (const message of created.messages || []) {
    receive(message);
    streamSeq = Math.max(streamSeq, message.id);
  }
}

async function startOver() {
  stream?.close();
  thread.clear();
  waiting.stop();
  streamSeq = 0;
  conversation = null;
  await start();
  toast("原会话已结束，已为您开启新会话");
}

/** Resume the conversation of the cookie, or begin one; keeps trying while the service cannot be reached. */
async function start() {
  for (let failures = 0; ; failures += 1) {
    try {
      try {
        conversation = (await get("/conversations/current")).conversation_id;
        await catchUp();
      } catch (error) {
        if (error.status !== 404 && error.status !== 401) throw error;
        await create();
      }
      break;
    } catch (error) {
      setBanner(error.message);
      await new Promise((resolve) => { setTimeout(resolve, Math.min(15000, 1500 * (failures + 1))); });
    }
  }
  setBanner("");
  byId("thread").setAttribute("aria-busy", "false");
  for (const item of outbox.items) {
    thread.showOutgoing(item);
    thread.mark(item.id, "failed", "未发送");
  }
  // A stored message that the outbox still holds was delivered after all: its local copy steps back.
  dropDelivered();
  openStream();
}

function dropDelivered() {
  for (const item of [...outbox.items]) {
    const twin = [...byId("thread").querySelectorAll(".msg_out[data-seq]")].find((node) =>
      Number(node.dataset.seq) > item.after && node.querySelector(".bubble").textContent.trim() === item.text.trim());
    if (!twin) continue;
    outbox.remove(item.id);
    thread.discard(item.id);
  }
}

function send(body, text) {
  const item = { id: newId(), body, text, after: thread.highest, at: new Date().toISOString() };
  outbox.add(item);
  thread.showOutgoing(item);
  queue(item);
}

// One at a time: what was typed first arrives first.
function queue(item) {
  if (!item) return;
  thread.mark(item.id, "sending");
  sending = sending.then(() => deliver(item, 1));
}

async function deliver(item, retries) {
  if (!conversation) {
    thread.mark(item.id, "failed", "尚未连接");
    return;
  }
  if (byId("status").dataset.handler === "bot") waiting.typing();
  try {
    const reply = await post(`/conversations/${conversation}/messages`, { ...item.body, client_message_id: item.id });
    outbox.remove(item.id);
    thread.mark(item.id, "sent");
    setHandlerUnlessNamed(reply.handler);
    for (const message of reply.messages) receive(message);
    const after = Math.max(item.after, ...reply.messages.map((message) => message.id));
    if (reply.pending && thread.answered <= after) waiting.pending(after, reply.messages.length > 0);
    else waiting.stop(); // done, or the stream was faster than this reply
  } catch (error) {
    if (error.transient && retries > 0) {
      await new Promise((resolve) => { setTimeout(resolve, 1500); });
      await deliver(item, retries - 1);
      return;
    }
    waiting.stop();
    thread.mark(item.id, "failed", error.status === 0 ? "未发送" : error.message);
    if (error.status === 401 || error.status === 404) await startOver();
  }
}

/** Say whether an answer helped; the button shows it at once and steps back when it could not be stored. */
async function rate(option, button) {
  if (!conversation) return;
  const buttons = [...button.parentElement.children];
  const before = buttons.map((one) => one.getAttribute("aria-pressed"));
  for (const one of buttons) one.setAttribute("aria-pressed", String(one === button));
  try {
    const reply = await post(`/conversations/${conversation}/messages`, { choice: option.payload, client_message_id: newId() });
    for (const message of reply.messages) receive(message);
  } catch (error) {
    buttons.forEach((one, index) => one.setAttribute("aria-pressed", before[index]));
    toast(error.message);
  }
}

// The reply to a message does not name the clerk; the stream does. Do not overwrite the name with less.
function setHandlerUnlessNamed(handler) {
  if (handler && byId("status").dataset.handler !== handler) setHandler(handler);
}

byId("thread").closest(".chat-shell").addEventListener("click", (event) => {
  const quick = event.target.closest("[data-quick]");
  if (quick) send({ text: quick.dataset.quick }, quick.dataset.quick);
});

byId("locate").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    const position = await locate();
    send({ location: position }, `[位置] ${position.lat.toFixed(4)}, ${position.lng.toFixed(4)}`);
  } catch (error) {
    toast(error.message);
  } finally {
    button.disabled = false;
  }
});

byId("attach").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", (event) => {
  const [file] = event.currentTarget.files;
  event.currentTarget.value = "";
  if (file) sending = sending.then(() => upload(file));
});

/** Send a photo or document; it is shown once it is stored, so nothing half sent is left in the thread. */
async function upload(file) {
  if (!conversation) return;
  const form = new FormData();
  form.append("file", file);
  form.append("client_message_id", newId());
  setBanner("正在发送照片…");
  try {
    const reply = await call("POST", `/conversations/${conversation}/attachments`, { form, timeout: UPLOAD });
    setHandlerUnlessNamed(reply.handler);
    await catchUp();
  } catch (error) {
    toast(error.message);
  } finally {
    setBanner("");
  }
}

byId("end").addEventListener("click", () => ask({
  title: "结束会话？",
  text: "对话记录将从这台设备上清除，之后的人看不到。已经提交的工单和预约继续有效，可凭编号和手机号查询。",
  confirm: "结束会话",
  danger: true,
}, endConversation));

/** End the conversation here: for a terminal that the next person will use. */
async function endConversation() {
  if (conversation) {
    try {
      await post(`/conversations/${conversation}/end`);
    } catch (error) {
      if (error.status !== 401 && error.status !== 404) throw error; // those: it has ended already
    }
  }
  stream?.close();
  for (const item of [...outbox.items]) outbox.remove(item.id);
  // A fresh page, also behind the back button: nothing of the conversation stays in memory.
  location.replace("/");
}

window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && !streamOpen) stream?.retryNow(); });
setInterval(() => { if (conversation && !streamOpen && !document.hidden) catchUp().catch(() => {}); }, POLL);

// iOS keeps the layout height when the keyboard opens; the visual viewport tells the truth.
window.visualViewport?.addEventListener("resize", () => {
  document.documentElement.style.setProperty("--view-height", `${window.visualViewport.height}px`);
  window.scrollTo(0, 0);
});

setUpComposer({ limit: Number(document.body.dataset.maxLength), send: (text) => send({ text }, text) });
start();
