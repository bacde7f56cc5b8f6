import { byId } from "./dom.js";
import { post } from "./api.js";

const form = byId("login");
const error = byId("error");
const submit = byId("submit");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  error.hidden = true;
  submit.disabled = true;
  submit.textContent = "正在登录…";
  try {
    await post("/login", { name: byId("name").value.trim(), password: byId("password").value });
    location.replace(document.body.dataset.next || "/home");
  } catch (problem) {
    error.textContent = messageFor(problem);
    error.hidden = false;
    submit.disabled = false;
    submit.textContent = "登录";
    byId("password").value = "";
    byId(problem.status === 401 ? "password" : "submit").focus();
  }
});

function messageFor(problem) {
  if (problem.status === 401) return "用户名或密码不正确";
  if (problem.status === 429) return problem.problem.detail || "尝试次数过多，请稍后再试";
  return problem.message;
}

byId("name").focus();
