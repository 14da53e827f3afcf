"""Logs through python-logging-loki: logging_loki.py URL."""
import logging
import sys

sys.path.pop(0)  # this file has the library's name
import logging_loki  # noqa: E402

logger = logging.getLogger("orders")
logger.setLevel(logging.INFO)
logger.addHandler(logging_loki.LokiHandler(url=sys.argv[1] + "/loki/api/v1/push", tags={"app": "shop"}, version="1"))
for i in range(20):
    logger.info("line %d", i, extra={"tags": {"kind": "even" if i % 2 == 0 else "odd"}})
logger.error("it broke")
