#include "server/argon2_hash.h"

#include <argon2.h>
#include <openssl/crypto.h>

#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "common/net/http_client.h"

namespace kvasir::server {
namespace {

constexpr std::string_view kPrefix = "$argon2";
constexpr std::size_t kSaltBytesMin = 8;
constexpr std::size_t kSaltBytesMax = 64;
constexpr std::size_t kHashBytesMin = 16;
constexpr std::size_t kHashBytesMax = 64;
constexpr std::size_t kTextBytesMax = 512;

struct Argon2Hash {
  argon2_type type = Argon2_id;
  std::uint32_t memory_kib = 0;
  std::uint32_t passes = 0;
  std::uint32_t lanes = 0;
  std::string salt;
  std::string hash;
};

Unexpected refuse(std::string message) { return fail(ErrorCode::kInvalidArgument, "argon2: " + std::move(message)); }

/// What stands before `end`, which is taken too.
std::optional<std::string_view> take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return taken;
}

/// `m=65536` when asked for `m=`.
Result<std::uint32_t> read_cost(std::string_view& text, std::string_view name, char end) {
  const auto field = take_until(text, end);
  std::uint32_t value = 0;
  if (!field || !field->starts_with(name)) return refuse("m=, t= and p= must follow the version, in this order");
  const char* last = field->data() + field->size();
  const auto [stop, ec] = std::from_chars(field->data() + name.size(), last, value);
  if (ec != std::errc() || stop != last) return refuse("not a number: " + std::string(*field));
  return value;
}

Result<std::string> read_bytes(std::string_view text, std::string_view what, std::size_t min, std::size_t max) {
  const auto bytes = net::base64_decode(text);
  if (!bytes || text.ends_with('=')) return refuse("the " + std::string(what) + " is not base64 without padding");
  if (bytes->size() < min || bytes->size() > max) {
    return refuse("the " + std::string(what) + " has " + std::to_string(bytes->size()) + " bytes; allowed are " +
                  std::to_string(min) + " to " + std::to_string(max));
  }
  return *bytes;
}

Result<void> check_costs(const Argon2Hash& h) {
  const auto over = [](std::string what, std::uint64_t limit) {
    return refuse(std::move(what) + " is over the limit " + std::to_string(limit));
  };
  if (h.passes < 1) return refuse("t must be 1 at least");
  if (h.lanes < 1) return refuse("p must be 1 at least");
  if (h.lanes > kArgon2LanesMax) return over("p=" + std::to_string(h.lanes), kArgon2LanesMax);
  if (h.memory_kib < 8 * h.lanes) return refuse("m must be eight times p at least");
  if (h.memory_kib > kArgon2MemoryKibMax) return over("m=" + std::to_string(h.memory_kib), kArgon2MemoryKibMax);
  const std::uint64_t work = std::uint64_t{h.memory_kib} * h.passes;
  if (work > kArgon2WorkKibMax) return over("m * t = " + std::to_string(work), kArgon2WorkKibMax);
  return {};
}

Result<Argon2Hash> parse(std::string_view text) {
  if (text.size() > kTextBytesMax) return refuse("longer than " + std::to_string(kTextBytesMax) + " bytes");
  Argon2Hash out;
  text.remove_prefix(1);
  const auto type = take_until(text, '$');
  if (type != "argon2id" && type != "argon2i") return refuse("only argon2id and argon2i are known");
  out.type = type == "argon2id" ? Argon2_id : Argon2_i;
  if (take_until(text, '$') != "v=19") return refuse("only version 19 (v=19) is known");
  KVASIR_TRY(out.memory_kib, read_cost(text, "m=", ','));
  KVASIR_TRY(out.passes, read_cost(text, "t=", ','));
  KVASIR_TRY(out.lanes, read_cost(text, "p=", '$'));
  KVASIR_CHECK_OK(check_costs(out));
  const auto salt = take_until(text, '$');
  if (!salt) return refuse("the hash is missing");
  KVASIR_TRY(out.salt, read_bytes(*salt, "salt", kSaltBytesMin, kSaltBytesMax));
  KVASIR_TRY(out.hash, read_bytes(text, "hash", kHashBytesMin, kHashBytesMax));
  return out;
}

std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // the library only reads
}

}  // namespace

bool looks_like_argon2(std::string_view hash) { return hash.starts_with(kPrefix); }

Result<void> check_argon2(std::string_view hash) {
  if (!looks_like_argon2(hash)) return refuse("not such a hash");
  KVASIR_CHECK_OK(parse(hash));
  return {};
}

bool verify_argon2(std::string_view hash, std::string_view password) {
  if (!looks_like_argon2(hash)) return false;
  const auto parsed = parse(hash);
  if (!parsed) return false;
  std::array<std::uint8_t, kHashBytesMax> made{};
  argon2_context context{};
  context.out = made.data();
  context.outlen = static_cast<std::uint32_t>(parsed->hash.size());
  context.pwd = bytes_of(password);
  context.pwdlen = static_cast<std::uint32_t>(password.size());
  context.salt = bytes_of(parsed->salt);
  context.saltlen = static_cast<std::uint32_t>(parsed->salt.size());
  context.t_cost = parsed->passes;
  context.m_cost = parsed->memory_kib;
  context.lanes = parsed->lanes;
  context.threads = 1;
  context.version = ARGON2_VERSION_13;
  context.flags = ARGON2_DEFAULT_FLAGS;
  const bool done = argon2_ctx(&context, parsed->type) == ARGON2_OK;
  const bool same = done && CRYPTO_memcmp(made.data(), parsed->hash.data(), parsed->hash.size()) == 0;
  OPENSSL_cleanse(made.data(), made.size());
  return same;
}

}  // namespace kvasir::server
