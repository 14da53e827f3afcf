// Tails with the ws package and prints each line: tail.js URL LINES
const WebSocket = require("ws");

const socket = new WebSocket(process.argv[2]);
let left = Number(process.argv[3]);
socket.on("open", () => console.log("open"));
socket.on("error", (error) => { console.error(error); process.exit(1); });
socket.on("message", (data) => {
  for (const stream of JSON.parse(data).streams) {
    for (const [, line] of stream.values) {
      console.log(line);
      if (--left === 0) socket.close(1000);
    }
  }
});
socket.on("close", (code) => process.exit(code === 1000 ? 0 : 1));
