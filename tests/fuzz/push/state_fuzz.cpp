// The state file on any bytes: taken apart as it is, and as checkpoint and records of a good container, of which a
// Store takes all or nothing and then still answers.
#include "agent/ingest/store.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

namespace {

using namespace midst::ingest;

const std::string& path() {
  static const auto chosen =
      (std::filesystem::temp_directory_path() / ("midst-state-fuzz-" + std::to_string(::getpid()))).string();
  return chosen;
}

void clear() {
  for (const auto* end : {"", ".damaged", ".new"}) ::unlink((path() + end).c_str());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(read_state(bytes));
  if (size < 2) return 0;
  clear();
  const auto cut = 1 + std::size_t{data[0]} * (size - 1) / 256;
  {
    auto opened = StateFile::open(path());
    if (!opened) return 0;
    static_cast<void>(opened->file->checkpoint(bytes.substr(1, cut - 1)));
    // Records of a length that the bytes say themselves.
    for (auto rest = bytes.substr(cut); rest.size() > 1;) {
      const auto length = std::size_t{static_cast<unsigned char>(rest[0])} + 1;
      static_cast<void>(opened->file->append(rest.substr(1, length)));
      rest.remove_prefix(std::min(rest.size(), length + 1));
    }
  }
  StoreLimits limits;
  limits.max_series = 100;
  limits.max_client_values = 1000;
  Store store(limits);
  const SteadyTime now{std::chrono::hours(1)};
  if (!store.keep_state(path(), now)) std::abort();
  const auto page = store.snapshot(now);
  if (page.find("midst_push_state_kept")->values.front() != 1) std::abort();
  clear();
  return 0;
}
