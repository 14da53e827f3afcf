// Logs through pino-loki in its worker thread: pino.js URL
const pino = require("pino");

const transport = pino.transport({target: "pino-loki", options: {host: process.argv[2], labels: {app: "shop"}, batching: {interval: 1}}});
const logger = pino({level: "info"}, transport);
for (let i = 0; i < 20; i++) logger.info({n: i}, `line ${i}`);
logger.error({n: -1}, "it broke");
logger.flush(() => transport.end());
