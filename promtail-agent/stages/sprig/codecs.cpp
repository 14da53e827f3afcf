// Sprig's digests, encodings, JSON, regexes and paths; Promtail's Hash and Sha2Hash.
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>
#include <re2/re2.h>

#include "common/json_writer.h"
#include "promtail-agent/stages/json_tree.h"
#include "promtail-agent/stages/sprig/conversions.h"

namespace kvasir::agent::sprig {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string digest(const EVP_MD* algorithm, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), bytes.data(), &size, algorithm, nullptr);
  return hex({reinterpret_cast<const char*>(bytes.data()), size});
}

// The salt comes first.
Answer hash(const Call& call) {
  return call.string(digest(EVP_sha3_256(), std::string(call.text(0)) + std::string(call.text(1))));
}
Answer sha2_hash(const Call& call) {
  return call.string(digest(EVP_sha256(), std::string(call.text(0)) + std::string(call.text(1))));
}
Answer sha1sum(const Call& call) { return call.string(digest(EVP_sha1(), call.text(0))); }
Answer sha256sum(const Call& call) { return call.string(digest(EVP_sha256(), call.text(0))); }
Answer sha512sum(const Call& call) { return call.string(digest(EVP_sha512(), call.text(0))); }
Answer adler32sum(const Call& call) {
  const std::string_view text = call.text(0);
  return call.string(std::to_string(::adler32_z(1, reinterpret_cast<const Bytef*>(text.data()), text.size())));
}

constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

Answer b32enc(const Call& call) {
  std::string out;
  std::uint64_t bits = 0;
  int count = 0;
  for (const char c : call.text(0)) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 5; count -= 5) out += kBase32[bits >> (count - 5) & 31];
  }
  if (count > 0) out += kBase32[bits << (5 - count) & 31];
  while (out.size() % 8 != 0) out += '=';
  return call.string(out);
}

Answer b32dec(const Call& call) {
  std::string out;
  std::uint64_t bits = 0;
  int count = 0;
  for (const char c : call.text(0)) {
    if (c == '=') break;
    const std::size_t digit = kBase32.find(c);
    if (digit == std::string_view::npos) return call.string("illegal base32 data");
    bits = bits << 5 | digit;
    count += 5;
    if (count >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xff);
  }
  return call.string(out);
}

struct JsonStyle {
  bool pretty = false;
  bool html = true;  // escape < > &
};

void append_value(std::string& out, const Value& value, JsonStyle style, int depth);

void new_line(std::string& out, JsonStyle style, int depth) {
  if (style.pretty) out += "\n" + std::string(static_cast<std::size_t>(depth) * 2, ' ');
}

void append_text(std::string& out, std::string_view text, JsonStyle style) {
  std::string quoted;
  append_json_string(quoted, text);
  static constexpr std::pair<std::string_view, char> kHtml[] = {{"\\u003c", '<'}, {"\\u003e", '>'}, {"\\u0026", '&'}};
  for (const auto& [escape, c] : kHtml) {
    for (std::size_t at = quoted.find(escape); !style.html && at != std::string::npos; at = quoted.find(escape, at))
      quoted.replace(at, escape.size(), 1, c);
  }
  out += quoted;
}

void append_list(std::string& out, const List& list, JsonStyle style, int depth) {
  out += '[';
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out += ',';
    new_line(out, style, depth + 1);
    append_value(out, list[i], style, depth + 1);
  }
  if (!list.empty()) new_line(out, style, depth);
  out += ']';
}

void append_map(std::string& out, const gotemplate::MapSource& map, JsonStyle style, int depth) {
  out += '{';
  bool first = true;
  map.each([&](std::string_view key, const Value& value) {
    if (!first) out += ',';
    first = false;
    new_line(out, style, depth + 1);
    append_text(out, key, style);
    out += style.pretty ? ": " : ":";
    append_value(out, value, style, depth + 1);
    return true;
  });
  if (!first) new_line(out, style, depth);
  out += '}';
}

void append_value(std::string& out, const Value& value, JsonStyle style, int depth) {
  constexpr int kDepthMax = 100;
  if (depth > kDepthMax) return void(out += "null");
  switch (value.kind()) {
    case Kind::kNil: out += "null"; return;
    case Kind::kBool: out += value.as_bool() ? "true" : "false"; return;
    case Kind::kInt: out += std::to_string(value.as_int()); return;
    case Kind::kFloat: append_json_number(out, value.as_real()); return;
    case Kind::kList: append_list(out, value.as_list(), style, depth); return;
    case Kind::kMap: append_map(out, value.as_map(), style, depth); return;
    default: append_text(out, to_text(value), style); return;
  }
}

Answer as_json(const Call& call, JsonStyle style) {
  std::string out;
  append_value(out, call[0], style, 0);
  return call.string(out);
}

Answer to_json(const Call& call) { return as_json(call, {}); }
Answer to_pretty_json(const Call& call) { return as_json(call, {.pretty = true}); }
Answer to_raw_json(const Call& call) { return as_json(call, {.html = false}); }

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

