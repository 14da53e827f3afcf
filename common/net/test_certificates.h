// test_certificates.h -- a throw-away authority and leaf certificates for TLS tests, made with OpenSSL in a temporary
// folder.
#pragma once

#include <memory>
#include <string>

namespace kvasir::net {

class TestCertificates {
 public:
  TestCertificates();   // ca, server (localhost, 127.0.0.1) and client (CN=agent-1)
  ~TestCertificates();
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  std::string ca() const { return folder_ + "/ca.pem"; }
  std::string cert(const std::string& name) const { return folder_ + "/" + name + ".pem"; }
  std::string key(const std::string& name) const { return folder_ + "/" + name + ".key"; }
  /// A new server certificate under the same file names, CN=`common_name`.
  void renew_server(const std::string& common_name);

 private:
  void issue(const std::string& name, const std::string& common_name, const std::string& alt_names);

  struct Authority;
  std::string folder_;
  std::unique_ptr<Authority> authority_;
};

}  // namespace kvasir::net
