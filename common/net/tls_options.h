// tls_options.h -- what server and client need to know for TLS. PEM everywhere.
#pragma once

#include <string>

namespace kvasir::net {

enum class TlsClientAuth {
  kNone,              // NoClientCert
  kRequest,           // RequestClientCert, VerifyClientCertIfGiven: ask; verify if one is sent
  kRequireAndVerify,  // RequireAndVerifyClientCert
};

struct TlsServerOptions {
  std::string cert_file;        // chain; "" turns TLS off
  std::string key_file;
  std::string client_ca_file;
  TlsClientAuth client_auth = TlsClientAuth::kNone;
  std::string min_version;      // TLS10 to TLS13; "" = TLS12
  std::string cipher_suites;    // names of the TLS standard, divided by commas; "" = what OpenSSL thinks good
  bool enabled() const { return !cert_file.empty(); }
};

struct TlsClientOptions {
  std::string ca_file;          // "" = the system's
  std::string cert_file;        // client certificate, optional
  std::string key_file;
  std::string server_name;      // to verify instead of the host of the URL
  std::string min_version;      // TLS10 to TLS13; "" = TLS12
  std::string max_version;      // "" = the newest
  bool insecure_skip_verify = false;
};

}  // namespace kvasir::net
