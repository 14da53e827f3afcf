#include "common/net/test_certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "common/assert.h"

namespace kvasir::net {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

Key make_key() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

Certificate make_certificate(const std::string& common_name, EVP_PKEY* key, long serial) {
  Certificate certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  return certificate;
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  KVASIR_ASSERT(extension != nullptr, "certificate extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void save(const std::string& path, X509* certificate) {
  const File file(std::fopen(path.c_str(), "w"), std::fclose);
  KVASIR_ASSERT(file && PEM_write_X509(file.get(), certificate) == 1, "write certificate");
}

void save(const std::string& path, EVP_PKEY* key) {
  const File file(std::fopen(path.c_str(), "w"), std::fclose);
  KVASIR_ASSERT(file && PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1, "write key");
}

}  // namespace

struct TestCertificates::Authority {
  Key key = make_key();
  Certificate certificate = make_certificate("test authority", key.get(), 1);
  long serial = 1;
};

TestCertificates::TestCertificates() : authority_(std::make_unique<Authority>()) {
  char folder[] = "/tmp/kvasir-certs-XXXXXX";
  KVASIR_ASSERT(mkdtemp(folder) != nullptr, "temporary folder");
  folder_ = folder;
  X509* ca = authority_->certificate.get();
  X509_set_issuer_name(ca, X509_get_subject_name(ca));
  add_extension(ca, NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(ca, authority_->key.get(), EVP_sha256());
  save(folder_ + "/ca.pem", ca);
  issue("server", "localhost", "DNS:localhost,IP:127.0.0.1");
  issue("client", "agent-1", "DNS:agent-1");
}

TestCertificates::~TestCertificates() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void TestCertificates::renew_server(const std::string& common_name) {
  issue("server", common_name, "DNS:localhost,DNS:" + common_name + ",IP:127.0.0.1");
}

void TestCertificates::issue(const std::string& name, const std::string& common_name, const std::string& alt_names) {
  const Key key = make_key();
  const Certificate certificate = make_certificate(common_name, key.get(), ++authority_->serial);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(authority_->certificate.get()));
  add_extension(certificate.get(), NID_subject_alt_name, alt_names);
  X509_sign(certificate.get(), authority_->key.get(), EVP_sha256());
  save(cert(name), certificate.get());
  save(this->key(name), key.get());
}

}  // namespace kvasir::net
