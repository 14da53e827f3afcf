#include "server/handlers/push_decoding.h"

#include "common/net/content_encoding.h"
#include "common/number.h"
#include "ingest/wire/otlp.h"
#include "ingest/wire/push_json.h"
#include "ingest/wire/push_protobuf.h"

namespace kvasir::server {
namespace {

using ingest::DecodedPush;
using ingest::Refusal;
using net::ContentEncoding;

constexpr std::size_t kSourceBytesMax = 256;

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

Refusal refusal_of(const Error& error) { return {400, error.message(), {}}; }

/// Undoes the content encoding. What Loki's push accepts: nothing, snappy (which says nothing new), gzip, deflate; and
/// zstd, which is ours.
std::optional<Refusal> undo_encoding(net::HttpRequest& request, std::uint64_t limit) {
  const std::string_view name = trim(request.headers.value_or_empty("Content-Encoding"));
  if (name.empty() || net::equal_ignore_case(name, "snappy")) return std::nullopt;
  const auto encoding = net::parse_content_encoding(name);
  const bool known = encoding == ContentEncoding::kGzip || encoding == ContentEncoding::kDeflate ||
                     encoding == ContentEncoding::kZstd;
  if (!known) return Refusal{400, "Content-Encoding \"" + std::string(name) + "\" not supported", {}};
  auto plain = net::decompress(*encoding, request.body, limit);
  if (!plain) return refusal_of(plain.error());
  request.body = std::move(*plain);
  return std::nullopt;
}

Result<void> decode_body(PushForm form, net::HttpRequest& request, std::uint64_t limit, DecodedPush& push) {
  if (!is_json(request)) return ingest::decode_push_snappy(request.body, limit, push);
  push.body = std::move(request.body);
  return ingest::decode_push_json(form == PushForm::kV1 ? ingest::JsonForm::kV1 : ingest::JsonForm::kLegacy, push);
}

std::string_view media_type_of(const net::HttpRequest& request) {
  const std::string_view content_type = trim(request.headers.value_or_empty("Content-Type"));
  return trim(content_type.substr(0, content_type.find(';')));
}

/// What is wrong with a media type, in the words of Go's mime package; "" if nothing.
std::string_view media_type_problem(std::string_view type) {
  constexpr std::string_view kSeparators = "()<>@,;:\\\"/[]?= \t";
  const auto token_end = [&](std::size_t from) { return std::min(type.find_first_of(kSeparators, from), type.size()); };
  const std::size_t slash = token_end(0);
  if (slash == 0) return "mime: no media type";
  if (slash == type.size()) return {};
  if (type[slash] != '/') return "mime: expected slash after first token";
  const std::size_t end = token_end(slash + 1);
  if (end == slash + 1) return "mime: expected token after slash";
  return end == type.size() ? std::string_view() : "mime: unexpected content after media subtype";
}

DecodedOrRefused decode_loki(const PushDecoding& decoding, net::HttpRequest& request) {
  const std::uint64_t limit = decoding.limits.decompressed_max;
  if (auto refusal = undo_encoding(request, limit)) return std::move(*refusal);
  if (const auto problem = media_type_problem(media_type_of(request)); !problem.empty())
    return Refusal{400, std::string(problem), {}};
  auto push = decoding.pool.get();
  push->made_bytes_max = decoding.limits.made_max;
  const auto decoded = decode_body(decoding.form, request, limit, *push);
  if (!decoded) return refusal_of(decoded.error());
  return push;
}

/// OTLP knows other encodings than Loki's own push.
std::optional<Refusal> undo_otlp_encoding(net::HttpRequest& request, std::uint64_t limit) {
  const std::string_view name = trim(request.headers.value_or_empty("Content-Encoding"));
  const auto encoding = net::parse_content_encoding(name);
  if (encoding == ContentEncoding::kIdentity) return std::nullopt;
  if (!encoding || encoding == ContentEncoding::kDeflate) {
    return Refusal{
        400, "unsupported content encoding " + std::string(name) + ": only gzip, lz4 and zstd are supported", {}};
  }
  auto plain = net::decompress(*encoding, request.body, limit);
  if (!plain) return refusal_of(plain.error());
  request.body = std::move(*plain);
  return std::nullopt;
}

DecodedOrRefused decode_otlp(const PushDecoding& decoding, net::HttpRequest& request) {
  const std::string_view media_type = media_type_of(request);
  const bool json = is_json(request);
  if (!json && !net::equal_ignore_case(media_type, "application/x-protobuf")) {
    const std::string given(request.headers.value_or_empty("Content-Type"));
    return Refusal{400, "content type: " + given + " is not supported", {}};
  }
  if (auto refusal = undo_otlp_encoding(request, decoding.limits.decompressed_max)) return std::move(*refusal);
  auto push = decoding.pool.get();
  push->made_bytes_max = decoding.limits.made_max;
  push->body = std::move(request.body);
  const auto decoded = json ? ingest::decode_otlp_json(decoding.otlp, decoding.now, *push)
                            : ingest::decode_otlp_protobuf(decoding.otlp, decoding.now, *push);
  if (!decoded) return refusal_of(decoded.error());
  return push;
}

}  // namespace

bool is_json(const net::HttpRequest& request) {
  return net::equal_ignore_case(media_type_of(request), "application/json");
}

DecodedOrRefused decode_push(const PushDecoding& decoding, net::HttpRequest& request) {
  if (request.body.size() > decoding.limits.wire_max) {
    return Refusal{413,
                   "request body too large: message size too large than max (" + std::to_string(request.body.size()) +
                       " vs " + std::to_string(decoding.limits.wire_max) + ")",
                   {}};
  }
  if (decoding.form == PushForm::kOtlp || decoding.form == PushForm::kOtlpGrpc) return decode_otlp(decoding, request);
  return decode_loki(decoding, request);
}

Result<std::optional<ingest::PushOrigin>> push_origin(const net::HttpHeaders& headers) {
  const auto source = headers.get("X-Kvasir-Source");
  const auto range = headers.get("X-Kvasir-Range");
  if (!source && !range) return std::nullopt;
  const auto bad = [](std::string text) { return fail(ErrorCode::kInvalidArgument, std::move(text)); };
  if (!source || !range) return bad("X-Kvasir-Source and X-Kvasir-Range belong together");
  if (source->empty() || source->size() > kSourceBytesMax) return bad("X-Kvasir-Source must have 1 to 256 bytes");
  const std::size_t dash = range->find('-');
  const auto begin = parse_uint64(range->substr(0, dash));
  const auto end = dash == std::string_view::npos ? std::nullopt : parse_uint64(range->substr(dash + 1));
  if (!begin || !end || *begin >= *end) return bad("X-Kvasir-Range must be <begin>-<end> with begin < end");
  return ingest::PushOrigin{std::string(*source), *begin, *end};
}

}  // namespace kvasir::server
