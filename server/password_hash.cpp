#include "server/password_hash.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "server/argon2_hash.h"

namespace kvasir::server {
namespace {

constexpr std::string_view kAscii64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kNoValue = std::string_view::npos;

Unexpected refuse(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

Result<void> within(std::string what, std::uint64_t value, std::uint64_t limit) {
  if (value <= limit) return {};
  return refuse(std::move(what) + "=" + std::to_string(value) + " is over the limit " + std::to_string(limit));
}

Result<void> check_text(std::string_view form, std::string_view text, std::size_t size) {
  if (text.find_first_not_of(kAscii64) != kNoValue) return refuse(std::string(form) + " has a character of no hash");
  if (text.size() == size) return {};
  return refuse("the hash of " + std::string(form) + " has " + std::to_string(text.size()) + " characters and needs " +
                std::to_string(size));
}

/// `salt$hash`. A longer salt would be cut when hashed, so that the hash never matched.
Result<void> check_salt_and_text(std::string_view form, std::string_view text, std::size_t salt_max, std::size_t size) {
  const std::size_t end = text.find('$');
  if (end == kNoValue) return refuse("the hash of " + std::string(form) + " is missing");
  if (end > salt_max) return refuse("the salt of " + std::string(form) + " is over " + std::to_string(salt_max));
  return check_text(form, text.substr(end + 1), size);
}

std::optional<std::uint64_t> read_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [stop, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

/// `$2b$12$`, then 22 characters of salt and 31 of hash.
Result<void> check_bcrypt(std::string_view form, std::string_view text) {
  const auto cost = read_number(text.substr(0, 2));
  if (!cost || text.size() < 3 || text[2] != '$') return refuse("bcrypt's cost is not a number of two digits");
  KVASIR_CHECK_OK(within("bcrypt's cost", *cost, kBcryptCostMax));
  return check_text(form, text.substr(3), 22 + 31);
}

/// `$6$salt$hash`, or `$6$rounds=N$salt$hash`.
Result<void> check_sha512(std::string_view form, std::string_view text) {
  constexpr std::string_view kName = "rounds=";
  if (text.starts_with(kName)) {
    const std::size_t end = std::min(text.find('$'), text.size());
    const auto rounds = read_number(text.substr(kName.size(), end - kName.size()));
    if (!rounds || *rounds < kSha512RoundsMin || text[kName.size()] == '0')
      return refuse("rounds must be a number of " + std::to_string(kSha512RoundsMin) + " at least");
    KVASIR_CHECK_OK(within("rounds", *rounds, kSha512RoundsMax));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return check_salt_and_text(form, text, 16, 86);
}

Result<void> check_memory(std::size_t log2_blocks, std::uint64_t block_factor, std::uint64_t lanes) {
  if (log2_blocks < 1 || log2_blocks > 63 || block_factor < 1 || lanes < 1) return refuse("the cost is not readable");
  constexpr std::uint64_t kBlockBytes = 128;
  const std::uint64_t most = kCryptMemoryKibMax * 1024 / kBlockBytes;
  const bool over = log2_blocks >= 32 || block_factor > most || lanes > most ||
                    (std::uint64_t{1} << log2_blocks) > most / block_factor / lanes;
  if (!over) return {};
  return refuse("the memory 128 * r=" + std::to_string(block_factor) + " * N=2^" + std::to_string(log2_blocks) +
                (lanes > 1 ? " * p=" + std::to_string(lanes) : "") + " is over the limit " +
                std::to_string(kCryptMemoryKibMax) + " KiB");
}

/// `$y$jNr$salt$hash`: the flags of the default flavour, then N as a power of two and r, one character each.
Result<void> check_yescrypt(std::string_view form, std::string_view text) {
  constexpr std::size_t kOneCharacterMax = 47;
  const std::size_t log2_blocks = text.size() > 3 ? kAscii64.find(text[1]) : kNoValue;
  const std::size_t factor = text.size() > 3 ? kAscii64.find(text[2]) : kNoValue;
  const bool plain = log2_blocks <= kOneCharacterMax && factor <= kOneCharacterMax && text[0] == 'j' && text[3] == '$';
  if (!plain) return refuse("of yescrypt only costs as in $y$j9T$ are known");
  KVASIR_CHECK_OK(check_memory(log2_blocks + 1, factor + 1, 1));
  return check_salt_and_text(form, text.substr(4), 86, 43);
}

/// Five characters, the lowest six bits first.
std::uint64_t read_30_bits(std::string_view text) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < text.size(); ++i) value |= std::uint64_t{kAscii64.find(text[i])} << (6 * i);
  return value;
}

/// `$7$`, N as a power of two in one character, r and p in five each, `salt$hash`.
Result<void> check_scrypt(std::string_view form, std::string_view text) {
  constexpr std::size_t kCostCharacters = 11;
  const std::string_view cost = text.substr(0, kCostCharacters);
  if (cost.size() < kCostCharacters || cost.find_first_not_of(kAscii64) != kNoValue)
    return refuse("the cost is not readable");
  KVASIR_CHECK_OK(check_memory(kAscii64.find(cost[0]), read_30_bits(cost.substr(1, 5)), read_30_bits(cost.substr(6))));
  return check_salt_and_text(form, text.substr(kCostCharacters), 86, 43);
}

struct Form {
  std::string_view prefix;
  Result<void> (*check)(std::string_view form, std::string_view after_prefix);
};
constexpr Form kForms[] = {{"$2a$", check_bcrypt},   {"$2b$", check_bcrypt},    {"$2y$", check_bcrypt},
                           {"$y$", check_yescrypt},  {"$gy$", check_yescrypt}, {"$7$", check_scrypt},
                           {"$6$", check_sha512}};

}  // namespace

Result<void> check_password_hash(std::string_view hash) {
  if (looks_like_argon2(hash)) return check_argon2(hash);
  const auto* form =
      std::find_if(std::begin(kForms), std::end(kForms), [&](const Form& f) { return hash.starts_with(f.prefix); });
  if (form == std::end(kForms)) return refuse("of no known form");
  KVASIR_CHECK_OK(form->check(form->prefix, hash.substr(form->prefix.size())));
  if (crypt_checksalt(std::string(hash).c_str()) != CRYPT_SALT_OK) return refuse("not one that crypt(3) can check here");
  return {};
}

bool verify_password(const std::string& hash, const std::string& password) {
  if (password.size() > kPasswordBytesMax || password.find('\0') != std::string::npos) return false;
  if (looks_like_argon2(hash)) return verify_argon2(hash, password);
  const auto data = std::make_unique<crypt_data>();
  const char* made = crypt_rn(password.c_str(), hash.c_str(), data.get(), sizeof(crypt_data));
  const bool same = made != nullptr && std::string_view(made).size() == hash.size() &&
                    CRYPTO_memcmp(made, hash.data(), hash.size()) == 0;
  OPENSSL_cleanse(data.get(), sizeof(crypt_data));
  return same;
}

SlowPasswords::Digest SlowPasswords::digest_of(std::string_view hash, std::string_view password) {
  const std::string both = std::string(hash) + '\0' + std::string(password);
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(both.data()), both.size(), digest.data());
  return digest;
}

bool SlowPasswords::knows(std::string_view hash, std::string_view password) const {
  const Digest digest = digest_of(hash, password);
  MutexLock lock(mutex_);
  return good_.contains(digest);
}

bool SlowPasswords::verify(const std::string& hash, const std::string& password) const {
  if (knows(hash, password)) return true;
  MutexLock turn(hashing_);
  if (knows(hash, password)) return true;  // another thread was asked the same
  if (!verify_password(hash, password)) return false;
  const Digest digest = digest_of(hash, password);
  MutexLock lock(mutex_);
  if (good_.size() >= kRememberedMax) good_.clear();
  good_.insert(digest);
  return true;
}

}  // namespace kvasir::server
