// The desk of the bells, shared by all tabs of the staff in this browser.
import { openDesk } from "./desk.js";

const hear = openDesk();

self.addEventListener("connect", ({ ports: [port] }) => {
  port.addEventListener("message", ({ data }) => hear(port, data));
  port.start();
});
