// The bar of every page of the staff: its bell, and the logout button.
import "./bell/bell.js";
import { byId, toast } from "./dom.js";
import { post } from "./api.js";

byId("logout").addEventListener("click", async () => {
  try {
    await post("/logout");
  } catch (error) {
    if (error.status !== 401) {
      toast(error.message, { alert: true });
      return;
    }
  }
  location.assign("/login");
});
