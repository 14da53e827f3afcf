// Logs through winston-loki, as protobuf and as JSON: winston.js URL json|protobuf
const winston = require("winston");
const LokiTransport = require("winston-loki");

const transport = new LokiTransport({
  host: process.argv[2], labels: {app: "shop"}, json: process.argv[3] === "json", interval: 1, useWinstonMetaAsLabels: false,
  onConnectionError: (error) => { console.error(error); process.exit(1); },
});
const logger = winston.createLogger({transports: [transport], level: "info"});
for (let i = 0; i < 20; i++) logger.info(`line ${i}`);
logger.error({message: "it broke", labels: {kind: "fault"}});
transport.flush().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
