// Change the own password, and go on to where the person was led away from.
import { byId } from "./dom.js";
import { post, toLogin } from "./api.js";

const form = byId("change");
const error = byId("error");
const submit = byId("submit");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  error.hidden = true;
  if (byId("new").value !== byId("again").value) {
    refuse("两次输入的新密码不一致", "again");
    return;
  }
  submit.disabled = true;
  submit.textContent = "正在修改…";
  try {
    await post("/me/password", { old: byId("old").value, new: byId("new").value });
    location.replace(document.body.dataset.next || "/home");
  } catch (problem) {
    if (problem.status === 401) {
      toLogin();
      return;
    }
    submit.disabled = false;
    submit.textContent = "修改密码";
    refuse(problem.message, "old");
  }
});

function refuse(text, field) {
  error.textContent = text;
  error.hidden = false;
  byId(field).focus();
}

byId("old").focus();
