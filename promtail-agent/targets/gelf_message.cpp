#include "promtail-agent/targets/gelf_message.h"

#include <simdjson.h>

#include "common/net/content_encoding.h"

namespace kvasir::agent {

namespace {
constexpr std::string_view kChunkMagic = "\x1e\x0f";
inline constexpr std::size_t kChunkHeaderBytes = 12;  // magic, 8 bytes id, number, count
}  // namespace

Result<std::optional<std::string>> GelfAssembler::add(std::string_view datagram, Duration now) {
  std::erase_if(pending_, [&](const auto& item) { return now - item.second.since > kGelfPendingTime; });
  if (!datagram.starts_with(kChunkMagic)) return std::optional<std::string>(std::string(datagram));
  if (datagram.size() < kChunkHeaderBytes) return fail(ErrorCode::kParse, "gelf chunk is too short");
  const auto number = static_cast<unsigned char>(datagram[10]);
  const auto count = static_cast<unsigned char>(datagram[11]);
  if (count == 0 || count > kGelfChunksMax || number >= count)
    return fail(ErrorCode::kParse, "gelf chunk has a wrong number");
  if (pending_.size() >= kGelfPendingMax) pending_.erase(pending_.begin());
  const std::string id(datagram.substr(2, 8));
  Pending& pending = pending_[id];
  if (pending.chunks.empty()) {
    pending.chunks.resize(count);
    pending.since = now;
  }
  if (pending.chunks.size() != count) return fail(ErrorCode::kParse, "gelf chunks disagree about their count");
  auto& chunk = pending.chunks[number];
  if (!chunk) ++pending.have;
  chunk = std::string(datagram.substr(kChunkHeaderBytes));
  if (pending.have < count) return std::optional<std::string>();
  std::string whole;
  for (const auto& part : pending.chunks) whole += *part;
  pending_.erase(id);
  return std::optional<std::string>(std::move(whole));
}

Result<GelfMessage> parse_gelf(std::string_view payload) {
  std::string text;
  if (payload.starts_with("\x1f\x8b")) {
    KVASIR_TRY(text, net::decompress(net::ContentEncoding::kGzip, payload, kGelfBytesMax));
  } else if (payload.starts_with("\x78")) {
    KVASIR_TRY(text, net::decompress(net::ContentEncoding::kDeflate, payload, kGelfBytesMax));
  } else {
    text = payload;
  }
  while (!text.empty() && text.back() == '\0') text.pop_back();
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (auto error = parser.parse(simdjson::padded_string(text)).get(object); error != simdjson::SUCCESS) {
    return fail(ErrorCode::kParse, std::string("gelf: ") + simdjson::error_message(error));
  }
  GelfMessage message;
  for (const auto field : object) {
    std::string_view string;
    double number = 0;
    const bool is_text = field.value.get(string) == simdjson::SUCCESS;
    const bool is_number = field.value.get(number) == simdjson::SUCCESS;
    if (field.key == "version" && is_text) message.version = string;
    if (field.key == "host" && is_text) message.host = string;
    if (field.key == "facility" && is_text) message.facility = string;
    if (field.key == "level" && is_number) message.level = static_cast<int>(number);
    if (field.key == "timestamp" && is_number) message.timestamp_seconds = number;
  }
  message.json = std::move(text);
  return message;
}

}  // namespace kvasir::agent
