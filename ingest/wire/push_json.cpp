#include "ingest/wire/push_json.h"

#include <simdjson.h>

#include <algorithm>
#include <memory>
#include <unordered_map>

#include "common/json_writer.h"
#include "common/number.h"
#include "common/utf8.h"
#include "ingest/wire/json_text.h"
#include "ingest/wire/label_string.h"

namespace kvasir::ingest {
namespace {

namespace json = simdjson::ondemand;

/// Thrown inside this file only; carries the text of the answer.
struct Malformed {
  std::string text;
};
struct TooMuch {};

constexpr std::size_t kParserBytesKept = 16 << 20;  // of body; the parser of a larger one is given back

[[noreturn]] void malformed(std::string_view where, std::string_view what) {
  throw Malformed{"loghttp.PushRequest.Streams: " + std::string(where) + ": " + std::string(what)};
}

constexpr std::size_t kBuiltLabelBytes = 2 * sizeof(Label);  // at least, while the label text is built
constexpr std::size_t kFewNames = 64;  // of metadata: looked for one after the other

constexpr std::string_view kStreamPart = "[]loghttp.LogProtoStream: unmarshalerDecoder";

class Decoder {
 public:
  explicit Decoder(DecodedPush& push) : push_(push) {}

  void run(JsonForm form, json::document& document) {
    if (document.is_null()) return;
    for (auto item : document.get_object()) {
      json::field field = std::move(item).take_value();
      json::value value = field.value();
      if (key_of(field) == "streams" && !value.is_null()) take_streams(form, value.get_array());
    }
  }

 private:
  void check_size() const {
    if (push_.is_too_much()) throw TooMuch();
  }

  void take_streams(JsonForm form, json::array streams) {
    for (auto element : streams) {
      json::value value = element.value();
      if (value.is_null()) continue;
      form == JsonForm::kV1 ? take_stream(value.get_object()) : take_legacy_stream(value.get_object());
    }
  }

  std::string_view key_of(json::field& field) {
    const char* begin = field.key().raw();
    const char* end = begin;
    while (*end != '"') end += *end == '\\' ? 2 : 1;
    const auto key = json_string({begin - 1, static_cast<std::size_t>(end - begin) + 2}, push_.text);
    if (!key) malformed(kStreamPart, "invalid escape in a key");
    return *key;
  }

  std::string_view text_of(json::value& value, std::string_view what) {
    const auto text = json_string(value.raw_json_token(), push_.text);
    if (!text) malformed(kStreamPart, std::string(what) + " is not a string");
    return *text;
  }

  void begin_stream() {
    stream_ = {};
    stream_.labels = "{}";
    stream_.entry_begin = static_cast<std::uint32_t>(push_.entries.size());
  }
  void end_stream() {
    stream_.entry_count = static_cast<std::uint32_t>(push_.entries.size()) - stream_.entry_begin;
    push_.streams.push_back(stream_);
    check_size();
  }

  void take_stream(json::object object) {
    begin_stream();
    for (auto item : object) {
      json::field field = std::move(item).take_value();
      const std::string_view key = key_of(field);
      json::value value = field.value();
      if (key == "stream" && !value.is_null()) take_labels(value.get_object());
      if (key == "values" && !value.is_null()) take_values(value.get_array());
    }
    end_stream();
  }

  void take_labels(json::object object) {
    std::vector<Label> labels;
    for (auto item : object) {
      json::field field = std::move(item).take_value();
      const std::string_view name = key_of(field);
      json::value value = field.value();
      const auto type = value.type().value();
      if (type != json::json_type::string && type != json::json_type::number)
        malformed(kStreamPart, "label value is not a string");
      const std::string_view text =
          type == json::json_type::string ? text_of(value, "label value") : number_text(value);
      labels.push_back({std::string(name), std::string(text)});
      if (labels.size() * kBuiltLabelBytes > push_.made_bytes_max) throw TooMuch();
    }
    LabelTextBuilder builder;
    for (const auto& [name, value] : Labels::from_unsorted(std::move(labels))) builder.add(name, value);
    stream_.labels = builder.finish(push_.text);
  }

  static std::string_view number_text(json::value& value) {
    std::string_view token = value.raw_json_token();
    while (!token.empty() && std::string_view(" \t\r\n").find(token.back()) != std::string_view::npos)
      token.remove_suffix(1);
    return token;
  }

  void take_values(json::array values) {
    for (auto element : values) {
      json::value value = element.value();
      if (!value.is_null()) take_entry(value.get_array());
    }
  }

  void take_entry(json::array parts) {
    DecodedEntry entry;
    entry.metadata_begin = static_cast<std::uint32_t>(push_.metadata.size());
    std::size_t index = 0;
    for (auto part : parts) {
      json::value value = part.value();
      switch (index++) {
        case 0: entry.timestamp = take_nanos(value); break;
        case 1: entry.line = text_of(value, "line"); break;
        case 2: take_metadata(value, entry); break;
        default: break;
      }
    }
    finish_entry(entry);
  }

  TimestampNs take_nanos(json::value& value) {
    const std::string_view text = text_of(value, "timestamp");
    const auto nanos = parse_int64(text);
    if (!nanos) malformed(kStreamPart, "strconv.ParseInt: parsing \"" + std::string(text) + "\": invalid syntax");
    return {*nanos};
  }

  void take_metadata(json::value& value, const DecodedEntry& entry) {
    if (value.is_null()) return;
    for (auto item : value.get_object()) {
      json::field field = std::move(item).take_value();
      const std::string_view name = key_of(field);
      json::value text = field.value();
      put_metadata(entry, {name, text_of(text, "structured metadata value")});
    }
  }

