#include <simdjson.h>

#include <deque>
#include <memory>

#include "common/number.h"
#include "common/utf8.h"
#include "ingest/wire/otlp.h"
#include "ingest/wire/otlp_mapper.h"

namespace kvasir::ingest {
namespace {

namespace dom = simdjson::dom;

/// Thrown inside this file only.
struct Failed {
  Error error;
};

constexpr std::size_t kParserBytesKept = 16 << 20;  // of body; the parser of a larger one is given back
/// What the parser makes of a body may take some twelve times as much, so that less of it is taken.
constexpr std::uint64_t kBodyShare = 4;

[[noreturn]] void malformed(std::string text) { throw Failed{Error(ErrorCode::kInvalidArgument, std::move(text))}; }

void require(const Result<void>& result) {
  if (!result) throw Failed{result.error()};
}

/// The member, or nothing if it is absent or null.
std::optional<dom::element> member(dom::object object, std::string_view name) {
  dom::element found;
  if (object[name].get(found) != simdjson::SUCCESS || found.is_null()) return std::nullopt;
  return found;
}

std::string_view text_member(dom::object object, std::string_view name) {
  const auto found = member(object, name);
  return found ? found->get_string().value() : std::string_view();
}

/// 64-bit numbers come as text or as numbers.
std::uint64_t unsigned_of(dom::element element) {
  if (element.is_string()) {
    const auto number = parse_uint64(element.get_string().value());
    if (!number) malformed("invalid number \"" + std::string(element.get_string().value()) + "\"");
    return *number;
  }
  return element.get_uint64().value();
}

std::uint64_t unsigned_member(dom::object object, std::string_view name) {
  const auto found = member(object, name);
  return found ? unsigned_of(*found) : 0;
}

std::int64_t signed_of(dom::element element) {
  if (!element.is_string()) return element.get_int64().value();
  const auto number = parse_int64(element.get_string().value());
  if (!number) malformed("invalid number \"" + std::string(element.get_string().value()) + "\"");
  return *number;
}

double double_of(dom::element element) {
  if (!element.is_string()) return element.get_double().value();
  const auto number = parse_go_float(element.get_string().value());
  if (!number) malformed("invalid number \"" + std::string(element.get_string().value()) + "\"");
  return *number;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 32);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int base64_digit(char c) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t at = kDigits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

class Decoder {
 public:
  Decoder(OtlpMapper& mapper, const DecodedPush& push) : mapper_(mapper), push_(push) {}

  void run(dom::element document) {
    if (document.is_null()) return;
    for_each(document.get_object(), "resourceLogs",
             [this](dom::object resource_logs) { take_resource(resource_logs); });
  }

 private:
  /// Calls take(element) for each of the member's items; an absent member has none.
  template <class Take>
  static void for_each(dom::object object, std::string_view name, const Take& take) {
    const auto found = member(object, name);
    if (!found) return;
    for (const dom::element item : found->get_array()) take(item.get_object().value());
  }

  void take_resource(dom::object object) {
    values_ = 0;
    const auto resource = member(object, "resource");
    require(mapper_.begin_resource(resource ? attributes(resource->get_object()) : OtlpAttributes()));
    for_each(object, "scopeLogs", [this](dom::object scope_logs) { take_scope(scope_logs); });
  }

  void take_scope(dom::object object) {
    OtlpScope scope;
    if (const auto found = member(object, "scope")) {
      const dom::object fields = found->get_object();
      scope.name = text_member(fields, "name");
      scope.version = text_member(fields, "version");
      scope.attributes = attributes(fields);
      scope.dropped_attributes_count = unsigned_member(fields, "droppedAttributesCount");
    }
    require(mapper_.begin_scope(scope));
    for_each(object, "logRecords", [this](dom::object record) { take_record(record); });
  }

  void take_record(dom::object object) {
    made_.clear();
    values_ = 0;
    OtlpRecord record;
    record.time_unix_nano = unsigned_member(object, "timeUnixNano");
    record.observed_time_unix_nano = unsigned_member(object, "observedTimeUnixNano");
    if (const auto severity = member(object, "severityNumber")) record.severity_number = signed_of(*severity);
    record.severity_text = text_member(object, "severityText");
    if (const auto body = member(object, "body")) record.body = value(body->get_object(), 0);
    record.attributes = attributes(object);
    record.dropped_attributes_count = unsigned_member(object, "droppedAttributesCount");
    record.flags = unsigned_member(object, "flags");
    record.trace_id = hex_bytes(text_member(object, "traceId"));
    record.span_id = hex_bytes(text_member(object, "spanId"));
    require(mapper_.add(record));
  }

