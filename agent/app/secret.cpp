#include "agent/app/secret.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace midst::app {
namespace {

constexpr std::size_t largest_secret_bytes = 64 * 1024;

Result<std::string> read_secret_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) return Error{Errc::config, "the password file " + path + " cannot be read"};
  auto secret = std::move(text).str();
  if (secret.size() > largest_secret_bytes) return Error{Errc::config, "the password file " + path + " is too large"};
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  return secret;
}

}  // namespace

Secret::Secret(Kind kind, std::string value) : kind_(kind), value_(std::move(value)) {
}

Result<std::string> Secret::read() const {
  switch (kind_) {
    case Kind::none:
      return std::string();
    case Kind::text:
      return value_;
    case Kind::file:
      return read_secret_file(value_);
    case Kind::variable: {
      const char* value = std::getenv(value_.c_str());
      if (value == nullptr) return Error{Errc::config, "the variable " + value_ + " is not set"};
      return std::string(value);
    }
    case Kind::credential: {
      const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
      if (directory == nullptr)
        return Error{Errc::config, "no credential " + value_ + ": not started by systemd with LoadCredential="};
      return read_secret_file(std::string(directory) + "/" + value_);
    }
  }
  return Error{Errc::internal, "unknown kind of secret"};
}

}  // namespace midst::app
