"""Sends one OTLP call with grpcio: otlp_verdicts.py HOST:PORT ASK TIME... (ns). Prints what came back as JSON."""
import json
import sys

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

request = ExportLogsServiceRequest()
records = request.resource_logs.add().scope_logs.add().log_records
for i, time in enumerate(sys.argv[3:]):
    records.add(time_unix_nano=int(time)).body.string_value = f"line {i}"
metadata = (("x-kvasir-verdicts", "true"),) if sys.argv[2] == "yes" else ()
call = grpc.insecure_channel(sys.argv[1]).unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export",
                                                      request_serializer=ExportLogsServiceRequest.SerializeToString)
try:
    answer = call(request, timeout=60, metadata=metadata)
    partial = ExportLogsServiceResponse.FromString(answer).partial_success
    verdicts = answer[answer.index(b'{"accepted"'):].decode() if b'{"accepted"' in answer else "null"
    print(json.dumps({"rejected": partial.rejected_log_records, "message": partial.error_message, "verdicts": json.loads(verdicts)}))
except grpc.RpcError as error:
    print(json.dumps({"code": error.code().name, "details": error.details()}))
