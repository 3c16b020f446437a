#include "tests/support/certificates.hpp"

#include <cstdlib>
#include <stdexcept>
#include <vector>

namespace midst::test {
namespace {

void openssl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "openssl");
  const auto result = run_command(arguments);
  if (result.exit_code != 0) throw std::runtime_error("openssl: " + result.output);
}

}  // namespace

Certificates::Certificates() {
  openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
           "/CN=test CA", "-keyout", file("ca.key"), "-out", ca()});
}

void Certificates::issue(const std::string& name, const std::string& alternatives) const {
  openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
           "-addext", "subjectAltName=" + alternatives, "-keyout", file(name + ".key"), "-out", file(name + ".csr")});
  openssl({"x509", "-req", "-in", file(name + ".csr"), "-CA", ca(), "-CAkey", file("ca.key"), "-CAcreateserial",
           "-days", "2", "-copy_extensions", "copy", "-out", file(name + ".crt")});
}

SystemStore::SystemStore(const std::string& file) {
  ::setenv("SSL_CERT_FILE", file.c_str(), 1);
}

SystemStore::~SystemStore() {
  ::unsetenv("SSL_CERT_FILE");
}

}  // namespace midst::test
