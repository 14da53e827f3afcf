// JSON web tokens: an input as a token is never good, for it is not signed; an input that begins with `~` becomes the
// claims of a token that is, so that they are read too.
#include "server/jwt.h"

#include <openssl/hmac.h>

#include <cstdint>

#include "common/assert.h"
#include "common/net/http_client.h"

namespace {

using namespace kvasir;

constexpr std::string_view kSecret = "a secret of thirty-two characters";
constexpr TimestampNs kNow{1'795'000'000'000'000'000};

std::string base64url(std::string_view bytes) {
  std::string out = net::base64_encode(bytes);
  for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  out.erase(std::min(out.find('='), out.size()));
  return out;
}

std::string signed_token(std::string_view claims) {
  std::string text = base64url(R"({"alg":"HS256"})") + "." + base64url(claims);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return text + "." + base64url({reinterpret_cast<const char*>(digest), size});
}

const server::JwtVerifier& verifier() {
  static ManualClock clock(kNow);
  static const auto made = [] {
    server::JwtConfig config;
    config.hmac_secret = kSecret;
    return server::JwtVerifier::create(config, clock);
  }();
  return **made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!text.starts_with('~')) {
    KVASIR_ASSERT(!verifier().verify(text).has_value(), "a token without our signature is taken");
    return 0;
  }
  const auto claims = verifier().verify(signed_token(text.substr(1)));
  if (claims)
    KVASIR_ASSERT(text.find("exp") != text.npos || text.find('\\') != text.npos, "a token without an end is taken");
  return 0;
}
