#include "agent/web/accounts.hpp"

#include "lib/base/text.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <fmt/core.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <crypt.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <set>
#include <utility>

namespace midst::web {
namespace {

constexpr std::string_view base64_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t most_remembered = 256;  // a right password has one entry; bcrypt takes longer ones for the same
constexpr std::size_t most_password_bytes = CRYPT_MAX_PASSPHRASE_SIZE - 1;
constexpr int most_bcrypt_cost = 14;           // about a second
constexpr std::int64_t most_rounds = 500'000;  // of SHA-256 and SHA-512: about a second
constexpr std::size_t bcrypt_bytes = 60;

/// Strict, as RFC 4648 has it: whole groups of four, padding at the end only.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const auto padding = text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U;
  text.remove_suffix(padding);
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto value = base64_letters.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFFU);
  }
  return bytes;
}

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
}

/// Takes some 60 ms at bcrypt's usual cost of 10; the memory it needs is too large for a stack.
bool matches(const std::string& hash, const std::string& password) {
  const auto data = std::make_unique<crypt_data>();
  const char* made = crypt_r(password.c_str(), hash.c_str(), data.get());
  const std::string_view text = made != nullptr ? made : "";
  const bool is_same = text.size() == hash.size() && CRYPTO_memcmp(text.data(), hash.data(), hash.size()) == 0;
  OPENSSL_cleanse(data.get(), sizeof *data);
  return is_same;
}

asio::awaitable<bool> match(std::string hash, std::string password) {
  // crypt() would stop at a zero byte and take what stands before it for the whole.
  const bool is_whole = password.find('\0') == std::string::npos && password.size() <= most_password_bytes;
  const bool is_same = matches(hash, password);
  wipe(password);
  co_return is_same&& is_whole;
}

using Digest = std::array<unsigned char, 32>;

}  // namespace

class Accounts::State {
 public:
  State(std::vector<Account> listed, std::size_t most) : accounts(std::move(listed)), max_waiting(most) {
    if (RAND_bytes(key.data(), static_cast<int>(key.size())) != 1) std::terminate();
  }

  /// The account that a name has; for an unknown one any, always the same, so that it takes as long.
  [[nodiscard]] const Account& account_of(const std::string& name) const {
    const auto found =
        std::find_if(accounts.begin(), accounts.end(), [&](const Account& account) { return account.name == name; });
    return found != accounts.end() ? *found : accounts[digest(name, "", "").front() % accounts.size()];
  }

  /// What is remembered of a login: nothing that tells the password to who does not have this process's key.
  [[nodiscard]] Digest digest(const std::string& name, const std::string& hash, const std::string& password) const {
    auto text = fmt::format("{}:{}:{}:{}:", name.size(), name, hash.size(), hash) + password;
    Digest made{};
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), made.data(), nullptr);
    wipe(text);
    return made;
  }

  void remember(const Digest& login) {
    if (remembered.size() >= most_remembered) remembered.clear();
    remembered.insert(login);
  }

  std::vector<Account> accounts;
  std::size_t max_waiting;
  std::size_t waiting = 0;
  std::set<Digest> remembered;
  Digest key{};
  asio::thread_pool pool{1};
  bool is_closed = false;
};

std::optional<Credentials> parse_basic(std::string_view authorization) {
  const auto scheme = text::take_until(authorization, ' ');
  if (!text::equal_ignoring_case(scheme, "basic")) return std::nullopt;
  auto decoded = decode_base64(text::trim(authorization));
  if (!decoded) return std::nullopt;
  const auto colon = decoded->find(':');
  if (colon == std::string::npos) return std::nullopt;
  Credentials credentials{decoded->substr(0, colon), decoded->substr(colon + 1)};
  wipe(*decoded);
  return credentials;
}

Result<Done> check_hash(const std::string& hash) {
  const Error no_hash{Errc::config,
                      "this is no password hash; make one with: htpasswd -nBC 10 \"\", or mkpasswd -m bcrypt"};
  const auto is_letter = [](char c) {
    return c == '$' || c == '=' || c == '.' || base64_letters.find(c) < 62 || c == '/';
  };
  if (!hash.starts_with('$') || !std::all_of(hash.begin(), hash.end(), is_letter)) return no_hash;
  if (crypt_checksalt(hash.c_str()) != CRYPT_SALT_OK) return no_hash;
  const auto parts = text::split(hash, '$');
  if (hash.starts_with("$2")) {
    const auto cost = parts.size() == 4 ? text::parse_integer(parts[2]) : Result<std::int64_t>(no_hash);
    if (hash.size() != bcrypt_bytes || !cost) return no_hash;
    if (*cost > most_bcrypt_cost)
      return Error{Errc::config,
                   fmt::format("this hash costs too much to check at each login; bcrypt's cost may be {} at most",
                               most_bcrypt_cost)};
    return Done{};
  }
  constexpr std::size_t shortest_digest = 43;  // 256 bits
  if (parts.size() < 4 || parts.back().size() < shortest_digest) return no_hash;
  constexpr std::string_view rounds_key = "rounds=";
  if (!parts[2].starts_with(rounds_key)) return Done{};
  const auto rounds = text::parse_integer(parts[2].substr(rounds_key.size()));
  if (!rounds || *rounds > most_rounds)
    return Error{Errc::config,
                 fmt::format("this hash costs too much to check at each login; rounds may be {} at most", most_rounds)};
  return Done{};
}

Accounts::Accounts(std::vector<Account> accounts, std::size_t max_waiting)
    : state_(std::make_unique<State>(std::move(accounts), max_waiting)) {
}

Accounts::~Accounts() {
  close();
}

asio::awaitable<Accounts::Verdict> Accounts::check(std::shared_ptr<Accounts> self, Credentials credentials) {
  auto& state = *self->state_;
  const auto& account = state.account_of(credentials.name);
  const bool is_known = account.name == credentials.name;
  const auto login = state.digest(credentials.name, account.hash, credentials.password);
  if (state.remembered.contains(login)) {
    wipe(credentials.password);
    co_return Verdict::welcome;
  }
  if (state.is_closed || state.waiting >= state.max_waiting) co_return Verdict::busy;
  ++state.waiting;
  auto matching = match(account.hash, std::move(credentials.password));
  const bool is_match = co_await asio::co_spawn(state.pool.get_executor(), std::move(matching), asio::use_awaitable);
  --state.waiting;
  if (!is_match || !is_known) co_return Verdict::unknown;
  state.remember(login);
  co_return Verdict::welcome;
}

void Accounts::close() {
  state_->is_closed = true;
  state_->pool.join();
}

}  // namespace midst::web
