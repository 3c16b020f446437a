#include "lib/base/process_usage.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <thread>

namespace midst {
namespace {

TEST(ProcessUsage, SeesADescriptorOpened) {
  const auto before = read_process_usage().value();
  const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(descriptor, 0);
  EXPECT_EQ(read_process_usage().value().open_descriptors, before.open_descriptors + 1);
  ::close(descriptor);
  EXPECT_GT(before.max_descriptors, before.open_descriptors);
}

TEST(ProcessUsage, SeesAThreadStarted) {
  const auto before = read_process_usage().value();
  std::promise<void> done;
  std::thread thread([ended = done.get_future()] { ended.wait(); });
  EXPECT_EQ(read_process_usage().value().threads, before.threads + 1);
  done.set_value();
  thread.join();
}

TEST(ProcessUsage, SeesTheTimeItTakes) {
  const auto before = read_process_usage().value();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  auto after = before;
  volatile double work = 0;
  while (after.cpu_user_seconds < before.cpu_user_seconds + 0.05 && std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 100'000; ++i) work = work + i;
    after = read_process_usage().value();
  }
  EXPECT_GE(after.cpu_user_seconds, before.cpu_user_seconds + 0.05);
}

TEST(ProcessUsage, StartedBeforeNowAndNotLongAgo) {
  const auto usage = read_process_usage().value();
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_LE(usage.start_time_seconds, now + 1);
  EXPECT_GT(usage.start_time_seconds, now - 600);
  EXPECT_GT(usage.resident_bytes, 1U << 20);
  EXPECT_GE(usage.virtual_bytes, usage.resident_bytes);
}

}  // namespace
}  // namespace midst
