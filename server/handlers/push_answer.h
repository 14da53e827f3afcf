// push_answer.h -- bodies of answers to pushes that say more than a status: verdicts line by line, OTLP's partial
// success.
//
// Threads:  free functions.
// Source:   docs/http-extensions.md; opentelemetry/proto/collector/logs/v1/logs_service.proto.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/push_verdicts.h"
#include "ingest/wire/push_request.h"

namespace kvasir::server {

/// How the lines of a push are named: by stream and entry, or, for OTLP, by resource, scope and record.
class LineNames {
 public:
  LineNames() = default;
  /// Of an OTLP push.
  explicit LineNames(const ingest::DecodedPush& push);

  struct Record {
    std::uint32_t resource = 0;
    std::uint32_t scope = 0;
    std::uint32_t record = 0;
  };
  bool names_records() const { return !scopes_.empty(); }
  /// REQUIRES: names_records().
  Record record(ingest::PushVerdicts::Place place) const;

 private:
  std::vector<ingest::OtlpScopePlace> scopes_;
  std::vector<std::uint32_t> stream_begins_;  // first entry of each stream
};

/// `{"accepted":1,"repeated":0,"refused":0,"verdicts":[...]}` and a newline. `complete` false: not every stored line
/// could be looked for.
std::string verdicts_json(const ingest::PushVerdicts& verdicts, const LineNames& names, bool complete);

/// What of an OTLP push was not taken. No message: all was.
struct OtlpPartial {
  std::uint64_t rejected = 0;
  std::string message;
};

/// ExportLogsServiceResponse in the form of the request. A field 15 that is not in OTLP carries the verdicts where they
/// are asked for over gRPC; clients skip it.
std::string encode_otlp_response(const OtlpPartial& partial, std::string_view verdicts);
std::string otlp_response_json(const OtlpPartial& partial);

/// google.rpc.Status with its message (field 2) alone.
std::string encode_rpc_status(std::string_view message);

}  // namespace kvasir::server