// The matches of a regex that do not overlap, at most `count` (all if negative).
Result<std::vector<std::string_view>> matches(const Call& call, std::string_view text, std::int64_t count) {
  KVASIR_TRY(const auto regex, call.environment.regexes.get(call.text(0)));
  std::vector<std::string_view> out;
  re2::StringPiece found;
  std::size_t at = 0;
  while (at <= text.size() && count != 0 &&
         regex->Match(piece(text), at, text.size(), re2::RE2::UNANCHORED, &found, 1)) {
    out.emplace_back(found.data(), found.size());
    --count;
    at = static_cast<std::size_t>(found.data() - text.data()) + std::max<std::size_t>(found.size(), 1);
  }
  return out;
}

Answer regex_match(const Call& call) {
  KVASIR_TRY(const auto found, matches(call, call.text(1), 1));
  return Value::boolean(!found.empty());
}
Answer regex_find(const Call& call) {
  KVASIR_TRY(const auto found, matches(call, call.text(1), 1));
  return call.string(found.empty() ? std::string_view() : found[0]);
}
Answer regex_find_all(const Call& call) {
  KVASIR_TRY(const auto found, matches(call, call.text(1), call.integer(2)));
  List out;
  for (const std::string_view text : found) out.push_back(call.string(text));
  return new_list(call, std::move(out));
}
Answer regex_split(const Call& call) {
  const std::int64_t count = call.integer(2);
  List out;
  if (count == 0) return new_list(call, std::move(out));
  const std::string_view text = call.text(1);
  KVASIR_TRY(const auto found, matches(call, text, count < 0 ? -1 : count - 1));
  const char* from = text.data();
  for (const std::string_view divider : found) {
    out.push_back(call.string({from, static_cast<std::size_t>(divider.data() - from)}));
    from = divider.data() + divider.size();
  }
  out.push_back(call.string({from, static_cast<std::size_t>(text.data() + text.size() - from)}));
  return new_list(call, std::move(out));
}
Answer regex_quote_meta(const Call& call) {
  std::string out;
  for (const char c : call.text(0)) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return call.string(out);
}

std::string cleaned(std::string_view path) {
  const bool rooted = path.starts_with('/');
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part != "..") parts.push_back(part);
    else if (!parts.empty() && parts.back() != "..") parts.pop_back();
    else if (!rooted) parts.push_back(part);
  }
  std::string out = rooted ? "/" : "";
  for (const std::string_view part : parts) {
    if (out.size() > (rooted ? 1 : 0)) out += '/';
    out += part;
  }
  return out.empty() ? "." : out;
}

Answer clean(const Call& call) { return call.string(cleaned(call.text(0))); }
Answer base(const Call& call) {
  std::string_view path = call.text(0);
  if (path.empty()) return call.string(".");
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/") return call.string(path);
  return call.string(path.substr(path.rfind('/') + 1));
}
Answer dir(const Call& call) {
  const std::string_view path = call.text(0);
  const std::size_t slash = path.rfind('/');
  return call.string(cleaned(slash == std::string_view::npos ? std::string_view() : path.substr(0, slash + 1)));
}
Answer ext(const Call& call) {
  const std::string_view path = call.text(0);
  const std::size_t dot = path.find_last_of("./");
  return call.string(dot == std::string_view::npos || path[dot] == '/' ? std::string_view() : path.substr(dot));
}
Answer is_abs(const Call& call) { return Value::boolean(call.text(0).starts_with('/')); }

Answer env(const Call& call) {
  const char* value = std::getenv(std::string(call.text(0)).c_str());
  return call.string(value == nullptr ? std::string_view() : std::string_view(value));
}

Answer uuidv4(const Call& call) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return wrong("no randomness");
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  std::string text = hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (const std::size_t at : {20, 16, 12, 8}) text.insert(at, "-");
  return call.string(text);
}

Answer refused(const Call&) { return wrong("this function is not available in pipelines"); }

}  // namespace

void add_codec_functions(FunctionSet& set) {
  set.add("Hash", "ss", hash).add("Sha2Hash", "ss", sha2_hash);
  set.add("sha1sum", "s", sha1sum)
      .add("sha256sum", "s", sha256sum)
      .add("sha512sum", "s", sha512sum)
      .add("adler32sum", "s", adler32sum);
  set.add("b32enc", "s", b32enc).add("b32dec", "s", b32dec);
  set.add("toJson", "a", to_json).add("toPrettyJson", "a", to_pretty_json).add("toRawJson", "a", to_raw_json);
  set.add("regexMatch", "ss", regex_match)
      .add("regexFind", "ss", regex_find)
      .add("regexFindAll", "ssi", regex_find_all);
  set.add("regexSplit", "ssi", regex_split).add("regexQuoteMeta", "s", regex_quote_meta);
  set.add("base", "s", base)
      .add("dir", "s", dir)
      .add("ext", "s", ext)
      .add("clean", "s", clean)
      .add("isAbs", "s", is_abs);
  set.add("osBase", "s", base)
      .add("osDir", "s", dir)
      .add("osExt", "s", ext)
      .add("osClean", "s", clean)
      .add("osIsAbs", "s", is_abs);
  set.add("env", "s", env).add("uuidv4", "", uuidv4);
  for (const char* name : {"bcrypt", "htpasswd", "encryptAES", "decryptAES", "derivePassword", "genPrivateKey", "genCA",
                           "genSelfSignedCert", "genSignedCert", "getHostByName", "randBytes", "expandenv"})
    set.add(name, "a*", refused);
}

}  // namespace kvasir::agent::sprig
