#include "common/net/tls_context.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

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

bool is_ip_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

Result<TlsContext> make_server_context(const TlsServerOptions& options) {
  auto context = base_context(ssl::context::tls_server);
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
