// Any replies to what is asked about keys, streams and scripts: no crash, and every look comes to its end.
#include "agent/sources/redis/keys/key_size.hpp"
#include "agent/sources/redis/keys/key_walk.hpp"
#include "agent/sources/redis/keys/scripts.hpp"
#include "agent/sources/redis/keys/stream_look.hpp"
#include "lib/redis/resp.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace midst::sources::redis_info;

/// Hands out the replies in turn, over and over.
class Replies {
 public:
  explicit Replies(std::vector<midst::redis::Reply> all) : all_(std::move(all)) {}
  std::vector<midst::redis::Reply> next(std::size_t count) {
    std::vector<midst::redis::Reply> some;
    for (std::size_t i = 0; i < count; ++i) some.push_back(all_[next_++ % all_.size()]);
    return some;
  }

 private:
  std::vector<midst::redis::Reply> all_;
  std::size_t next_ = 0;
};

void look_at(KeyLook& look, Replies& replies) {
  for (int pass = 0; pass < 4; ++pass) {
    look.begin();
    for (int step = 0; !look.is_done(); ++step) {
      if (step > 10) std::abort();
      const auto commands = look.ask("key");
      if (commands.empty() || commands.size() > 12) std::abort();
      (void)look.take(replies.next(commands.size()));
    }
  }
  midst::metrics::SnapshotBuilder builder;
  look.add("db0", "key", builder);
  (void)builder.freeze();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  midst::redis::ReplyReader reader(1 << 20);
  (void)reader.feed({reinterpret_cast<const char*>(bytes), size}, 64);
  auto all = reader.take();
  if (all.empty()) return 0;
  Replies replies(all);
  for (const bool has_values : {false, true})
    for (const auto origin : {KeyOrigin::named, KeyOrigin::scanned}) {
      const KeySizeOptions options{has_values, 8, true};
      KeySizeLook look(options, origin);
      look_at(look, replies);
    }
  StreamsOptions streams;
  streams.max_groups = streams.max_consumers = 5;
  StreamFolds folds;
  StreamLook stream(streams, folds);
  look_at(stream, replies);
  KeyWalk walk(0, "*", 10);
  for (auto& reply : all) {
    if (read_script_values(reply, 3).values.size() > 3) std::abort();
    if (const auto names = walk.take(reply); names && walk.command()[1].size() > 20) std::abort();
  }
  return 0;
}
