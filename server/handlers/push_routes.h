// push_routes.h -- POST /loki/api/v1/push, /api/prom/push and /otlp/v1/logs; OTLP's LogsService over gRPC.
//
// Shape:    content encoding -> decode -> validate -> ingester; the answer is sent when the entries are durable.
// Threads:  handlers run on the pool "ingest"; answers come from the ingester's apply thread.
// Errors:   http-extensions.md for our headers; family A texts, for OTLP an encoded google.rpc.Status.
#pragma once

#include <memory>

#include "common/net/grpc_server.h"
#include "common/net/http_server.h"
#include "server/services.h"

namespace kvasir::server {

/// `services` must outlive the servers. `grpc` may be null.
void add_push_routes(net::HttpServer& server, net::GrpcServer* grpc, const Services& services);

}  // namespace kvasir::server