  /// Values of one record or resource are in memory together.
  void count_value() {
    if (++values_ > push_.made_bytes_max / sizeof(OtlpAttribute)) throw Failed{push_.too_much()};
  }

  OtlpAttributes attributes(dom::object object) {
    OtlpAttributes out;
    for_each(object, "attributes", [&](dom::object item) { out.push_back(attribute(item, 0)); });
    return out;
  }

  OtlpAttribute attribute(dom::object object, int depth) {
    count_value();
    OtlpAttribute out;
    out.key = text_member(object, "key");
    if (const auto found = member(object, "value")) out.value = value(found->get_object(), depth);
    return out;
  }

  OtlpValue value(dom::object object, int depth) {
    if (depth > kOtlpDepthMax) malformed("attribute value nested too deep");
    count_value();
    using Kind = OtlpValue::Kind;
    OtlpValue out;
    for (const auto [name, content] : object) {
      if (content.is_null()) continue;
      if (name == "stringValue") out.kind = Kind::kString, out.text = content.get_string().value();
      if (name == "boolValue") out.kind = Kind::kBool, out.boolean = content.get_bool().value();
      if (name == "intValue") out.kind = Kind::kInt, out.integer = signed_of(content);
      if (name == "doubleValue") out.kind = Kind::kDouble, out.number = double_of(content);
      if (name == "bytesValue") out.kind = Kind::kBytes, out.text = base64_bytes(content.get_string().value());
      if (name == "arrayValue") {
        out.kind = Kind::kArray;
        for_each(content.get_object(), "values",
                 [&](dom::object item) { out.items.push_back(value(item, depth + 1)); });
      }
      if (name == "kvlistValue") {
        out.kind = Kind::kMap;
        for_each(content.get_object(), "values",
                 [&](dom::object item) { out.pairs.push_back(attribute(item, depth + 1)); });
      }
    }
    return out;
  }

  std::string_view hex_bytes(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 2) {
      const int high = hex_digit(text[i]);
      const int low = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
      if (high < 0 || low < 0) malformed("invalid id \"" + std::string(text) + "\"");
      out += static_cast<char>(high * 16 + low);
    }
    return made_.emplace_back(std::move(out));
  }

  std::string_view base64_bytes(std::string_view text) {
    while (text.ends_with('=')) text.remove_suffix(1);
    std::string out;
    std::uint32_t group = 0;
    unsigned bits = 0;
    for (const char c : text) {
      const int digit = base64_digit(c);
      if (digit < 0) malformed("illegal base64 data");
      group = group << 6 | static_cast<std::uint32_t>(digit);
      bits += 6;
      if (bits < 8) continue;
      bits -= 8;
      out += static_cast<char>(group >> bits & 255);
    }
    return made_.emplace_back(std::move(out));
  }

  OtlpMapper& mapper_;
  const DecodedPush& push_;
  std::uint64_t values_ = 0;
  std::deque<std::string> made_;  // bytes decoded from text, for the record in hand
};

}  // namespace

Result<void> decode_otlp_json(const OtlpConfig& config, TimestampNs now, DecodedPush& push) {
  if (push.body.find_first_not_of(" \t\r\n") == std::string::npos) return fail(ErrorCode::kInvalidArgument, "EOF");
  if (!is_valid_utf8(push.body)) push.body = replace_invalid_utf8(push.body);
  KVASIR_TRY(OtlpMapper mapper, OtlpMapper::create(config, now, false, push));
  if (push.body.size() > push.made_bytes_max / kBodyShare) return fail(push.too_much());
  thread_local dom::parser parser;
  const auto give_back = [](dom::parser* used) {
    if (used->capacity() > kParserBytesKept) *used = dom::parser();
  };
  const std::unique_ptr<dom::parser, decltype(give_back)> guard(&parser, give_back);
  try {
    Decoder(mapper, push).run(parser.parse(push.body));
  } catch (const Failed& failed) {
    return fail(failed.error);
  } catch (const simdjson::simdjson_error& error) {
    return fail(ErrorCode::kInvalidArgument, std::string("couldn't parse otlp json: ") + error.what());
  }
  mapper.finish();
  return {};
}

}  // namespace kvasir::ingest
