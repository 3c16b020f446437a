#include "lib/base/pem.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

namespace midst::pem {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// The system's store of authorities has about 220 kB; more is a wrong path.
constexpr std::size_t max_file_bytes = 1024 * 1024;

/// A file that is read and closed with it.
class OpenFile {
 public:
  /// Not blocking, or a FIFO without a writer would hold up the loop.
  explicit OpenFile(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  /// @return the whole file; unset, with errno, when it cannot be read.
  [[nodiscard]] std::optional<std::string> read() const {
    struct stat status {};
    if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) return std::nullopt;
    errno = S_ISDIR(status.st_mode) ? EISDIR : ENODEV;
    if (!S_ISREG(status.st_mode)) return std::nullopt;
    std::string text(max_file_bytes + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
      const auto count = ::read(descriptor_, text.data() + size, text.size() - size);
      if (count < 0) return std::nullopt;
      if (count == 0) break;
      size += static_cast<std::size_t>(count);
    }
    errno = EFBIG;
    if (size > max_file_bytes) return std::nullopt;
    text.resize(size);
    return text;
  }

 private:
  int descriptor_;
};

}  // namespace

Error unfit(const File& file, const std::string& why) {
  return Error{Errc::config, std::string(file.setting) + ": " + file.path + ": " + why};
}

Result<std::string> read(const File& file) {
  auto text = OpenFile(file.path).read();
  if (!text) return unfit(file, std::generic_category().message(errno));
  return std::move(*text);
}

Result<Done> present(asio::ssl::context& context, const File& certificate, const File& key) {
  const auto chain_text = read(certificate);
  if (!chain_text) return chain_text.error();
  const auto key_text = read(key);
  if (!key_text) return key_text.error();
  error_code error;
  context.use_certificate_chain(asio::buffer(*chain_text), error);
  if (error) return unfit(certificate, error.message());
  // Without one OpenSSL would ask at the terminal.
  context.set_password_callback([](std::size_t, asio::ssl::context::password_purpose) { return std::string(); }, error);
  if (!error) context.use_private_key(asio::buffer(*key_text), asio::ssl::context::pem, error);
  if (error) return unfit(key, error.message()).with_context(certificate.path);
  return Done{};
}

}  // namespace midst::pem
