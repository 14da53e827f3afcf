#include "common/net/tls_context.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>

namespace kvasir::net {
namespace {

namespace ssl = boost::asio::ssl;

Result<void> check(const boost::system::error_code& ec, std::string_view what, const std::string& file) {
  if (!ec) return {};
  return fail(ErrorCode::kInvalidArgument, std::string(what) + " " + file + ": " + ec.message());
}

TlsContext base_context(ssl::context::method method) {
  auto context = std::make_shared<ssl::context>(method);
  context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                       ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

Result<void> load_key_pair(ssl::context& context, const std::string& cert_file, const std::string& key_file) {
  boost::system::error_code ec;
  context.use_certificate_chain_file(cert_file, ec);
  KVASIR_CHECK_OK(check(ec, "load certificate", cert_file));
  context.use_private_key_file(key_file, ssl::context::pem, ec);
  KVASIR_CHECK_OK(check(ec, "load private key", key_file));
  if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
    return fail(ErrorCode::kInvalidArgument, "private key does not belong to certificate: " + key_file);
  }
  return {};
}

/// 0: the name is not known.
int protocol_of(std::string_view name) {
  if (name == "TLS10") return TLS1_VERSION;
  if (name == "TLS11") return TLS1_1_VERSION;
  if (name == "TLS12") return TLS1_2_VERSION;
  if (name == "TLS13") return TLS1_3_VERSION;
  return 0;
}

Result<void> limit_versions(SSL_CTX* context, const std::string& lowest, const std::string& highest) {
  for (const std::string& name : {lowest, highest}) {
    if (!name.empty() && protocol_of(name) == 0) return fail(ErrorCode::kInvalidArgument, "unknown TLS version: " + name);
  }
  if (!lowest.empty()) {
    SSL_CTX_clear_options(context, SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1);
    SSL_CTX_set_min_proto_version(context, protocol_of(lowest));
  }
  if (!highest.empty()) SSL_CTX_set_max_proto_version(context, protocol_of(highest));
  return {};
}

/// OpenSSL's own name of a suite; "" if it has none of that name.
std::string suite_name(SSL_CTX* context, std::string_view standard_name) {
  const STACK_OF(SSL_CIPHER)* suites = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(suites); ++i) {
    const SSL_CIPHER* suite = sk_SSL_CIPHER_value(suites, i);
    if (standard_name == SSL_CIPHER_standard_name(suite)) return SSL_CIPHER_get_name(suite);
  }
  return {};
}

/// TLS 1.3 keeps its own suites, as in Go: a list names those of TLS 1.2.
Result<void> choose_suites(SSL_CTX* context, std::string_view names) {
  if (names.empty()) return {};
  std::string chosen;
  while (!names.empty()) {
    std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    const std::string own = suite_name(context, name);
    if (own.empty()) return fail(ErrorCode::kInvalidArgument, "unknown TLS cipher suite: " + std::string(name));
    if (!own.starts_with("TLS_")) chosen += (chosen.empty() ? "" : ":") + own;
  }
  if (!chosen.empty() && SSL_CTX_set_cipher_list(context, chosen.c_str()) != 1) {
    return fail(ErrorCode::kInvalidArgument, "TLS cipher suites cannot be used: " + chosen);
  }
  return {};
}

bool is_ip_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

Result<TlsContext> make_server_context(const TlsServerOptions& options) {
  auto context = base_context(ssl::context::tls_server);
  KVASIR_CHECK_OK(limit_versions(context->native_handle(), options.min_version, {}));
  KVASIR_CHECK_OK(choose_suites(context->native_handle(), options.cipher_suites));
  KVASIR_CHECK_OK(load_key_pair(*context, options.cert_file, options.key_file));
  boost::system::error_code ec;
  if (!options.client_ca_file.empty()) {
    context->load_verify_file(options.client_ca_file, ec);
    KVASIR_CHECK_OK(check(ec, "load client ca", options.client_ca_file));
    SSL_CTX_set_client_CA_list(context->native_handle(), SSL_load_client_CA_file(options.client_ca_file.c_str()));
  }
  switch (options.client_auth) {
    case TlsClientAuth::kNone: context->set_verify_mode(ssl::verify_none, ec); break;
    case TlsClientAuth::kRequest: context->set_verify_mode(ssl::verify_peer, ec); break;
    case TlsClientAuth::kRequireAndVerify:
      context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, ec);
      break;
  }
  static constexpr unsigned char kSessionContext[] = "kvasir";
  SSL_CTX_set_session_id_context(context->native_handle(), kSessionContext, sizeof kSessionContext - 1);
  return context;
}

Result<TlsContext> make_client_context(const TlsClientOptions& options) {
  auto context = base_context(ssl::context::tls_client);
  KVASIR_CHECK_OK(limit_versions(context->native_handle(), options.min_version, options.max_version));
  boost::system::error_code ec;
  if (options.ca_file.empty()) {
    context->set_default_verify_paths(ec);
  } else {
    context->load_verify_file(options.ca_file, ec);
    KVASIR_CHECK_OK(check(ec, "load ca", options.ca_file));
  }
  if (!options.cert_file.empty()) KVASIR_CHECK_OK(load_key_pair(*context, options.cert_file, options.key_file));
  context->set_verify_mode(options.insecure_skip_verify ? ssl::verify_none : ssl::verify_peer, ec);
  return context;
}

Result<void> prepare_client_tls(SSL* ssl, const TlsClientOptions& options, const std::string& host) {
  const std::string& name = options.server_name.empty() ? host : options.server_name;
  const bool ip = is_ip_address(name);
  bool ok = ip || SSL_set_tlsext_host_name(ssl, name.c_str()) == 1;
  if (!options.insecure_skip_verify) {
    X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
    ok = ok && (ip ? X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str()) : SSL_set1_host(ssl, name.c_str())) == 1;
  }
  if (!ok) return fail(ErrorCode::kInvalidArgument, "tls server name cannot be used: " + name);
  return {};
}

std::string peer_common_name(SSL* ssl) {
  X509* certificate = SSL_get1_peer_certificate(ssl);
  if (certificate == nullptr) return {};
  char text[256] = {};
  const int length =
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
  X509_free(certificate);
  return length > 0 && SSL_get_verify_result(ssl) == X509_V_OK ? std::string(text, static_cast<std::size_t>(length))
                                                              : std::string();
}

std::string tls_failure(SSL* ssl, const boost::system::error_code& ec) {
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK)
    return std::string("certificate verify failed: ") + X509_verify_cert_error_string(verified);
  return ec.message();
}

}  // namespace kvasir::net
