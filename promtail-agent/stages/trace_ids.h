// trace_ids.h -- finds the trace and span that a line belongs to, in the forms that programs write.
//
// Forms:    W3C traceparent; B3, single and with X-B3-... keys; Jaeger's uber-trace-id; keys like trace_id, traceId,
//           trace.id, span-id in JSON (also escaped), logfmt and text; UUIDs; Datadog's decimal dd.trace_id.
// Result:   lower-case hex, left-padded to 16 or 32 digits; ids of zeros are none.
// Cost:     one pass over the text; no allocation.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvasir::agent {

/// Hex digits held in place.
class HexId {
 public:
  /// Keeps the hex digits of `text` (dashes of a UUID are skipped); empty if there are none, too many, or only zeros.
  static HexId from_hex(std::string_view text);
  static HexId from_decimal(std::string_view text);
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {digits_, size_}; }
  std::size_t size() const { return size_; }

 private:
  void pad_to(std::size_t size);
  char digits_[32] = {};
  std::size_t size_ = 0;
};

struct TraceIds {
  HexId trace;
  HexId span;
};

TraceIds find_trace_ids(std::string_view text);

/// `00-<32 hex>-<16 hex>-<2 hex>`; empty ids if it is not that.
TraceIds parse_traceparent(std::string_view text);
/// `<trace>-<span>[-<sampled>[-<parent>]]`
TraceIds parse_b3(std::string_view text);
/// `<trace>:<span>:<parent>:<flags>`
TraceIds parse_jaeger(std::string_view text);

}  // namespace kvasir::agent
