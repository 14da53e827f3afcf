"""Logs three lines through OpenTelemetry's SDK, one of them inside a span: otlp.py http|grpc|grpcs ENDPOINT."""
import logging
import sys

from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

if sys.argv[1] == "http":
    from opentelemetry.exporter.otlp.proto.http._log_exporter import Compression, OTLPLogExporter
    exporter = OTLPLogExporter(endpoint=sys.argv[2] + "/otlp/v1/logs", compression=Compression.Gzip)
else:
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    exporter = OTLPLogExporter(endpoint=sys.argv[2], insecure=sys.argv[1] == "grpc")

provider = LoggerProvider(resource=Resource({"service.name": "shop", "deployment.environment.name": "test", "host.name": "h1"}))
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
logger = logging.getLogger("orders")
logger.setLevel(logging.DEBUG)
logger.addHandler(LoggingHandler(logger_provider=provider))

logger.debug("debug line")
with TracerProvider().get_tracer("t").start_as_current_span("span") as span:
    logger.error("it broke ünïcödé", extra={"order_id": 4711})
    print(trace.format_trace_id(span.get_span_context().trace_id))
logger.warning("two\nlines")
provider.shutdown()