  /// Of equal names the last given one stays.
  void put_metadata(const DecodedEntry& entry, LabelView pair) {
    const std::size_t count = push_.metadata.size() - entry.metadata_begin;
    if (LabelView* const known = count < kFewNames ? find_name(entry, pair.name) : find_among_many(entry, pair.name)) {
      known->value = pair.value;
    } else {
      push_.metadata.push_back(pair);
      check_size();
    }
  }

  LabelView* find_name(const DecodedEntry& entry, std::string_view name) {
    const auto found = std::find_if(push_.metadata.begin() + entry.metadata_begin, push_.metadata.end(),
                                    [name](const LabelView& label) { return label.name == name; });
    return found == push_.metadata.end() ? nullptr : &*found;
  }

  /// The same with a table, so that a hostile number of names costs no more than its bytes.
  LabelView* find_among_many(const DecodedEntry& entry, std::string_view name) {
    const std::size_t count = push_.metadata.size() - entry.metadata_begin;
    if (count == kFewNames) {
      names_.clear();
      for (std::size_t i = entry.metadata_begin; i < push_.metadata.size(); ++i)
        names_.emplace(push_.metadata[i].name, i);
    }
    const auto [known, is_new] = names_.try_emplace(name, push_.metadata.size());
    return is_new ? nullptr : &push_.metadata[known->second];
  }

  void finish_entry(DecodedEntry& entry) {
    entry.metadata_count = static_cast<std::uint32_t>(push_.metadata.size()) - entry.metadata_begin;
    push_.entries.push_back(entry);
    check_size();
  }

  void take_legacy_stream(json::object object) {
    begin_stream();
    for (auto item : object) {
      json::field field = std::move(item).take_value();
      const std::string_view key = key_of(field);
      json::value value = field.value();
      if (key == "labels" && !value.is_null()) stream_.labels = text_of(value, "labels");
      if (key != "entries" || value.is_null()) continue;
      for (auto element : value.get_array()) {
        json::value entry = element.value();
        if (!entry.is_null()) take_legacy_entry(entry.get_object());
      }
    }
    end_stream();
  }

  void take_legacy_entry(json::object object) {
    DecodedEntry entry;
    entry.metadata_begin = static_cast<std::uint32_t>(push_.metadata.size());
    for (auto item : object) {
      json::field field = std::move(item).take_value();
      const std::string_view key = key_of(field);
      json::value value = field.value();
      if (key == "line" && !value.is_null()) entry.line = text_of(value, "line");
      if (key == "structuredMetadata") take_metadata(value, entry);
      if (key != "ts" || value.is_null()) continue;
      const std::string_view text = text_of(value, "ts");
      const auto time = parse_rfc3339(text);
      if (!time) malformed(kStreamPart, "parsing time \"" + std::string(text) + "\" as RFC 3339");
      entry.timestamp = *time;
    }
    finish_entry(entry);
  }

  std::unordered_map<std::string_view, std::size_t> names_;  // of the entry in hand, once there are many
  DecodedPush& push_;
  DecodedStream stream_;
};

/// Runs the decoder over push.body once. Gives simdjson's code where the text is no JSON.
Result<simdjson::error_code> try_decode(JsonForm form, DecodedPush& push) {
  thread_local json::parser parser;
  const auto give_back = [](json::parser* used) {
    if (used->capacity() > kParserBytesKept) *used = json::parser();
  };
  const std::unique_ptr<json::parser, decltype(give_back)> guard(&parser, give_back);
  push.body.reserve(push.body.size() + simdjson::SIMDJSON_PADDING);
  try {
    json::document document = parser.iterate(push.body.data(), push.body.size(), push.body.capacity());
    Decoder(push).run(form, document);
  } catch (const simdjson::simdjson_error& error) {
    return error.error();
  } catch (const Malformed& bad) {
    return fail(ErrorCode::kInvalidArgument, bad.text);
  } catch (const TooMuch&) {
    return fail(push.too_much());
  }
  return simdjson::SUCCESS;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

Result<void> decode_push_json(JsonForm form, DecodedPush& push) {
  if (is_blank(push.body)) return fail(ErrorCode::kInvalidArgument, "EOF");
  KVASIR_TRY(simdjson::error_code code, try_decode(form, push));
  if (code == simdjson::UTF8_ERROR) {
    std::string repaired = replace_invalid_utf8(push.body);
    push.clear();
    push.body = std::move(repaired);
    KVASIR_TRY(code, try_decode(form, push));
  }
  if (code == simdjson::SUCCESS) return {};
  return fail(ErrorCode::kInvalidArgument,
              std::string("loghttp.PushRequest.Streams: ") + simdjson::error_message(code));
}

Result<std::string> encode_push_json(std::span<const WireStream> streams) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().key("streams").begin_array();
  for (const auto& stream : streams) {
    KVASIR_TRY(const ParsedLabels parsed, parse_label_string(stream.labels));
    writer.begin_object().key("stream").begin_object();
    for (const auto& [name, value] : parsed.labels) writer.key(name).string(value);
    writer.end_object().key("values").begin_array();
    for (const auto& entry : stream.entries) {
      writer.begin_array().string(std::to_string(entry.timestamp.value)).string(entry.line);
      if (!entry.metadata.empty()) {
        writer.begin_object();
        for (const auto& [name, value] : entry.metadata) writer.key(name).string(value);
        writer.end_object();
      }
      writer.end_array();
    }
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
  return out;
}

}  // namespace kvasir::ingest
