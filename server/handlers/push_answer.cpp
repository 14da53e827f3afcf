#include "server/handlers/push_answer.h"

#include <algorithm>

#include "common/bytes.h"
#include "common/json_writer.h"

namespace kvasir::server {
namespace {

constexpr char kVerdictsTag = 15 << 3 | 2;

/// A field of a protobuf message.
void put_bytes(std::string& out, char tag, std::string_view bytes) {
  out += tag;
  ByteWriter(out).sized(bytes);
}

void write_place(JsonWriter& w, const LineNames& names, ingest::PushVerdicts::Place place) {
  w.begin_object();
  if (names.names_records()) {
    const auto at = names.record(place);
    w.key("resource").unsigned_integer(at.resource).key("scope").unsigned_integer(at.scope);
    w.key("record").unsigned_integer(at.record);
  } else {
    w.key("stream").unsigned_integer(place.stream).key("entry").unsigned_integer(place.entry);
  }
}

}  // namespace

LineNames::LineNames(const ingest::DecodedPush& push) : scopes_(push.otlp_scopes) {
  for (const auto& stream : push.streams) stream_begins_.push_back(stream.entry_begin);
}

LineNames::Record LineNames::record(ingest::PushVerdicts::Place place) const {
  const std::uint32_t entry = stream_begins_[place.stream] + place.entry;
  const auto after = std::upper_bound(scopes_.begin(), scopes_.end(), entry,
                                      [](std::uint32_t at, const auto& scope) { return at < scope.entry_begin; });
  const auto& scope = *std::prev(after);  // the last one that begins here: those before it are empty
  return {scope.resource, scope.scope, entry - scope.entry_begin};
}

std::string verdicts_json(const ingest::PushVerdicts& verdicts, const LineNames& names, bool complete) {
  std::string body;
  JsonWriter w(body);
  w.begin_object().key("accepted").unsigned_integer(verdicts.accepted_count());
  w.key("repeated").unsigned_integer(verdicts.repeated_count());
  w.key("refused").unsigned_integer(verdicts.refused_count());
  if (!complete) w.key("incomplete").boolean(true);
  w.key("verdicts").begin_array();
  for (const auto& verdict : verdicts.refused()) {
    write_place(w, names, verdict.place);
    w.key("status").integer(verdict.status).key("reason").string(ingest::discard_reason_name(verdict.reason));
    w.key("error").string(verdict.message).end_object();
  }
  for (const auto& place : verdicts.repeated()) {
    write_place(w, names, place);
    w.key("status").integer(204).key("reason").string("repeated").end_object();
  }
  w.end_array().end_object();
  body += '\n';
  return body;
}

std::string encode_otlp_response(const OtlpPartial& partial, std::string_view verdicts) {
  std::string out;
  if (!partial.message.empty()) {
    std::string inner = "\x08";
    ByteWriter(inner).varint(partial.rejected);
    put_bytes(inner, '\x12', partial.message);
    put_bytes(out, '\x0a', inner);
  }
  if (!verdicts.empty()) put_bytes(out, kVerdictsTag, verdicts);
  return out;
}

std::string otlp_response_json(const OtlpPartial& partial) {
  std::string body;
  JsonWriter w(body);
  w.begin_object();
  if (!partial.message.empty()) {
    w.key("partialSuccess").begin_object();
    w.key("rejectedLogRecords").string(std::to_string(partial.rejected));
    w.key("errorMessage").string(partial.message).end_object();
  }
  w.end_object();
  return body;
}

std::string encode_rpc_status(std::string_view message) {
  std::string out;
  put_bytes(out, '\x12', message);
  return out;
}

}  // namespace kvasir::server
