#include "lib/redis/resp.hpp"

#include <hiredis/hiredis.h>

#include <new>

namespace midst::redis {

Result<Done> append_commands(std::string& wire, std::span<const Command> commands) {
  std::vector<const char*> arguments;
  std::vector<std::size_t> lengths;
  for (const auto& command : commands) {
    if (command.empty()) return Error{Errc::config, "a Redis command without a name"};
    arguments.clear();
    lengths.clear();
    for (const auto& argument : command) {
      arguments.push_back(argument.data());
      lengths.push_back(argument.size());
    }
    char* bytes = nullptr;
    const int length =
        redisFormatCommandArgv(&bytes, static_cast<int>(arguments.size()), arguments.data(), lengths.data());
    if (length < 0) return Error{Errc::internal, "out of memory for a Redis command"};
    const std::unique_ptr<char, void (*)(char*)> owner(bytes, redisFreeCommand);
    wire.append(bytes, static_cast<std::size_t>(length));
  }
  return Done{};
}

/// Builds Reply trees from the reader's calls. The reader goes depth first, so the newest element of a parent is the
/// only one it still points to: growing `elements` for the next sibling moves nothing that is in use. Arrays are not
/// sized by what the peer announces, only by what it sends.
class ReplyReader::Tree {
 public:
  explicit Tree(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  static redisReplyObjectFunctions* functions() noexcept {
    static redisReplyObjectFunctions table{string, array, integer, nil, release};
    return &table;
  }

  void finish_root() {
    finished.push_back(std::move(unfinished_.back()));
    unfinished_.clear();
  }

  std::vector<Reply> finished;

 private:
  Reply* add(const redisReadTask* task, Reply::Type type, std::size_t text_bytes) noexcept {
    used_bytes_ += sizeof(Reply) + text_bytes;
    if (used_bytes_ > max_bytes_) return nullptr;
    try {
      auto& siblings = task->parent == nullptr ? unfinished_ : static_cast<Reply*>(task->parent->obj)->elements;
      auto& reply = siblings.emplace_back();
      reply.type = type;
      return &reply;
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  static Tree& of(const redisReadTask* task) noexcept { return *static_cast<Tree*>(task->privdata); }

  static void* string(const redisReadTask* task, char* bytes, std::size_t length) noexcept {
    auto* reply = of(task).add(task, type_of(task->type), length);
    if (reply == nullptr) return nullptr;
    try {
      reply->text.assign(bytes, length);
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    return reply;
  }

  static void* array(const redisReadTask* task, int) noexcept { return of(task).add(task, Reply::Type::array, 0); }

  static void* integer(const redisReadTask* task, long long value) noexcept {
    auto* reply = of(task).add(task, Reply::Type::integer, 0);
    if (reply != nullptr) reply->number = value;
    return reply;
  }

  static void* nil(const redisReadTask* task) noexcept { return of(task).add(task, Reply::Type::nil, 0); }

  /// The tree owns every node; the reader calls this for a half-built root, which stays until the tree goes.
  static void release(void*) noexcept {}

  static Reply::Type type_of(int type) noexcept {
    if (type == REDIS_REPLY_ERROR) return Reply::Type::error;
    return type == REDIS_REPLY_STATUS ? Reply::Type::status : Reply::Type::string;
  }

  std::vector<Reply> unfinished_;  ///< At most one: the root being read.
  std::size_t max_bytes_;
  std::size_t used_bytes_ = 0;
};

ReplyReader::ReplyReader(std::size_t max_bytes) : tree_(std::make_unique<Tree>(max_bytes)), max_bytes_(max_bytes) {
  reader_.reset(redisReaderCreateWithFunctions(Tree::functions()));
  if (reader_ == nullptr) throw std::bad_alloc();
  reader_->privdata = tree_.get();
}

ReplyReader::~ReplyReader() = default;

void ReplyReader::FreeReader::operator()(redisReader* reader) const noexcept {
  redisReaderFree(reader);
}

Result<Done> ReplyReader::feed(std::string_view bytes, std::size_t wanted) {
  // Replies that end within the limit count, even when the bytes that exceed it came with them.
  const auto allowed = bytes.substr(0, max_bytes_ - fed_bytes_);
  const bool is_too_much = allowed.size() < bytes.size();
  bytes = allowed;
  fed_bytes_ += bytes.size();
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK)
    return Error{Errc::internal, "out of memory for Redis replies"};
  while (tree_->finished.size() < wanted) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
      // The reader calls a node that we refused "out of memory".
      if (reader_->err == REDIS_ERR_OOM) return Error{Errc::limit, "the replies take more memory than allowed"};
      return Error{Errc::protocol, "the peer does not speak the Redis protocol"};
    }
    if (reply == nullptr) break;
    tree_->finish_root();
  }
  if (is_too_much) return Error{Errc::limit, "the replies are larger than allowed"};
  return Done{};
}

const std::vector<Reply>& ReplyReader::replies() const noexcept {
  return tree_->finished;
}

std::vector<Reply> ReplyReader::take() {
  return std::move(tree_->finished);
}

bool ReplyReader::has_rest() const noexcept {
  return reader_->pos < reader_->len;
}

}  // namespace midst::redis
