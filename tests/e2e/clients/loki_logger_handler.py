"""Logs through loki-logger-handler, gzipped and with structured metadata: loki_logger_handler.py URL."""
import logging
import sys

sys.path.pop(0)  # this file has the library's name
from loki_logger_handler.loki_logger_handler import LokiLoggerHandler  # noqa: E402

logger = logging.getLogger("orders")
logger.setLevel(logging.INFO)
handler = LokiLoggerHandler(url=sys.argv[1] + "/loki/api/v1/push", labels={"app": "shop"}, timeout=1, enable_structured_loki_metadata=True,
                            loki_metadata={"run": "r1"}, loki_metadata_keys=["order_id"])
logger.addHandler(handler)
for i in range(20):
    logger.info("line %d", i, extra={"order_id": str(4711 + i)})
logger.error("it broke", extra={"order_id": "1"})
