#include "lib/base/version.hpp"

namespace midst {

std::string_view version() noexcept {
  return MIDST_VERSION;
}

}  // namespace midst
