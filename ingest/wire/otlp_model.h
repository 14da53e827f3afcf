// otlp_model.h -- OTLP messages as both decoders produce them, one record at a time.
//
// Lifetime: views point into the request body (protobuf) or the JSON parser (JSON): the mapper copies what it keeps.
// Limits:   kOtlpDepthMax levels of arrays and maps.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace kvasir::ingest {

inline constexpr int kOtlpDepthMax = 32;

struct OtlpAttribute;

struct OtlpValue {
  enum class Kind { kNone, kString, kBool, kInt, kDouble, kBytes, kArray, kMap };
  Kind kind = Kind::kNone;
  std::string_view text;             // kString, kBytes
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0;
  std::vector<OtlpValue> items;      // kArray
  std::vector<OtlpAttribute> pairs;  // kMap
};

struct OtlpAttribute {
  std::string_view key;
  OtlpValue value;
};

using OtlpAttributes = std::vector<OtlpAttribute>;

struct OtlpScope {
  std::string_view name;
  std::string_view version;
  OtlpAttributes attributes;
  std::uint64_t dropped_attributes_count = 0;
};

struct OtlpRecord {
  std::uint64_t time_unix_nano = 0;
  std::uint64_t observed_time_unix_nano = 0;
  std::int64_t severity_number = 0;
  std::string_view severity_text;
  OtlpValue body;
  OtlpAttributes attributes;
  std::uint64_t dropped_attributes_count = 0;
  std::uint64_t flags = 0;
  std::string_view trace_id;         // bytes
  std::string_view span_id;
};

}  // namespace kvasir::ingest
