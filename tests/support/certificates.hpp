// Certificates made for a test, by the openssl program.
#pragma once

#include "tests/support/servers.hpp"

#include <string>

namespace midst::test {

/// A certificate authority of its own, and what it issues; files of a folder that goes with the object.
class Certificates {
 public:
  Certificates();

  [[nodiscard]] std::string ca() const { return file("ca.crt"); }
  [[nodiscard]] std::string file(const std::string& name) const { return (directory_.path() / name).string(); }

  /// Writes name.crt and name.key, over those that are there.
  /// @param alternatives  as in an extension: "DNS:localhost,IP:127.0.0.1".
  void issue(const std::string& name, const std::string& alternatives) const;

 private:
  TempDir directory_;
};

/// The system's CA store, as OpenSSL lets the environment replace it, while the object is there.
class SystemStore {
 public:
  explicit SystemStore(const std::string& file);
  ~SystemStore();
  SystemStore(const SystemStore&) = delete;
  SystemStore& operator=(const SystemStore&) = delete;
};

}  // namespace midst::test
